"""Real chains with the real adapters, ledger, scanners and actions, on a real database.

Like world.py, but the chains are nodes: `await followed.scan()` follows them until nothing is left to read.
"""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlmodel import SQLModel

import chains
from public_keys import account
from watcher.app import build
from watcher.drafts import InvoiceDraft
from watcher.model import ChainState, Standing
from watcher.pace import Pace
from watcher.sandbox.anvil import CHAIN_ID
from watcher.scanner import Scanner
from watcher.secret import Secret
from watcher.settings import DatabaseSettings, Settings, WebhookSettings
from watcher.tables import ADDRESS, BLOCK, DEPOSIT, EVENT
from world import SECRET, Made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Table

    from chains.base import ChainAdapter, Tip
    from chains.config import ChainConfig
    from watcher.actions import Actions
    from watcher.ledger import Ledger
    from watcher.model import ChainStatus
    from watcher.store import Store

Credit = tuple[str, str, str, str, int, int, str]
"""What a block credits: transaction, slot, address, asset, base units, the block's height and hash."""

_RESTLESS = 50
"""Turns after which a chain that is never read to its end is a failure."""


class LaterClock:
    """The machine's clock, put ahead by a test."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def now(self) -> int:
        """The present moment in whole seconds since 1970, as nodes take it."""
        return int(self().timestamp())


def litecoin(*urls: str, **keys: Any) -> dict[str, Any]:
    """The keys of `[chains.NAME]` for one or several litecoinds."""
    own = {"kind": "bitcoin", "coin": "litecoin", "network": "regtest", "script": "p2wpkh", "rpc": urls}
    return {**own, "xpub": account("m/84'/1'/0'", test=True), "confirmations": 2, "poll_interval": 0.1} | keys


def ether(*urls: str, **keys: Any) -> dict[str, Any]:
    """The keys of `[chains.NAME]` for one or several anvils."""
    own = {"kind": "evm", "chain_id": CHAIN_ID, "native": "ETH", "rpc": urls}
    return {**own, "xpub": account("m/44'/60'/0'"), "confirmations": 2, "poll_interval": 0.1} | keys


class Followed:
    """One deployment on real nodes: everything of the daemon but the API's server and the notifier.

    `tables` are those of `[chains.NAME]`; `clock` is shared by the adapters and the ledger. `histories` may
    be shorter than the configuration allows: a reorganisation that is too deep need not be long then.
    """

    def __init__(
        self, folder: Path, tables: Mapping[str, Mapping[str, Any]], histories: Mapping[str, int]
    ) -> None:
        self._histories = histories
        self.clock = LaterClock()
        self.settings = Settings(
            file=folder / "watcher.toml",
            database=DatabaseSettings(url=f"sqlite:///{folder / 'watcher.db'}"),
            webhooks=WebhookSettings(secret=(Secret.model_validate({"text": SECRET}),)),
            chains={name: _config(keys) for name, keys in tables.items()},
        )
        self._start()

    def _start(self) -> None:
        self.app = build(self.settings, self.clock)
        self.scanners: dict[str, Scanner] = self.app.scanners
        self.scanners.update({name: self._scanner(name) for name in self.app.chains})

    def _scanner(self, name: str) -> Scanner:
        keys = self.settings.chains[name]
        history = self._histories.get(name, keys.history)
        pace = Pace(keys.poll_interval, history, 0, keys.start_height)
        app = self.app
        return Scanner(
            app.chains[name], app.ledger, self.clock, pace, app.bus.scan[name], lambda _pause: None
        )

    async def close(self) -> None:
        await self.app.store.close()
        for adapter in self.adapters.values():
            await adapter.close()

    async def restart(self) -> None:
        """Let the process die and start again: what is not in the database is forgotten."""
        await self.close()
        self._start()

    # --- its parts

    @property
    def adapters(self) -> dict[str, ChainAdapter]:
        return self.app.chains

    @property
    def store(self) -> Store:
        return self.app.store

    @property
    def ledger(self) -> Ledger:
        return self.app.ledger

    @property
    def actions(self) -> Actions:
        return self.app.actions

    # --- what happens

    async def turn(self, name: str) -> float:
        """Let one scanner take one turn; the seconds that it would wait."""
        return await self.scanners[name].turn()

    async def scan(self, *names: str) -> None:
        """Let the scanners (all, or these) take turns until each would wait, whatever for."""
        for name in names or self.scanners:
            for _ in range(_RESTLESS):
                if await self.turn(name):
                    break

    async def caught_up(self, *names: str) -> None:
        """Scan, and make sure that the chains were read to their heads."""
        await self.scan(*names)
        for name in names or self.scanners:
            tip: Tip = await self.adapters[name].tip()
            assert (ChainState.LIVE, None) == (self.status(name).state, self.status(name).reason)
            assert (tip.head.height, tip.head.hash) == await self.scanned(name)

    def meddle(
        self, name: str, method: str, action: Callable[[], object], *, call: int = 1, after: bool = False
    ) -> None:
        """Let something happen before (or after) the adapter's `call`-th next call of `method`, once."""
        adapter, calls = self.adapters[name], itertools.count(1)
        real = getattr(adapter, method)

        async def meddled(*arguments: Any) -> Any:
            mine = next(calls) == call
            if mine and not after:
                action()
            answer = await real(*arguments)
            if mine and after:
                action()
            return answer

        setattr(adapter, method, meddled)

    async def invoice(self, **fields: Any) -> Made:
        """Create an invoice (an hour, unless `fields` say otherwise)."""
        return Made(self, await self.actions.create(InvoiceDraft.model_validate(fields)))

    # --- what is known

    def status(self, name: str) -> ChainStatus:
        return self.scanners[name].status()

    async def rows(self, table: Table) -> Sequence[Any]:
        async with self.store.read() as connection:
            return (await connection.execute(select(table).order_by(*table.primary_key.columns))).all()

    async def scanned(self, name: str) -> tuple[int, str]:
        view = await self.ledger.view(name)
        assert view is not None
        return view.head.height, view.head.hash

    async def kept(self, name: str) -> dict[int, str]:
        """The kept blocks: height to hash."""
        return {row.height: row.hash for row in await self.rows(BLOCK) if row.chain == name}

    async def addresses(self, name: str) -> set[str]:
        return {row.address for row in await self.rows(ADDRESS) if row.chain == name}

    async def credits(self, name: str) -> set[Credit]:
        """What the ledger says that the blocks of a chain credit."""
        found = [row for row in await self.rows(DEPOSIT) if row.chain == name]
        return {
            (r.txid, r.slot, r.address, r.asset, r.amount, r.block_height, r.block_hash)
            for r in found
            if r.standing == Standing.MINED
        }

    async def standings(self, name: str) -> list[str]:
        """Where the deposits of a chain stand, sorted."""
        return sorted(row.standing for row in await self.rows(DEPOSIT) if row.chain == name)

    async def told(self, family: str = "") -> list[str]:
        """The types of all events that begin with `family`, oldest first."""
        return [row.type for row in await self.rows(EVENT) if row.type.startswith(family)]


@asynccontextmanager
async def following(
    folder: Path, histories: Mapping[str, int] | None = None, **tables: Mapping[str, Any]
) -> AsyncIterator[Followed]:
    """Yield a deployment that follows these chains from their heads, on a fresh database."""
    followed = Followed(folder, tables, histories or {})
    try:
        async with followed.store.write() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        yield followed
    finally:
        await followed.close()


def _config(keys: Mapping[str, Any]) -> ChainConfig:
    config: ChainConfig = chains.load(keys["kind"]).Config.model_validate(dict(keys))
    return config
