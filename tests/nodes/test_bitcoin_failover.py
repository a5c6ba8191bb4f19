"""Two litecoinds behind one adapter: the scanner goes on with the one that is up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import SQLModel

from bitcoin_adapters import connecting, now
from watcher.bus import Bus
from watcher.ledger import Ledger
from watcher.pace import Pace
from watcher.render import Links
from watcher.scanner import Scanner
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from chains.base import ChainAdapter
    from node_fixtures import LitecoindFactory

LINKS = Links("http://shop.invalid", lambda _option, _minimum: None, lambda _chain, _asset: 8)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    store = Store(tmp_path / "watcher.db")
    async with store.write() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    yield Ledger(store, now, LINKS, Bus())
    await store.close()


def scanner(adapter: ChainAdapter, ledger: Ledger) -> Scanner:
    return Scanner(adapter, ledger, now, Pace(0.1, 100, 0), Bus().scan["ltc"], lambda _pause: None)


async def test_h7_a_first_endpoint_that_lags_is_left_for_one_that_is_ahead(
    litecoind_factory: LitecoindFactory, ledger: Ledger
) -> None:
    behind, ahead = litecoind_factory(), litecoind_factory()
    ahead.mine(3)
    async with connecting() as connect:
        await scanner(connect(ahead), ledger).turn()
        adapter = connect(behind, ahead)
        following = scanner(adapter, ledger)

        for _ in range(2):
            await following.turn()

        assert "live" == following.status().state
        lagging, used = adapter.health()
        assert ("down", "up") == (lagging.state, used.state)
        assert f"behind {ahead.height} seen before" in str(lagging.error)
        assert 1 == (await adapter.tip()).endpoint
