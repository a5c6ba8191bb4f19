"""The newest events, ready to be sent, for all who read at the head. Pure: knows no reader, no database."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE = 64 * 1024
"""Bytes handed over at once, but at least one event: what a reader that stalls can keep in memory."""
EVENTS, BYTES = 500, 4 * 1024 * 1024
"""What is kept, at most."""

_seq = attrgetter("seq")


class Told(NamedTuple):
    """An event as pull and stream show it: JSON in one line."""

    seq: int
    text: bytes


def piece(told: Sequence[Told]) -> list[Told]:
    """Return the first events, as many as are handed over at once."""
    size = count = 0
    for count, one in enumerate(told, 1):  # noqa: B007 - used after the loop
        size += len(one.text)
        if size >= PIECE:
            break
    return list(told[:count])


class Window:
    """All events with `start` < seq <= `head`: what was before is forgotten when there is too much."""

    def __init__(self, start: int, events: int = EVENTS, size: int = BYTES) -> None:
        """Nothing is known yet of what comes after `start`."""
        self.start = self.head = start
        self._events, self._most = events, size
        self._told: list[Told] = []
        self._size = 0

    def add(self, told: Sequence[Told]) -> None:
        """Append the next events, without a gap."""
        if not told:
            return
        self._told += told
        self._size += sum(len(one.text) for one in told)
        self.head = told[-1].seq
        gone = 0
        while len(self._told) - gone > self._events or self._size > self._most:
            self._size -= len(self._told[gone].text)
            gone += 1
        if gone:
            self.start = self._told[gone - 1].seq
            del self._told[:gone]

    def after(self, seq: int) -> list[Told] | None:
        """Return the first events after a seq, [] if it is the newest; None if some of them are forgotten."""
        if seq < self.start:
            return None
        first = bisect_right(self._told, seq, key=_seq)
        return piece(self._told[first:])
