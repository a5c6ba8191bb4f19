"""Blocks that no endpoint could give: how often that was tried, and when it is time to go on without them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from chains.base import BlocksMissing, BlockUnreadable
from watcher.model import GapReason, Hole

if TYPE_CHECKING:
    from datetime import datetime

    from chains.base import NodeUnavailable
    from watcher.model import Clock

TRIES = 3
"""How often each endpoint is asked, at least, before a block is left for later."""
PATIENCE = timedelta(seconds=60)
"""For how long, at least: a node that is ill for a moment costs no more than that moment."""


class Unread:
    """The blocks of one chain that could not be read; in memory, so that a restart tries them again."""

    def __init__(self, endpoints: int, clock: Clock) -> None:
        """`endpoints` of the chain, each of which has its chances."""
        self._tries = TRIES * max(1, endpoints)
        self._clock = clock
        self._failures: defaultdict[int, list[datetime]] = defaultdict(list)
        self._holes: dict[int, Hole] = {}

    def note(self, error: NodeUnavailable) -> None:
        """Count a failure that names its blocks; after enough of them they are a hole."""
        hole = _hole(error)
        if hole is None:
            return
        failures = self._failures[hole.first]
        failures.append(self._clock())
        if len(failures) >= self._tries and failures[-1] - failures[0] >= PATIENCE:
            self._holes[hole.first] = hole

    def at(self, height: int, limit: int) -> Hole | None:
        """Return the hole in which `height` lies, from there up to `limit`."""
        for hole in self._holes.values():
            if hole.first <= height <= hole.last:
                return replace(hole, first=height, last=min(hole.last, limit))
        return None

    def last_before(self, first: int, last: int) -> int:
        """Return up to where the blocks from `first` on can be asked for: no further than the next hole."""
        return min([last, *(start - 1 for start in self._holes if first < start <= last)])

    def forget(self, hole: Hole) -> None:
        """Forget what has become a gap: from now on the gap's reader cares for it."""
        self._holes = {first: each for first, each in self._holes.items() if each.last > hole.last}
        self._failures.pop(hole.first, None)


def _hole(error: NodeUnavailable) -> Hole | None:
    match error:
        case BlocksMissing():
            return Hole(error.first, error.last, GapReason.MISSING, str(error))
        case BlockUnreadable():
            return Hole(error.height, error.height, GapReason.QUARANTINED, str(error))
        case _:
            return None
