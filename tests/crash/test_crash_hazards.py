"""Hazards of a process that dies, one at a time: the installed command, a real node, a real shop."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from chain_toml import anvil_chain
from daemon import COMMAND, Daemon
from shop import SECRET, Shop
from watcher.failpoint import VARIABLE
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

ETHER = 10**18


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    await shop.start()
    yield shop
    await shop.stop()


@pytest.fixture
async def daemon(tmp_path: Path, anvil: Anvil, shop: Shop) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path, anvil_chain(anvil), shop.url, SECRET)
    yield daemon
    daemon.kill()


async def test_h112_what_the_shop_took_before_the_death_comes_again_under_the_same_id(
    daemon: Daemon, anvil: Anvil, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await daemon.start()
    await daemon.ready()
    daemon.kill()
    monkeypatch.setenv(VARIABLE, "send.answered")
    await daemon.start()
    monkeypatch.delenv(VARIABLE)

    await daemon.ready()
    invoice = await daemon.invoice(chain="dev", asset="ETH", amount="1")
    assert daemon.process is not None
    status = await asyncio.to_thread(daemon.process.wait, 20)
    before = list(shop.received)
    await daemon.start()
    anvil.send(invoice["options"][0]["address"], ETHER)
    anvil.mine()
    await shop.heard(invoice["id"], "invoice.paid")

    assert -9 == status
    assert 1 == len(before)
    assert before * 2 == [each for each in shop.received if each[0] == before[0][0]]
    shop.assert_sound(invoice["id"])


async def test_h118_every_connection_waits_until_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "watcher.db")
    pragmas = ("synchronous", "journal_mode")

    async with store.write() as connection:
        writing = [await connection.scalar(text(f"PRAGMA {each}")) for each in pragmas]
    async with store.read() as connection:
        reading = [await connection.scalar(text(f"PRAGMA {each}")) for each in pragmas]
    await store.close()

    assert [2, "wal"] == writing, "2 is FULL"
    assert [2, "wal"] == reading


async def test_h121_a_second_daemon_is_told_who_holds_the_database_and_a_dead_one_holds_nothing(
    daemon: Daemon,
) -> None:
    await daemon.start()
    assert daemon.process is not None
    first = daemon.process.pid

    second = daemon.command("run")
    daemon.kill()
    await daemon.start()

    assert (1, 1) == (second.returncode, len(second.stderr.splitlines()))
    assert f"in use by the watcher with process id {first}" in second.stderr
    assert first != daemon.process.pid


async def test_h124_a_loop_that_dies_takes_the_process_with_it(
    daemon: Daemon, anvil: Anvil, tmp_path: Path
) -> None:
    await daemon.start()
    await daemon.ready()
    assert daemon.process is not None
    with sqlite3.connect(tmp_path / "watcher.db") as other:
        other.execute("ALTER TABLE block RENAME TO lost")
    other.close()

    anvil.mine()
    status = await asyncio.to_thread(daemon.process.wait, 30)

    assert 1 == status
    assert "daemon.failed" in daemon.log.read_text()


def test_an_unknown_failpoint_is_refused_in_one_line(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere")

    refused = daemon.command("run")

    assert COMMAND.exists()
    assert (2, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert "there is no failpoint 'nowhere'" in refused.stderr
