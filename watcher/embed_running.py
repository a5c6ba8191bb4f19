"""One start of a watcher inside another program: its loops beside the host's task, and who is inside.

Knows when it runs, ends or died; knows nothing of invoices.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from watcher import app as composition
from watcher.embed_beside import Beside, WatcherFailed
from watcher.embed_consumer import Consumer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.app import App

OUTSIDE = "the watcher does not run here; use it inside of its `async with`"


class Running:
    """From the start of the loops to their end."""

    def __init__(self, app: App) -> None:
        """Nothing runs yet."""
        self.app = app
        self.port = 0
        self._stop = asyncio.Event()
        self._quiet = asyncio.Event()
        self._closing = False
        self._calls = 0
        self._consumers: dict[str, Consumer] = {}
        self._beside: Beside | None = None

    async def start(self, *, http: bool) -> None:
        """Start everything; what keeps it from starting is raised, and nothing stays behind.

        A start that is given up is finished first: a migration is never left to itself.
        """
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = self._live(partial(self._begin, begun), http=http)
        self._beside = Beside(work, begun, "watcher")
        try:
            await self._beside.start()
        except asyncio.CancelledError:
            self._stop.set()
            await self._beside.end()
            raise

    async def end(self) -> None:
        """End everything: readers first, then the calls under way, then the loops and what they hold."""
        self._closing = True
        self._wake()
        if self._beside is None:
            return
        try:
            while self._calls and self._beside.cause is None:
                self._quiet.clear()
                await self._quiet.wait()
        finally:
            self._stop.set()
            await self._beside.end()

    @contextmanager
    def call(self) -> Iterator[App]:
        """Be inside for as long as a call takes; RuntimeError once it ends, WatcherFailed once it died."""
        if failed := self.failure():
            raise failed
        if self._closing:
            raise RuntimeError(OUTSIDE)
        self._calls += 1
        try:
            yield self.app
        finally:
            self._calls -= 1
            self._quiet.set()

    @property
    def closing(self) -> bool:
        """Whether the host has left the block."""
        return self._closing

    def failure(self) -> WatcherFailed | None:
        """Return what to raise because a loop died, None while all is well."""
        return self._beside.failure() if self._beside else None

    def consumer(self, name: str) -> Consumer:
        """Return the reader of this name, one for all who read under it, one after another."""
        if name not in self._consumers:
            self._consumers[name] = Consumer(self.app.store, self.app.clock, name)
        return self._consumers[name]

    async def _live(self, begun: partial[None], *, http: bool) -> None:
        try:
            await composition.run(self.app, self._stop, begun, http=http, supervised=False)
        finally:
            asyncio.get_running_loop().call_soon(self._wake)  # when this task is done

    def _begin(self, begun: asyncio.Future[None], port: int) -> None:
        self.port = port
        if not begun.done():
            begun.set_result(None)

    def _wake(self) -> None:
        """Have everyone look who waits."""
        self._quiet.set()
        self.app.bus.events.set()
        self.app.bus.chains.set()
        for consumer in self._consumers.values():
            consumer.room.set()
