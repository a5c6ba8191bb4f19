"""The API on a free port of the loopback, over the real ledger, actions and scanner and a fake chain."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from sqlmodel import SQLModel

from chains.config import ChainConfig
from fake_adapter import FakeAdapter
from watcher import apikeys
from watcher.actions import Actions
from watcher.api.context import ApiContext
from watcher.api.server import listen
from watcher.apikeys import Scope
from watcher.bus import Bus
from watcher.customers import Customers
from watcher.feed import Feed
from watcher.ledger import Ledger
from watcher.links import PaymentLinks
from watcher.merchant import Desk, Merchant
from watcher.merchant_refunds import Refunds
from watcher.metrics import Metrics
from watcher.pace import Pace
from watcher.pages.site import Site
from watcher.payer_feed import PayerFeed
from watcher.render import Links
from watcher.scanner import Scanner
from watcher.secret import Secret
from watcher.settings import ServerSettings, Settings, WebhookSettings
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

    from fake_chain import FakeChain
    from fake_clock import FakeClock
    from watcher.testbed import Bed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAME = "fake"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes
    json: Any


@dataclass(slots=True)
class Api:
    """A running server with what stands behind it, and a client that has a key of each scope."""

    url: str
    context: ApiContext
    session: aiohttp.ClientSession
    chain: FakeChain
    adapter: FakeAdapter
    scanner: Scanner
    clock: FakeClock
    keys: dict[Scope | None, str]
    runner: web.AppRunner

    async def call(self, method: str, path: str, scope: Scope | None = Scope.ADMIN, **options: Any) -> Reply:
        """Send a request with a key of that scope (None: without) and read the answer."""
        headers = dict(options.pop("headers", {}))
        if scope is not None:
            headers.setdefault("Authorization", f"Bearer {self.keys[scope]}")
        return await self.send(method, path, headers, **options)

    async def send(self, method: str, path: str, headers: Any, **options: Any) -> Reply:
        """Send a request with these headers and no others of ours, and read the answer."""
        async with self.session.request(method, self.url + path, headers=headers, **options) as answer:
            body = await answer.read()
            as_json = await answer.json() if answer.content_type == "application/json" and body else None
            return Reply(answer.status, answer.headers, body, as_json)

    async def get(self, path: str, scope: Scope | None = Scope.READ, **options: Any) -> Reply:
        return await self.call("GET", path, scope, **options)

    async def post(
        self, path: str, body: Any = None, scope: Scope | None = Scope.ADMIN, **options: Any
    ) -> Reply:
        return await self.call("POST", path, scope, json={} if body is None else body, **options)

    async def scan(self) -> None:
        """Let the scanner read all that there is."""
        while not await self.scanner.turn():
            pass

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        """Create an invoice; a second goes by first, so that creation orders them."""
        self.clock.advance(1)
        draft = {"chain": NAME, "asset": "COIN", "amount": "1", **fields}
        reply = await self.post("/v1/invoices", draft)
        assert reply.status == 201, reply.body
        return dict(reply.json)


def settings(folder: Path) -> Settings:
    """Return settings with one fake chain."""
    chain = ChainConfig(kind="fake", rpc=("http://127.0.0.1:1",), confirmations=1)
    return Settings(
        file=folder / "watcher.toml",
        webhooks=WebhookSettings(secret=(Secret.model_validate({"text": SECRET}),)),
        chains={NAME: chain},
    )


@asynccontextmanager
async def serving(
    folder: Path,
    clock: FakeClock,
    chain: FakeChain,
    testbed: Bed | None = None,
    server: ServerSettings | None = None,
) -> AsyncIterator[Api]:
    """Run the API with a fresh database. `testbed`: as a sandbox has one; `server`: with other limits."""
    config = settings(folder)
    if server is not None:
        config = config.model_copy(update={"server": server})
    async with AsyncExitStack() as stack:
        yield await _start(config, clock, chain, stack, testbed)


async def _start(
    config: Settings, clock: FakeClock, chain: FakeChain, stack: AsyncExitStack, testbed: Bed | None
) -> Api:
    store, bus, adapter = Store(config.file.with_name("watcher.db")), Bus(), FakeAdapter(chain)
    stack.push_async_callback(store.close)
    adapter.span = 100
    async with store.write() as conn:
        await conn.run_sync(SQLModel.metadata.create_all)
        keys = {s: (await apikeys.create(conn, f"a {s}", s, clock()))[1] for s in Scope}
    chains = {NAME: adapter}
    links = Links("http://shop.test", lambda option, _: f"fake:{option.address}", _decimals(adapter))
    ledger = Ledger(store, clock, links, bus)
    pace = Pace(0.1, 100, 0)
    scanner = Scanner(
        adapter, ledger, clock, pace, bus.scan[NAME], lambda *_: None, lambda *_: bus.chains.set()
    )
    actions = Actions(store, chains, config, clock, links, bus)
    desk = Desk(store, clock, links, bus)
    context = ApiContext(
        settings=config,
        store=store,
        chains=chains,
        actions=actions,
        customers=Customers(store, chains, config, clock),
        payment_links=PaymentLinks(store, chains, config, clock, actions),
        merchant=Merchant(desk),
        refunds=Refunds(desk, chains),
        bus=bus,
        clock=clock,
        chain_status=lambda _: scanner.status(),
        links=links,
        metrics=Metrics(),
        version="0.0.0",
        feed=Feed(store, bus),
        payer_feed=PayerFeed(store, bus, links),
        testbed=testbed,
    )
    runner = await listen(context, "127.0.0.1", 0, Site.load(config))
    stack.push_async_callback(runner.cleanup)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api(url, context, session, chain, adapter, scanner, clock, {None: "", **keys}, runner)
    await api.scan()
    return api


def _decimals(adapter: FakeAdapter) -> Any:
    known = {asset.symbol: asset.decimals for asset in adapter.assets()}
    return lambda _chain, asset: known.get(asset, 0)
