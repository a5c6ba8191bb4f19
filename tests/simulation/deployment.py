"""The daemon under test: its real tasks, which can die at any await and start anew on what is on the disk."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inline_sqlite import Database, InlineStore
from points import Died, Points
from shops import Session, SimulatedSender
from watcher.bus import Bus
from watcher.customers import Customers
from watcher.drafts import InvoiceDraft
from watcher.ledger import Ledger
from watcher.merchant import Desk, Merchant
from watcher.merchant_refunds import Refunds
from watcher.metrics import Metrics
from watcher.notifier import Notifier, NotifierOptions
from watcher.pace import Pace
from watcher.render import Links
from watcher.scanner import Scanner
from world import SECRET, World, _decimals

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from random import Random

    from branching_chain import BranchingChain
    from shaky_adapter import ShakyAdapter
    from shops import Shops
    from virtual_loop import VirtualClock
    from watcher.model import Batch
    from watcher.pace import Pace


class Crashed(AssertionError):  # noqa: N818 - the name says what happened
    """A task of the daemon ended by itself."""


class NotingLedger(Ledger):
    """The product's ledger; it can be asked what is being absorbed at this moment."""

    absorbing: Batch | None = None
    observed: set[tuple[str, datetime]]

    async def absorb(self, batch: Batch, **options: Any) -> int:
        self.absorbing = batch
        self.observed.add((batch.chain, batch.observed_at))
        try:
            return await super().absorb(batch, **options)
        finally:
            self.absorbing = None


class Deployment:
    """One database and one process after the other on it."""

    def __init__(
        self, folder: Path, clock: VirtualClock, shops: Shops, dice: Random, hurry: tuple[float, float]
    ) -> None:
        """`hurry` are how likely an await yields, and waits."""
        self.clock = clock
        self.path = folder / "watcher.db"
        self.chains: dict[str, BranchingChain] = {}
        self.adapters: dict[str, ShakyAdapter] = {}
        self.paces: dict[str, Pace] = {}
        self.deaths: list[str] = []
        self.observed: set[tuple[str, datetime]] = set()
        self.committed: Callable[[], None] = lambda: None
        links = Links("http://shop.test", lambda option, _: f"fake:{option.address}", _decimals)
        self.links = replace(links, mail=True)
        self._shops = shops
        self._dice = dice
        self._hurry = hurry
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def dead(self) -> bool:
        return self.points.dead

    def start(self) -> None:
        """Start a process on what is on the disk."""
        self.points = Points(self._dice, *self._hurry, self._dying)
        Database.path, Database.points, Database.committed = self.path, self.points, self.committed
        self.store = InlineStore(self.path)
        self.bus = Bus()
        self.ledger = NotingLedger(self.store, self.clock, self.links, self.bus)
        self.ledger.observed = self.observed
        self._desks()
        self.scanners = {name: self._scanner(name) for name in self.chains}
        SimulatedSender.session = Session(self._shops, self.points)
        self.notifier = self._notifier()
        works = [self.notifier.run(), *(scanner.run() for scanner in self.scanners.values())]
        self._tasks = [asyncio.ensure_future(work) for work in works]

    def _scanner(self, name: str) -> Scanner:
        adapter = self.adapters[name]
        adapter.points = self.points
        wake, monotonic = self.bus.scan[name], asyncio.get_running_loop().time
        return Scanner(
            adapter, self.ledger, self.clock, self.paces[name], wake, lambda _: None, monotonic=monotonic
        )

    def _notifier(self) -> Notifier:
        options = NotifierOptions(invoice_secrets=(SECRET,), version="0")
        beat, dice = (lambda: None), self._dice.random
        return Notifier(
            self.store, self.bus, options, Metrics(), clock=self.clock, random=dice, heartbeat=beat
        )

    def _dying(self, place: str) -> None:
        """Keep the database as it lies on the disk at this moment, for the next process."""
        self.deaths.append(place)
        copy = self.path.with_name(f"{len(self.deaths)}.db")
        for suffix in ("", "-wal"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        self._next = copy

    async def revive(self) -> None:
        """Sweep the dead process away and start another on what it left."""
        await self._sweep()
        self.path = self._next
        self.start()

    async def restart(self) -> None:
        """Stop in good order, as at SIGTERM, and start again."""
        self.notifier.stop()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.dead:
            return
        await self._sweep()
        self.start()

    async def _sweep(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()

    async def stop(self) -> None:
        self.points.dead = True
        await self._sweep()

    def check_alive(self) -> None:
        """Raise what ended a task of a process that nobody killed."""
        for task in self._tasks:
            if task.done() and not self.dead:
                raise Crashed(f"a task of the daemon ended: {task}") from task.exception()

    # --- what merchants and operators do

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        return await self.api.create(InvoiceDraft.model_validate(fields))

    def _desks(self) -> None:
        """Open everything that a merchant can ask something of."""
        self.api = World.actions(self)  # type: ignore[arg-type] - has all that it takes
        desk = Desk(self.store, self.clock, self.links, self.bus)
        merchant, refunds = Merchant(desk), Refunds(desk, self.adapters)
        self.accept, self.extend, self.cancel = merchant.accept, merchant.extend, merchant.cancel
        self.refund, self.sent = refunds.refund, refunds.sent
        self.destine, self.withdraw = refunds.destine, refunds.withdraw
        self.customers = Customers(self.store, self.adapters, self.api._settings, self.clock)


__all__ = ["Crashed", "Deployment", "Died"]
