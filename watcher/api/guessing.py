"""Brute force slowed: how many wrong keys or passwords an address may try, and how long it then has to wait.

Knows neither HTTP nor keys. Whoever knows the right one is never kept out: only failures are counted.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from watcher.api.remote import bucket

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES, WINDOW = 10, 60.0
"""So many failures at once, and again in so many seconds."""
ADDRESSES = 10_000
"""Remembered at most; the one that failed longest ago is forgotten first."""


class _Level(NamedTuple):
    """How full an address's bucket was at a moment: it leaks FAILURES in WINDOW seconds."""

    failures: float
    at: float


class Guessing:
    """The failures of every address, IPv6 by networks of 64 bits, in bounded memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = ADDRESSES) -> None:
        self._clock, self._most = clock, most
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def failed(self, address: str) -> int | None:
        """Count a failure. None while it is one of few, else the seconds after which the next one will be."""
        key, now = bucket(address), self._clock()
        before = self._levels.pop(key, _Level(0.0, now))
        left = max(0.0, before.failures - (now - before.at) * FAILURES / WINDOW)
        allowed = left + 1 <= FAILURES
        self._levels[key] = _Level(left + allowed, now)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return None if allowed else max(1, math.ceil((left + 1 - FAILURES) * WINDOW / FAILURES))
