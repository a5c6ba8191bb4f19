"""The shop of the crash test: a real HTTP server that fails, is slow or hangs up, and remembers all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from shop import SECRET

if TYPE_CHECKING:
    from random import Random

MAIN = "all"
"""The path of the configured endpoint."""
EXTRA = "extra"
"""The path of one made through the API, which gets `invoice.paid` alone."""
_STUBBORN = 0.1
"""The share of refused events that are refused twice: their third attempt comes half a minute later."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that was taken, on one path."""

    path: str
    id: str
    body: bytes


class Receiver:
    """Takes events on any path below /hooks/. `rough`: how often an event meets a fault; 0 is calm."""

    def __init__(self, random: Random, rough: float = 0.25) -> None:
        self.rough = rough
        self.slow = 0.0
        """Seconds that every answer takes."""
        self.arrivals: list[Arrival] = []
        self.busy = 0
        """Requests that wait for their answer at this moment."""
        self._random = random
        self._refusals: dict[tuple[str, str], int] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hooks"

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks/{path}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        place = (request.match_info["path"], request.headers["webhook-id"])
        if self._refuses(place):
            return await self._refused(request)
        self.arrivals.append(Arrival(*place, body))
        self.busy += 1
        try:
            await asyncio.sleep(self.slow or self._delay())
        finally:
            self.busy -= 1
        return web.Response()

    def _refuses(self, place: tuple[str, str]) -> bool:
        """Whether this attempt fails; decided once for an event at a path, so that each gets through soon."""
        if place not in self._refusals:
            rough = self._random.random() < self.rough
            self._refusals[place] = rough * (1 + (self._random.random() < _STUBBORN))
        self._refusals[place] -= 1
        return self._refusals[place] >= 0 and self.rough > 0

    async def _refused(self, request: web.Request) -> web.Response:
        if self._random.random() < 0.5 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self._random.choice([500, 503, 404, 302]))

    def _delay(self) -> float:
        return self._random.uniform(0.1, 1.0) if self._random.random() < self.rough else 0.0
