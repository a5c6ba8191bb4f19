"""The notifier and its database as the daemon has them, without chains: events are published by hand.

As a program it takes a folder and the URLs of its endpoints. For each line that it reads it commits an event
for all of them, and says at which monotonic moment that was done.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parents[1] / "support"))

from outbox_db import OutboxDb
from watcher import log, outbox
from watcher.bus import Bus
from watcher.ids import new_id
from watcher.metrics import Metrics
from watcher.model import Event, EventType
from watcher.notifier import Notifier, NotifierOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_BODY_BYTES = 1500
"""About what an invoice with one payment takes."""


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class Outgoing:
    """One database and its notifier."""

    def __init__(self, folder: Path) -> None:
        self.db = OutboxDb(folder / "outgoing.db")
        self._bus = Bus()
        options = NotifierOptions(allow_private=(ip_network("127.0.0.0/8"),), version="0")
        self.notifier = Notifier(
            self.db.store,
            self._bus,
            options,
            Metrics(),
            clock=now,
            random=random.Random(5).random,
            heartbeat=lambda: None,
        )

    async def publish(self, events: Sequence[Event]) -> float:
        """Commit events in one transaction, as a block that pays many invoices does; return when it was."""
        async with self.db.store.write() as conn:
            await outbox.publish(conn, events, now())
        committed = time.monotonic()
        self._bus.published()
        return committed


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Outgoing]:
    """Run a notifier over an empty database in a folder."""
    outgoing = Outgoing(folder)
    await outgoing.db.create()
    task = asyncio.create_task(outgoing.notifier.run())
    try:
        yield outgoing
    finally:
        outgoing.notifier.stop()
        await task
        await outgoing.db.store.close()


def event(invoice_id: str, sequence: int) -> Event:
    """Return an event of an invoice, as long as such an event usually is."""
    kind, id_ = EventType.INVOICE_PAID, new_id("evt")
    body = json.dumps({"type": kind, "id": id_, "padding": "x" * _BODY_BYTES}).encode()
    return Event(id=id_, type=kind, occurred_at=now(), body=body, invoice_id=invoice_id, sequence=sequence)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A notifier in a process of its own."""

    process: asyncio.subprocess.Process

    async def publish(self) -> float:
        """Have it commit an event for all its endpoints; return when that was done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        return float(await self.process.stdout.readline())


@asynccontextmanager
async def elsewhere(folder: Path, urls: Sequence[str]) -> AsyncIterator[Elsewhere]:
    """Run a notifier with these endpoints in a process of its own, until the block ends."""
    await asyncio.to_thread(folder.mkdir)
    pipe = asyncio.subprocess.PIPE
    line = [sys.executable, __file__, str(folder), *urls]
    process = await asyncio.create_subprocess_exec(*line, stdin=pipe, stdout=pipe)
    try:
        yield Elsewhere(process)
    finally:
        process.kill()
        await process.wait()


async def main(folder: Path, urls: Sequence[str]) -> None:
    log.configure(level="error")
    async with running(folder) as outgoing:
        for url in urls:
            await outgoing.db.endpoint(url)
        while await asyncio.to_thread(sys.stdin.readline):
            invoice = await outgoing.db.invoice(new_id("inv"))
            committed = await outgoing.publish([event(invoice, 1)])
            sys.stdout.write(f"{committed}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
