"""A daemon as a process that has nothing to tell but what a test makes: its chain's node is not there."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daemon import Daemon
from public_keys import account
from watcher import apikeys, migrate
from watcher.apikeys import Scope
from watcher.ids import new_id
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_CHAIN = f"""
[chains.bitcoin]
preset = "bitcoin-regtest"
rpc = ["http://user:password@127.0.0.1:1"]
xpub = "{account("84'/1'/0'", test=True)}"
stalled_after = 0
"""


async def quiet(folder: Path) -> Daemon:
    """Return a daemon that is not running, with a key and an endpoint."""
    one = Daemon(folder, _CHAIN, "http://127.0.0.1:9/", _SECRET)
    await asyncio.to_thread(migrate.upgrade, folder / "watcher.db")
    store = Store(folder / "watcher.db")
    async with store.write() as conn:
        _, one.key = await apikeys.create(conn, "tests", Scope.ADMIN, datetime.now(UTC))
    await store.close()
    return one


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[None]:
    """Run it, and end it as a power cut does."""
    await daemon.start()
    try:
        yield
    finally:
        daemon.kill()


async def tell(daemon: Daemon) -> None:
    """Have the running daemon tell something."""
    (hook,) = (await daemon.call("GET", "/v1/webhooks"))["data"]
    await daemon.call("POST", f"/v1/webhooks/{hook['id']}/test", expect=202)


def fill(daemon: Daemon, number: int, size: int = 0) -> None:
    """Write events into the database while no daemon runs."""
    body = json.dumps({"type": "chain.alert", "data": {"filler": "x" * size}})
    rows = [(new_id("evt"), "chain.alert", 0, body.encode()) for _ in range(number)]
    with closing(sqlite3.connect(daemon.config.with_name("watcher.db"))) as connection, connection:
        connection.executemany("INSERT INTO event (id, type, occurred_at, body) VALUES (?, ?, ?, ?)", rows)
