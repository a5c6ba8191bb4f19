"""A shop in a process of its own, which notes every arrival; nothing that happens to its sender reaches it.

The monotonic clock is the same in all processes of a machine. `/slow` answers late and notes nothing; every
other path is an endpoint that answers at once. As a program it takes the secret that signs; without one it
checks no signature.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp import web
from standardwebhooks.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LATE = 10.0
"""Seconds until the slow path answers."""
PATIENCE = 300.0


class Arrival(NamedTuple):
    """One request: when it came (monotonic seconds), where to, its webhook-id, and a checksum of its body."""

    at: float
    path: str
    id: str
    checksum: int


@dataclass(frozen=True, slots=True)
class DistantShop:
    """The shop as its senders know it."""

    port: int
    session: aiohttp.ClientSession

    def url(self, path: str = "", number: int = 1) -> str:
        """Return a URL; by another number (to 254) it leads to another host."""
        return f"http://127.0.0.{number}:{self.port}/{path}"

    async def taken(self, count: int) -> list[Arrival]:
        """Wait until so many events have arrived, each at its path; return every arrival, and forget them."""
        return [Arrival(*one) for one in json.loads(await self._ask(f"?count={count}"))]

    async def counted(self, count: int) -> int:
        """Wait until so many events have arrived, each at its path; return how many have."""
        return int(await self._ask(f"count?count={count}"))

    async def _ask(self, path: str) -> str:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with self.session.get(self.url(path), timeout=timeout) as answer:
            return await answer.text()


@asynccontextmanager
async def listening(secret: str = "") -> AsyncIterator[DistantShop]:
    """Run the shop until the block ends."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, secret, stdin=pipe, stdout=pipe)
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield DistantShop(port, session)
    finally:
        process.kill()
        await process.wait()


class _Shop:
    def __init__(self, secret: str) -> None:
        self._signed = Webhook(secret) if secret else None
        self._arrivals: list[Arrival] = []
        self._known: set[tuple[str, str]] = set()
        self._news = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if request.method == "GET":
            return await self._tell(request.path, int(request.query["count"]))
        at, body, id_ = time.monotonic(), await request.read(), request.headers["webhook-id"]
        if request.path == "/slow":
            await asyncio.sleep(LATE)
            return web.Response()
        if self._signed:
            self._signed.verify(body, dict(request.headers))
        self._arrivals.append(Arrival(at, request.path, id_, zlib.crc32(body)))
        self._known.add((request.path, id_))
        self._news.set()
        return web.Response()

    async def _tell(self, path: str, count: int) -> web.Response:
        while len(self._known) < count:
            self._news.clear()
            await self._news.wait()
        if path == "/count":
            return web.Response(text=str(len(self._known)))
        told, self._arrivals, self._known = self._arrivals, [], set()
        return web.Response(text=json.dumps(told))


async def main(secret: str) -> None:
    runner = web.ServerRunner(web.Server(_Shop(secret).handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0, backlog=1000).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # until whoever started it is gone


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
