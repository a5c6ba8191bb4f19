"""How many streams are open, and when one more would be too many: for all, for one key, for payers."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from watcher import descriptors
from watcher.errors import Refused

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

MOST = 10_000
"""Streams of one process, where it may open as many connections and more."""
SOON = 5
"""Seconds after which it is worth trying again: who went away is noticed within KEEP_ALIVE."""


_PAYERS = "payers"
"""No key has this id."""


class _Place(NamedTuple):
    """Who holds a stream, and those with whom it is counted together."""

    holder: str
    group: str | None


class Streams:
    """The open streams, each by its connection. `most` at once: three quarters of what may be open at all."""

    def __init__(self) -> None:
        """Ask the system how many there may be."""
        self.most = min(MOST, descriptors.allowed() * 3 // 4)
        self._open: dict[asyncio.BaseTransport, _Place] = {}
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    @property
    def most_of_key(self) -> int:
        """Return how many one key may have open: a quarter is left to the others."""
        return max(1, self.most * 3 // 4)

    @property
    def most_of_payers(self) -> int:
        """Return how many payers' pages may hear of news: half is left to the merchant, whoever comes."""
        return max(1, self.most // 2)

    @property
    def most_of_address(self) -> int:
        """Return how many of them may be at one address, which may stand for a whole network."""
        return max(1, self.most // 4)

    @contextmanager
    def room(self, holder: str, connection: asyncio.BaseTransport, *, payer: bool = False) -> Iterator[None]:
        """Hold a place for a stream; Refused with 503 where all are taken, 429 where by this holder.

        `holder`: the key, or the `payer`'s address.
        """
        place = _Place(f"payer {holder}" if payer else holder, _PAYERS if payer else None)
        if self._refused(place):
            self._forget_the_dead()
        refused = self._refused(place)
        if refused:
            raise refused
        self._open[connection] = place
        self._of.update(filter(None, place))
        try:
            yield
        finally:
            self._forget(connection)

    def _refused(self, place: _Place) -> Refused | None:
        """Return why there is no such place left."""
        who, most = ("address", self.most_of_address) if place.group else ("key", self.most_of_key)
        if self._of[place.holder] >= most:
            return _too_many(f"this {who} has {most} streams open already", 429)
        if place.group and self._of[place.group] >= self.most_of_payers:
            return _too_many(f"payers have {self.most_of_payers} streams open already", 503)
        if len(self._open) >= self.most:
            return _too_many(f"{self.most} streams are open already", 503)
        return None

    def _forget_the_dead(self) -> None:
        """Free the places of connections that broke: their streams learn it when they next write."""
        for connection in [one for one in self._open if one.is_closing()]:
            self._forget(connection)

    def _forget(self, connection: asyncio.BaseTransport) -> None:
        place = self._open.pop(connection, None)
        if place is not None:
            self._of.subtract(filter(None, place))
            self._of += Counter()  # forgets who has none


def _too_many(message: str, status: int) -> Refused:
    return Refused("too_many_streams", message, status=status, retry_after=SOON)
