"""A notifier that runs over an outbox, and real HTTP servers that it sends to."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fake_clock import FakeClock
from watcher.bus import Bus
from watcher.metrics import Metrics
from watcher.notifier import Notifier, NotifierOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from outbox_db import OutboxDb

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK = (ip_network("127.0.0.0/8"),)
OWN_SECRET = "whsec_" + "QUFB" * 8


@dataclass
class Shop:
    """A real HTTP server that keeps what it was sent, and answers as a test tells it."""

    urls: list[str] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answers: list[int | Handler] = field(default_factory=list)
    otherwise: int | Handler = 200
    now: int = 0
    most: int = 0

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        self.paths.append(request.path)
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        try:
            answer = self.answers.pop(0) if self.answers else self.otherwise
            return (
                web.Response(status=answer, text="ok") if isinstance(answer, int) else await answer(request)
            )
        finally:
            self.now -= 1

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.got) < count:  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def open_shop(ports: int = 1) -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", shop.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    for _ in range(ports):
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=2000).start()
    shop.urls = [f"http://127.0.0.1:{port}/hooks" for _, port in runner.addresses]
    yield shop
    await runner.cleanup()


@dataclass
class Daemon:
    """A notifier that runs, and what a test needs of it."""

    db: OutboxDb
    bus: Bus = field(default_factory=Bus)
    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now(UTC)))
    metrics: Metrics = field(default_factory=Metrics)
    allow: Sequence[Any] = LOOPBACK
    beats: int = 0

    def __post_init__(self) -> None:
        options = NotifierOptions(allow_private=self.allow, invoice_secrets=(OWN_SECRET,), version="1.2.3")
        self.notifier = Notifier(
            self.db.store,
            self.bus,
            options,
            self.metrics,
            clock=self.clock,
            random=lambda: 0.5,
            heartbeat=self._beat,
        )

    def _beat(self) -> None:
        self.beats += 1

    async def publish(self, *events: Any) -> None:
        await self.db.publish(*events, at=self.clock())
        self.bus.published()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.bus.outbox.set()

    async def settled(self, *states: str) -> None:
        """Wait until every delivery's state and number of attempts are these: "pending 1"."""
        async with asyncio.timeout(30):
            while await self._states() != list(states):  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)

    async def _states(self) -> list[str]:
        return [f"{row.state} {row.attempts}" for row in await self.db.deliveries()]


@contextlib.asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[Daemon]:
    task = asyncio.create_task(daemon.notifier.run())
    try:
        yield daemon
    finally:
        daemon.notifier.stop()
        await task


async def hang(_: web.Request) -> web.Response:
    """Answer nothing for longer than anyone waits."""
    await asyncio.sleep(30)
    return web.Response()
