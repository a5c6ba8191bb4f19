"""New events for all who wait for them: one reader for the process, however many listen.

It keeps the newest events in memory. Who is behind them reads the database page by page, until they reach.
Nobody is handed an event twice, or out of order, or after a gap: each says what it had last. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import Context  # of its own: the log must not name the first listener's request
from typing import TYPE_CHECKING

import msgspec
import structlog

from watcher import apikeys, told
from watcher.bus import Signal
from watcher.feed_window import Told, Window, piece

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.bus import Bus
    from watcher.store import Store

log = structlog.get_logger()

PAGE = 50
"""Events read at once."""
KNOWN = 200
"""Of the newest events, how many are read at the start: most who come back need no more."""
POLL = 5.0
"""Seconds after which the reader looks even if nobody wakes it, at the keys of all who listen, too."""
BEHIND = 4
"""How many of those who are behind may read the database at the same time: others need it, too."""
GROUP = 100
"""How many are woken before anything else gets its turn."""


class Listener:
    """One who listens. `after` is the seq of the last event that it was handed.

    `nudged`: something changed of which no event tells. Who was told so sets it back.
    """

    def __init__(self, feed: Feed, after: int, key: str | None, *, quiet: bool) -> None:
        """`key`: the id of the API key on whose strength it listens; None needs none."""
        self.after, self.key, self.quiet = after, key, quiet
        self.nudged = False
        self._feed = feed
        self._news = Signal()

    async def next(self, patience: float) -> list[Told] | None:
        """Return the next events, [] if none came in `patience` seconds or before it was nudged.

        None when it is over: the key was revoked, the feed closed, or its reader failed.
        """
        news = self._news.next()  # before it looks: what happens from here on wakes it
        while (found := await self._feed.after(self)) == [] and not self.nudged:
            if not await self._news.wait(patience, news):
                return []
            news = self._news.next()
        if found:
            self.after = found[-1].seq
        return found

    def wake(self) -> None:
        """Let it look again."""
        self._news.set()


class Feed:
    """The events of one database for those who listen in this process. It reads only while somebody does."""

    def __init__(self, store: Store, bus: Bus) -> None:
        """Nothing runs before the first listener."""
        self._store, self._bus = store, bus
        self._listeners: set[Listener] = set()
        self._window: Window | None = None
        self._revoked: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self._behind = asyncio.Semaphore(BEHIND)
        self._closed = False
        bus.on_decided.append(self._decided)

    def __len__(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    @contextmanager
    def listen(self, after: int, key: str | None = None, *, quiet: bool = False) -> Iterator[Listener]:
        """Let somebody listen to what comes after a seq; `quiet`: to what changes without an event, too."""
        listener = Listener(self, after, key, quiet=quiet)
        self._listeners.add(listener)
        if not self._closed and (self._reader is None or self._reader.done()):
            self._reader = asyncio.create_task(self._read(), name="feed", context=Context())
            self._reader.add_done_callback(self._failed)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """End it for all who listen, and for good; return when nothing is read any more."""
        self._closed = True
        self._bus.events.set()
        for listener in self._listeners:
            listener.wake()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def after(self, listener: Listener) -> list[Told] | None:
        """Return what comes next for a listener, from memory or the database; None if it is over."""
        if self._closed or listener.key in self._revoked or self._reader is None or self._reader.done():
            return None
        known = self._window.after(listener.after) if self._window else None
        if known is not None:
            return known
        async with self._behind, self._store.read() as conn:
            if listener.key is not None and not await apikeys.alive(conn, [listener.key]):
                return None
            return piece(await _page(conn, listener.after))

    def _decided(self, _subjects: Collection[str], events: int) -> None:
        """Nudge who would hear nothing of it otherwise."""
        for listener in self._listeners if not events else ():
            if listener.quiet:
                listener.nudged = True
                listener.wake()

    async def _read(self) -> None:
        """Read what is new until nobody listens."""
        async with self._store.read() as conn:
            newest = await told.last_seq(conn)
        window = self._window = Window(max(0, newest - KNOWN))
        try:
            while self._listeners and not self._closed:
                woken = self._bus.events.next()
                if not await self._turn(window):
                    await self._bus.events.wait(POLL, woken)
        finally:
            self._window = None

    async def _turn(self, window: Window) -> bool:
        """Read the next page, and which keys are revoked, at one moment; return whether there may be more."""
        keys = {listener.key for listener in self._listeners if listener.key is not None}
        async with self._store.read() as conn:
            found = await _page(conn, window.head)
            revoked = keys - await apikeys.alive(conn, keys)
        self._revoked |= revoked
        window.add(found)
        await self._wake([one for one in self._listeners if found or one.key in revoked])
        return len(found) == PAGE

    async def _wake(self, listeners: list[Listener]) -> None:
        for start in range(0, len(listeners), GROUP):
            for listener in listeners[start : start + GROUP]:
                listener.wake()
            await asyncio.sleep(0)

    def _failed(self, reader: asyncio.Task[None]) -> None:
        """End it for all who listen where the reader could not go on: they come again, and lose nothing."""
        error = None if reader.cancelled() else reader.exception()
        if error is not None:
            log.error("feed.failed", exc_info=error)
        for listener in self._listeners:
            listener.wake()


async def _page(conn: AsyncConnection, after: int) -> list[Told]:
    found = await told.events_after(conn, after, PAGE)
    return [Told(event["seq"], msgspec.json.encode(event)) for event in found]
