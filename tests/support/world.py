"""Fake chains with the real ledger, scanners and actions, on a real database.

`await world.scan()` follows the chains until nothing is left to read. Amounts are base units.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select
from sqlmodel import SQLModel

from chains.config import ChainConfig
from fake_adapter import FakeAdapter
from fake_chain import FakeChain
from watcher import decisions, facts
from watcher.actions import Actions
from watcher.bus import Bus
from watcher.drafts import InvoiceDraft
from watcher.ledger import Ledger
from watcher.merchant import Desk, Merchant
from watcher.merchant_refunds import Refunds
from watcher.pace import Pace
from watcher.render import Links
from watcher.scanner import Scanner
from watcher.secret import Secret
from watcher.settings import Settings, WebhookSettings
from watcher.store import Store
from watcher.tables import ADDRESS, BLOCK, CHAIN, DEPOSIT, EVENT, GAP, INVOICE, RESOLUTION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Table

    from fake_clock import FakeClock
    from watcher.facts import Record

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
COIN = 10**8
"""Base units of one COIN."""


class World:
    """One deployment: its chains, and everything of the daemon but the API and the notifier."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.path = folder / "watcher.db"
        self.chains: dict[str, FakeChain] = {}
        self.adapters: dict[str, FakeAdapter] = {}
        self.scanners: dict[str, Scanner] = {}
        self.paces: dict[str, Pace] = {}
        self.links = Links("http://shop.test", lambda option, _: f"fake:{option.address}", _decimals)
        self.store = Store(self.path)
        self._wire()

    def _wire(self) -> None:
        self.bus = Bus()
        self.ledger = Ledger(self.store, self.clock, self.links, self.bus)

    def add(self, name: str = "fake", *, pace: Pace | None = None, **adapter: Any) -> FakeChain:
        """Add a chain that is followed from its head at the first scan on."""
        chain = self.chains[name] = FakeChain(self.clock)
        self.adapters[name] = FakeAdapter(chain, name, **adapter)
        self.paces[name] = pace or Pace(1.0, 100, 0)
        self._start(name)
        return chain

    def _start(self, name: str) -> None:
        self.scanners[name] = Scanner(
            self.adapters[name],
            self.ledger,
            self.clock,
            self.paces[name],
            self.bus.scan[name],
            lambda _pause: None,
        )

    async def restart(self) -> None:
        """Let the process die and start again: what is not in the database is forgotten."""
        await self.store.close()
        self.store = Store(self.path)
        self._wire()
        for name in self.chains:
            self._start(name)

    async def scan(self, *names: str) -> None:
        """Let the scanners (all, or these) take turns until each would wait."""
        for name in names or self.scanners:
            while not await self.scanners[name].turn():
                pass

    async def mine(self, blocks: int = 1, *, name: str = "fake", apart: float = 10) -> None:
        """Mine blocks one by one, the clock moving before each, and scan."""
        for _ in range(blocks):
            self.clock.advance(apart)
            self.chains[name].mine()
        await self.scan()

    # --- invoices

    def actions(self) -> Actions:
        chain = ChainConfig(kind="fake", rpc=("http://127.0.0.1:1",), confirmations=2)
        secret = (Secret.model_validate({"text": SECRET}),)
        settings = Settings(
            file=self.path,
            webhooks=WebhookSettings(secret=secret),
            chains=dict.fromkeys(self.chains, chain),
        )
        return Actions(self.store, self.adapters, settings, self.clock, self.links, self.bus)

    async def invoice(self, **fields: Any) -> Made:
        """Create an invoice of 1 COIN (two confirmations, an hour) unless `fields` say otherwise."""
        chain = next(iter(self.chains))
        single = {} if "options" in fields else {"chain": chain, "asset": "COIN", "amount": "1"}
        shown = await self.actions().create(InvoiceDraft.model_validate({**single, **fields}))
        return Made(self, shown)

    async def resolve(self, invoice: Made, kind: str, until: datetime | None = None) -> None:
        """Record a merchant's decision as the actions do: the fact, and what follows, in one transaction."""
        now = self.clock()
        async with self.store.write() as conn:
            row = {"invoice_id": invoice.id, "kind": kind, "at": now, "by": "a key", "until": until}
            await conn.execute(insert(RESOLUTION).values(**row))
            await decisions.settle(conn, [invoice.id], now, self.links)

    def merchant(self) -> Merchant:
        """Where decisions about invoices are taken."""
        return Merchant(self._desk())

    def refunds(self) -> Refunds:
        """Where money is given back."""
        return Refunds(self._desk(), self.adapters)

    def _desk(self) -> Desk:
        return Desk(self.store, self.clock, self.links, self.bus)

    # --- what the database holds

    async def rows(self, table: Table) -> Sequence[Any]:
        async with self.store.read() as conn:
            return (await conn.execute(select(table).order_by(*table.primary_key.columns))).all()

    async def dump(self) -> dict[str, list[Any]]:
        """Everything that the ledger wrote, but for the moment until which the chains are proven."""
        tables = (ADDRESS, BLOCK, CHAIN, DEPOSIT, EVENT, GAP, INVOICE)
        found = {t.name: [dict(row._mapping) for row in await self.rows(t)] for t in tables}
        for row in found["chain"]:
            del row["as_of"]
        return found

    async def count(self, table: Table) -> int:
        async with self.store.read() as conn:
            return int(await conn.scalar(select(func.count()).select_from(table)) or 0)

    async def standings(self) -> list[str]:
        """Where the deposits stand, sorted: "mempool", "mined 3"."""
        rows = await self.rows(DEPOSIT)
        return sorted(" ".join(map(str, filter(None, (r.standing, r.block_height)))) for r in rows)

    async def scanned(self, name: str = "fake") -> tuple[int, str]:
        view = await self.ledger.view(name)
        assert view is not None
        return view.head.height, view.head.hash

    async def told(self) -> list[str]:
        """The types of all events, oldest first."""
        return [row.type for row in await self.rows(EVENT)]


class Made:
    """An invoice of the world, with short ways to ask what became of it."""

    def __init__(self, world: World, shown: dict[str, Any]) -> None:
        self.shown = shown
        self.id: str = shown["id"]
        self.addresses: list[str] = [option["address"] for option in shown["options"]]
        self.address = self.addresses[0]
        self._world = world

    async def record(self) -> Record:
        async with self._world.store.read() as conn:
            return (await facts.load(conn, [self.id]))[self.id]

    async def status(self) -> str:
        """The status, then the exceptions: "paid overpaid"."""
        decision = (await self.record()).decision
        return " ".join([decision.status, *decision.exceptions])

    async def told(self) -> list[str]:
        """The types of its events, oldest first, `invoice.created` left out."""
        return [e["type"] for e in await self.events()][1:]

    async def events(self) -> list[Any]:
        """The bodies of its events, oldest first."""
        async with self._world.store.read() as conn:
            query = select(EVENT.c.body).where(EVENT.c.invoice_id == self.id).order_by(EVENT.c.seq)
            return [json.loads(body) for body in await conn.scalars(query)]


@asynccontextmanager
async def made(folder: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Yield a world without chains, on a fresh database."""
    world = World(folder, clock)
    try:
        async with world.store.write() as conn:
            await conn.run_sync(SQLModel.metadata.create_all)
        yield world
    finally:
        await world.store.close()


def _decimals(_chain: str, asset: str) -> int:
    return {"COIN": 8, "TOKEN": 6}[asset]
