"""How many sends may be under way to each receiver: a cap each, and a breaker for one that keeps failing.

A receiver is an endpoint. The invoices' own URLs are one for each host and port: one shop's URLs must not get
the room of many shops. Pure bookkeeping in memory; `now` is a monotonic number of seconds. Losing it costs a
few extra attempts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FIRST = 2
"""At most so many sends at once to a receiver that nothing is known of, or that just failed."""
FEW = 10
"""At most so many to one whose last answer was a success, however slow."""
MOST = 50
"""At most so many to one that has shown by quick successes, one more for each, that it can take them."""
YOUNG = 200
"""At most so many sends below `SLOW` seconds of age at once: more would only queue in this process."""
TOTAL = 500
"""At most so many sends at once: each holds a socket."""
DOUBTFUL = 300
"""At most so many at once to receivers whose last answer was no quick success: the others keep the rest."""
PAUSE = 1.0
"""After so many seconds without a send a receiver begins with FIRST again: it may hang by now."""
SLOW = 1.0
"""A send older than this no longer counts as young, so that slow shops do not use up everyone's room."""
BREAKS_AFTER = 5
"""After so many failures in a row a receiver gets one probe at a time, `PROBE_EVERY` seconds apart."""
PROBE_EVERY = 1.0
KEPT = 1000
"""So many receivers are remembered while nothing is under way to them; more only as long as they fail."""


def receiver(endpoint_id: str, url: str, *, own: bool) -> str:
    """Return whose room an endpoint's sends take: its own, or for an invoice's `own` URL that of its host."""
    return _host(url) if own else endpoint_id


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    """Return the host and port that a URL leads to; itself where it is no URL: its sender tells."""
    try:
        parsed = URL(url)
    except ValueError:
        return url
    return f"{parsed.host}:{parsed.port}"


@dataclass(slots=True)
class _Lane:
    """`starts`: when each send under way began. `quick`: quick successes since the last pause or failure."""

    starts: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    quick: int = 0
    answered: bool = False
    ended_at: float = -math.inf

    def is_well(self, now: float) -> bool:
        """Whether the last answer was a quick success, and nothing is slow at this moment."""
        return self.quick > 0 and now - next(iter(self.starts.values()), now) < SLOW

    def cap(self, now: float) -> int:
        if self.is_well(now):
            return FIRST if self.is_idle(now) else min(MOST, FIRST + self.quick)
        return FEW if self.answered else FIRST

    def is_idle(self, now: float) -> bool:
        return not self.starts and now - self.ended_at > PAUSE


@dataclass(slots=True)
class Lanes:
    """The sends under way, by receiver."""

    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _after: str = ""

    def room(self, receiver: str, now: float) -> int:
        """Return how many more sends this receiver may get now."""
        lane = self._lanes.get(receiver)
        if lane is None:
            return FIRST
        if lane.failures < BREAKS_AFTER:
            return max(0, lane.cap(now) - len(lane.starts))
        return int(not lane.starts and now >= lane.ended_at + PROBE_EVERY)

    def free(self, now: float) -> int:
        """Return how many more sends may start now, to whichever receiver."""
        starts = [start for lane in self._lanes.values() for start in lane.starts.values()]
        young = sum(1 for start in starts if now - start < SLOW)
        return max(0, min(YOUNG - young, TOTAL - len(starts)))

    def share(self, due: Mapping[str, Sequence[str]], now: float) -> dict[str, int]:
        """Return the room of endpoints that may be sent to now, in the order of their turns.

        `due`: the endpoints of each receiver, the first to go first. The receivers take turns, and each time
        the one after the last that was offered something begins.
        """
        names = sorted(due)
        turned = [name for name in names if name > self._after] + [n for n in names if n <= self._after]
        doubtful = DOUBTFUL - sum(len(x.starts) for x in self._lanes.values() if not x.is_well(now))
        free = self.free(now)
        offers: list[list[tuple[str, str, int]]] = []
        for name in turned:
            if len(offers) == free:
                break  # one for each of these is all that there is: the others need not be asked
            room = self.room(name, now)
            if not self._is_well(name, now):
                room = max(0, min(room, doubtful))
                doubtful -= room
            if room:
                offers.append([(name, endpoint, part) for endpoint, part in _split(room, due[name])])
        rounds = chain.from_iterable(zip_longest(*offers))
        offered = [one for one in rounds if one is not None][:free]
        self._after = offered[-1][0] if offered else self._after
        return {endpoint: part for _, endpoint, part in offered}

    def _is_well(self, receiver: str, now: float) -> bool:
        lane = self._lanes.get(receiver)
        return lane is not None and lane.is_well(now)

    def start(self, receiver: str, token: str, now: float) -> None:
        """Note that a send began."""
        lane = self._lanes.setdefault(receiver, _Lane())
        if lane.is_idle(now):
            lane.quick = min(lane.quick, 1)
        lane.starts[token] = now

    def finish(self, receiver: str, token: str, now: float, *, ok: bool) -> None:
        """Note that a send ended; one success closes the breaker."""
        lane = self._lanes[receiver]
        took = now - lane.starts.pop(token)
        lane.failures = 0 if ok else lane.failures + 1
        lane.answered = ok
        lane.ended_at = now
        lane.quick = min(MOST, lane.quick + 1) if ok and took < SLOW else 0
        if not lane.starts and not lane.failures and len(self._lanes) > KEPT:
            del self._lanes[receiver]

    def wait(self, receiver: str, now: float) -> float:
        """Return the seconds until this receiver may be probed again; infinite if time alone does nothing."""
        lane = self._lanes.get(receiver)
        if lane is None or lane.failures < BREAKS_AFTER or lane.starts:
            return math.inf
        wait = lane.ended_at + PROBE_EVERY - now
        return wait if wait > 0 else math.inf


def _split(room: int, endpoints: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Share a receiver's room among its endpoints, evenly; those that get none wait for another turn."""
    sharing = endpoints[:room]
    for place, endpoint in enumerate(sharing):
        yield endpoint, room // len(sharing) + (place < room % len(sharing))
