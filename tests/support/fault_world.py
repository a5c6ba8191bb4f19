"""The real scanner, ledger and store on a real adapter whose node stands behind a fault proxy.

After each turn the ledger is held against the node itself: what stands at or below its cursor, on its branch,
is recorded, and nothing else is.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import aiohttp
from sqlmodel import SQLModel

from watcher.pace import Pace
from watcher.render import Links
from watcher.store import Store
from world import World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chains.base import ChainAdapter
    from fake_clock import FakeClock
    from fault_proxy import FaultProxy
    from world import Made

TURNS = 25
"""Turns within which a scanner has to be at the head after a fault."""
_WRONG = ("expired", "underpaid", "cancelled")


class Credit(NamedTuple):
    """What a payment of the scene leaves at our address."""

    asset: str
    txid: str
    slot: str
    amount: int


class Branch(NamedTuple):
    """One block that the node had, on whatever branch, and what it pays us."""

    height: int
    parent: str
    credits: frozenset[Credit]


class Stage(Protocol):
    """A node with the scripted payments of one cell: see fault_stage_evm and fault_stage_bitcoin."""

    name: str
    asset: str
    decimals: int
    amount: str
    """What each cell's invoice asks for."""

    def adapter(self, url: str, clock: FakeClock) -> ChainAdapter:
        """Return an adapter of the node behind that URL."""

    def begin(self, address: str) -> None:
        """Pay, before the fault."""

    def blocks(self) -> None:
        """Mine the payments, and go on past the invoice's deadline."""

    def fork(self) -> None:
        """Replace those blocks by a longer branch that holds other payments in another order."""

    def grow(self) -> None:
        """Pay once more, at the end of the new branch."""

    def settle(self) -> None:
        """After the fault: mine what is left."""

    def history(self) -> dict[str, Branch]:
        """Return every block since the beginning of the cell, by its hash."""

    def unconfirmed(self) -> frozenset[Credit]:
        """Return what was ever in the mempool in this cell."""

    def head(self) -> tuple[int, str]:
        """Return the node's best block."""


class FaultWorld(World):
    """One real chain in the place of the fake ones."""

    def __init__(self, folder: Path, clock: FakeClock, stage: Stage, proxy: FaultProxy) -> None:
        super().__init__(folder, clock)
        self.stage = stage
        self.proxy = proxy
        self.seconds = 0.0
        self.links = Links("http://shop.test", lambda *_: "fake:", lambda *_: stage.decimals)
        self._wire()
        self._before = 0
        self._line = sqlite3.connect(self.path)

    async def renew(self) -> None:
        """Begin a new database at the node's head: no cell has to carry the addresses of all before it."""
        await self.end()
        self.path = self.path.with_name(f"watcher-{time.monotonic_ns()}.db")
        self.store = Store(self.path)
        async with self.store.write() as conn:
            await conn.run_sync(SQLModel.metadata.create_all)
        self._wire()
        self._line = sqlite3.connect(self.path)
        await self.restart_scanner()
        await self.scan()

    async def restart_scanner(self, within: float = 10.0) -> None:
        """Let the process start again, with the same database; it waits so many seconds for an answer."""
        await self.stop_scanner()
        adapter: Any = self.stage.adapter(self.proxy.url, self.clock)
        adapter._rpc._monotonic = lambda: self.seconds
        for node in adapter._rpc.nodes:
            node._timeout = aiohttp.ClientTimeout(total=within)
        name = self.stage.name
        self.adapters[name], self.paces[name] = adapter, Pace(1.0, 200, 0)
        self.chains[name] = adapter
        self._start(name)

    async def stop_scanner(self) -> None:
        if (old := self.adapters.pop(self.stage.name, None)) is not None:
            await old.close()

    async def end(self) -> None:
        """Close everything but the proxy."""
        await self.stop_scanner()
        self._line.close()
        await self.store.close()

    async def turns(self, count: int, invoice: Made) -> list[str]:
        """Take turns, and return what is wrong after any of them."""
        wrong: list[str] = []
        for number in range(count):
            self.seconds += await self.scanners[self.stage.name].turn()
            wrong += [f"turn {number + 1}: {each}" for each in self._wrong(invoice)]
        return wrong

    async def recovered(self, invoice: Made) -> list[str]:
        """Take turns until the cursor is at the head and the mempool is read; return what is wrong then."""
        wrong: list[str] = []
        for _ in range(TURNS):
            pause = await self.scanners[self.stage.name].turn()
            self.seconds += pause
            wrong += self._wrong(invoice)
            if pause and self._cursor() == self.stage.head() and not self._gaps():
                break
        else:
            wrong.append(f"does not recover: {self.scanners[self.stage.name].status()}")
        return wrong

    def remember(self) -> None:
        """Begin a cell: what is recorded by now is not looked at again."""
        (self._before,) = self._line.execute("SELECT coalesce(max(rowid), 0) FROM deposit").fetchone()

    async def paid(self, invoice: Made) -> list[str]:
        status = await invoice.status()
        return [] if status.startswith("paid") else [f"the invoice ends as {status}"]

    def _wrong(self, invoice: Made) -> list[str]:
        rows = self._recorded()
        wrong = self._unlike(rows)
        (status,) = self._line.execute("SELECT status FROM invoice WHERE id = ?", (invoice.id,)).fetchone()
        if status.startswith(_WRONG):
            wrong.append(f"the invoice is {status}")
        height, head = self._cursor()
        if head not in self.stage.history():
            return [*wrong, f"the cursor is on an unknown block {height} {head}"]
        return wrong + self._compare(head, rows)

    def _unlike(self, rows: Sequence[tuple[Credit, str]]) -> list[str]:
        """Return what nobody ever paid."""
        real = {credit for block in self.stage.history().values() for credit in block.credits}
        real |= self.stage.unconfirmed()
        return [f"invented: {credit} {standing}" for credit, standing in rows if credit not in real]

    def _compare(self, head: str, rows: Sequence[tuple[Credit, str]]) -> list[str]:
        """Return in what the ledger differs from the branch that it is on, gaps that it knows of apart."""
        expected, unread = self._expected(head)
        mined = {credit for credit, standing in rows if standing == "mined"}
        return [f"missing: {each}" for each in expected - mined - unread] + [
            f"not in the branch: {each}" for each in mined - expected
        ]

    def _expected(self, head: str) -> tuple[set[Credit], set[Credit]]:
        """Return what the branch holds, and what of it lies in gaps that the ledger has noted."""
        history, found, unread = self.stage.history(), set[Credit](), set[Credit]()
        gaps = self._gaps()
        while (block := history.get(head)) is not None:
            found |= block.credits
            if any(first <= block.height <= last for first, last in gaps):
                unread |= block.credits
            head = block.parent
        return found, unread

    def _gaps(self) -> list[tuple[int, int]]:
        return self._line.execute("SELECT first, last FROM gap").fetchall()

    def _recorded(self) -> list[tuple[Credit, str]]:
        """Return what was recorded since the beginning of the cell, and where it stands."""
        query = "SELECT asset, txid, slot, amount, standing FROM deposit WHERE rowid > ?"
        rows = self._line.execute(query, (self._before,)).fetchall()
        return [
            (Credit(asset, txid, slot, int(amount)), standing) for asset, txid, slot, amount, standing in rows
        ]

    def _cursor(self) -> tuple[int, str]:
        query = "SELECT height, hash FROM chain WHERE name = ?"
        height, hash_ = self._line.execute(query, (self.stage.name,)).fetchone()
        return int(height), str(hash_)
