"""Open invoices whose chain or asset left the configuration: said at the start, and by `watcher check`."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from chains.base import Asset
from command_line import as_json, configure, daemon, watcher
from watcher import app_unfollowed, migrate
from watcher.drafts_merchant import CancelDraft

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from world import World

COIN, TOKEN, OTHER = Asset("COIN", "fake:1/slip44:1", 8), "fake:1/token:1", "fake:1/token:2"


class Chain:
    """A chain as it is configured now."""

    def __init__(self, *assets: Asset) -> None:
        self._assets = assets

    def assets(self) -> tuple[Asset, ...]:
        return self._assets


@pytest.mark.parametrize(
    ("left", "missing"),
    [
        pytest.param({"fake": Chain(COIN, Asset("TOKEN", TOKEN, 2))}, [], id="nothing left"),
        pytest.param({"fake": Chain(COIN)}, ["TOKEN 1 rescan fake"], id="the token did"),
        pytest.param(
            {"fake": Chain(COIN, Asset("TOKEN", OTHER, 2))}, ["TOKEN 1 rescan fake"], id="another contract"
        ),
        pytest.param({"other": Chain(COIN)}, ["COIN 2 none", "TOKEN 1 none"], id="the chain did"),
    ],
)
async def test_open_invoices_that_ask_for_what_is_no_longer_configured_are_counted(
    world: World, left: Any, missing: list[str]
) -> None:
    world.add()
    await world.scan()
    ways = [{"chain": "fake", "asset": asset, "amount": "1"} for asset in ("COIN", "TOKEN")]
    await world.invoice(options=ways)
    await world.invoice()
    gone = await world.invoice()
    await world.merchant().cancel(gone.id, CancelDraft(), "local")

    async with world.store.read() as connection:
        found = await app_unfollowed.found(connection, left)
    assert missing == [
        f"{one.asset} {one.open_invoices} {'rescan fake' if 'watcher rescan fake' in one.remedy else 'none'}"
        for one in found
    ]


def test_a_chain_that_left_is_a_warning_at_the_start_and_of_check(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    as_json("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "1", cwd=tmp_path)
    before = _warnings(tmp_path)
    configure(tmp_path)
    after = _warnings(tmp_path)
    with daemon(tmp_path) as process:
        said = json.loads(process.wait_for("invoices.unfollowed"))

    assert ("warning", "ethereum", "ETH", 1) == tuple(
        said[key] for key in ("level", "chain", "asset", "open_invoices")
    )
    detail = f"1 ask for ETH on ethereum ({said['asset_id']}): {said['remedy']}"
    assert [[], [detail]] == [before, after]


def test_a_database_whose_invoices_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    database = tmp_path / "broken.db"
    migrate.upgrade(database)
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE invoice")
    connection.close()
    assert migrate.CURRENT == migrate.state(database)

    with pytest.raises(migrate.MigrationError) as told:
        app_unfollowed.found_in(database, {})
    assert f"{database} cannot be used: no such table: invoice" == str(told.value)


def _warnings(folder: Path) -> list[str]:
    rows = json.loads(watcher("check", "--json", cwd=folder).stdout)["data"]
    return [row["detail"] for row in rows if (row["name"], row["ok"]) == ("open invoices", None)]
