"""How many streams are open, and when one more would be too many: for all together, and for one key."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from watcher import descriptors
from watcher.errors import Refused

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

MOST = 10_000
"""Streams of one process, where it may open as many connections and more."""
SOON = 5
"""Seconds after which it is worth trying again: who went away is noticed within KEEP_ALIVE."""


class Streams:
    """The open streams, each by its connection. `most` at once: three quarters of what may be open at all."""

    def __init__(self) -> None:
        """Ask the system how many there may be."""
        self.most = min(MOST, descriptors.allowed() * 3 // 4)
        self._open: dict[asyncio.BaseTransport, str] = {}
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    @property
    def most_of_key(self) -> int:
        """Return how many one key may have open: a quarter is left to the others."""
        return max(1, self.most * 3 // 4)

    @contextmanager
    def room(self, key: str, connection: asyncio.BaseTransport) -> Iterator[None]:
        """Hold a place for a stream; Refused with 503 where all are taken, 429 where by this key."""
        if self._full(key):
            self._forget_the_dead()
        if self._of[key] >= self.most_of_key:
            message = f"this key has {self.most_of_key} streams open already"
            raise Refused("too_many_streams", message, status=429, retry_after=SOON)
        if len(self._open) >= self.most:
            message = f"{self.most} streams are open already"
            raise Refused("too_many_streams", message, status=503, retry_after=SOON)
        self._open[connection] = key
        self._of[key] += 1
        try:
            yield
        finally:
            self._forget(connection)

    def _full(self, key: str) -> bool:
        return len(self._open) >= self.most or self._of[key] >= self.most_of_key

    def _forget_the_dead(self) -> None:
        """Free the places of connections that broke: their streams learn it when they next write."""
        for connection in [one for one in self._open if one.is_closing()]:
            self._forget(connection)

    def _forget(self, connection: asyncio.BaseTransport) -> None:
        key = self._open.pop(connection, None)
        if key is not None:
            self._of[key] -= 1
            self._of += Counter()  # forgets a key without any
