"""How much one caller may ask for, and how much is done at once. Knows no resource.

What is refused here is told when to come again. Nothing of it concerns the Unix socket.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 1
"""Seconds after which to come again: by then every rate has let one more through."""
CALLERS = 10_000
"""Callers that are remembered at once, some 500 bytes each."""


class Buckets:
    """A bucket for each caller, from which every request takes one drop; the longest idle is forgotten first.

    `rate`: drops a second, and as many that a full bucket holds; 0 refuses nobody.
    """

    def __init__(self, rate: int, most: int = CALLERS) -> None:
        """Start with every bucket full."""
        self._rate = rate
        self._most = most
        self._buckets: dict[str, AsyncLimiter] = {}

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._buckets)

    async def take(self, caller: str) -> bool:
        """Take one drop without waiting for it; False if there is none."""
        if not self._rate:
            return True
        bucket = self._buckets.pop(caller, None) or AsyncLimiter(self._rate, 1)
        self._buckets[caller] = bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        there = bucket.has_capacity()
        if there:
            await bucket.acquire()
        return there


class Limits:
    """The limits of one server. `rate` and `public_rate` are requests a second, each 0 for any number."""

    def __init__(self, rate: int = 0, public_rate: int = 0, concurrency: int = 0) -> None:
        """Start with nobody known and nothing under way."""
        self._keys = Buckets(rate)
        self._addresses = Buckets(public_rate)
        self._concurrency = concurrency
        self.under_way = 0

    async def key(self, id_: str) -> None:
        """Count a request of an API key; Refused (429) when it asks too fast."""
        if not await self._keys.take(id_):
            raise Refused("rate_limited", "this key asks too often", status=429, retry_after=SOON)

    async def address(self, name: str) -> None:
        """Count a request that shows no key, of an address; Refused (429) when it asks too fast."""
        if not await self._addresses.take(name):
            raise Refused("rate_limited", "this address asks too often", status=429, retry_after=SOON)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Hold a place among what is done at once; Refused (503) when there is none."""
        if self._concurrency and self.under_way >= self._concurrency:
            message = f"{self._concurrency} requests are under way already"
            raise Refused("busy", message, status=503, retry_after=SOON)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
