"""How many sends may be under way to each endpoint: a cap each, and a breaker for one that keeps failing.

Pure bookkeeping in memory; `now` is a monotonic number of seconds. Losing it costs a few extra attempts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FEW = 10
"""At most so many sends at once to an endpoint that nothing is known of."""
MOST = 50
"""At most so many to one that has shown by quick successes, one more for each, that it can take them."""
YOUNG = 50
"""At most so many sends below `SLOW` seconds of age at once: more would only queue in this process."""
TOTAL = 500
"""At most so many sends at once: each holds a socket."""
SLOW = 1.0
"""A send older than this no longer counts as young, so that slow shops do not use up everyone's room."""
BREAKS_AFTER = 5
"""After so many failures in a row an endpoint gets one probe at a time, `PROBE_EVERY` seconds apart."""
PROBE_EVERY = 1.0


@dataclass(slots=True)
class _Lane:
    flying: int = 0
    failures: int = 0
    quick: int = 0
    probe_at: float = 0.0


@dataclass(slots=True)
class Lanes:
    """The sends under way, by endpoint."""

    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _started: dict[str, float] = field(default_factory=dict)

    def room(self, endpoint: str, now: float) -> int:
        """Return how many more sends this endpoint may get now."""
        lane = self._lanes.get(endpoint)
        if lane is None:
            return FEW
        if lane.failures < BREAKS_AFTER:
            return max(0, min(MOST, FEW + lane.quick) - lane.flying)
        return int(lane.flying == 0 and now >= lane.probe_at)

    def free(self, now: float) -> int:
        """Return how many more sends may start now, to whichever endpoint."""
        young = sum(1 for started in self._started.values() if now - started < SLOW)
        return max(0, min(YOUNG - young, TOTAL - len(self._started)))

    def start(self, endpoint: str, token: str, now: float) -> None:
        """Note that a send began."""
        self._lanes.setdefault(endpoint, _Lane()).flying += 1
        self._started[token] = now

    def finish(self, endpoint: str, token: str, now: float, *, ok: bool) -> None:
        """Note that a send ended; one success closes the breaker."""
        lane = self._lanes[endpoint]
        lane.flying -= 1
        lane.failures = 0 if ok else lane.failures + 1
        lane.probe_at = now + PROBE_EVERY
        took = now - self._started.pop(token)
        lane.quick = min(MOST, lane.quick + 1) if ok and took < SLOW else 0
        if lane.flying == lane.failures == 0:
            del self._lanes[endpoint]

    def wait(self, endpoint: str, now: float) -> float:
        """Return the seconds until this endpoint may be probed again; infinite if time alone does nothing."""
        lane = self._lanes.get(endpoint)
        if lane is None or lane.failures < BREAKS_AFTER or lane.flying or now >= lane.probe_at:
            return math.inf
        return lane.probe_at - now
