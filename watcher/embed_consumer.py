"""A named reader of events within one process: what comes next for it, and its place, written down.

One stream reads under a name at a time; what a stream leaves unacknowledged, the next one is given again.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING

from watcher import consumers
from watcher.bus import Signal
from watcher.embed_progress import Progress
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection

    from watcher.consumers import Told
    from watcher.model import Clock
    from watcher.store import Store

BATCH = 100
"""Events read from the database at a time."""

PASSED = 1000
"""Unwanted events passed over until the place is written down without an acknowledgement."""


class Consumer:
    """One name; `room` is set whenever something was acknowledged."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        """Read nothing before the first event is asked for."""
        self.room = Signal()
        self._store, self._clock, self._name = store, clock, name
        self._progress: Progress | None = None
        self._written = 0
        self._next: deque[Told] = deque()
        self._looked = 0
        self._saving = asyncio.Lock()
        self._stream: weakref.ref[object] | None = None

    def claim(self, stream: object) -> None:
        """Let one stream read, from the place on; Refused while another one does."""
        if self._stream is not None and self._stream() is not None:
            message = (
                f"events({self._name!r}) is being read already; end that iterator first (or give it up: it "
                "is free once nothing holds it), or read under another name"
            )
            raise Refused("consumer_busy", message, field="name", status=409)
        self._stream = weakref.ref(stream)
        self._next.clear()
        if self._progress:
            self._progress.rewind()
            self._looked = self._progress.read

    def release(self) -> None:
        """Let another stream read."""
        self._stream = None

    @property
    def ahead(self) -> int:
        """How many events were given beyond the place."""
        return self._progress.ahead if self._progress else 0

    async def next(self, stream: object, types: Collection[str] | None, *, beginning: bool) -> Told | None:
        """Return the stream's next event, which counts as given; None where there is none (yet)."""
        progress = self._progress or await self._open(beginning=beginning)
        while self._reads(stream):
            while self._next:
                one = self._next.popleft()
                if progress.give(one.seq):
                    return one
            progress.looked(self._looked)
            if progress.place - self._written > PASSED:
                await self.save()
            async with self._store.read() as conn:
                found, looked = await consumers.following(conn, progress.read, types, BATCH)
            if self._reads(stream):  # it may have been closed meanwhile, and another one have begun
                self._next.extend(found)
                self._looked = looked
                if not found:
                    progress.looked(looked)
                    return None
        return None

    async def acknowledge(self, seq: int) -> None:
        """Take an event as done; returns once all that this allows is written down."""
        if self._progress is None:
            return
        self._progress.acknowledge(seq)
        self.room.set()
        await self.save()

    async def save(self) -> None:
        """Write the place down if it moved. Many at once share one write."""
        async with self._saving:
            place = self._progress.place if self._progress else 0
            if place > self._written:
                async with self._store.write() as conn:
                    await consumers.advance(conn, self._name, place, self._clock())
                self._written = place

    async def _open(self, *, beginning: bool) -> Progress:
        async with self._store.write() as conn:
            self._written = await consumers.begin(conn, self._name, beginning=beginning, now=self._clock())
        if self._progress is None:
            self._progress, self._looked = Progress(self._written), self._written
        return self._progress

    def _reads(self, stream: object) -> bool:
        return self._stream is not None and self._stream() is stream
