"""Which of several endpoints lag, and which are on another fork than the rest. Pure.

Forks are compared well below the heads, where honest nodes do not differ. How far an endpoint may be behind
is measured in time: what the others had a while ago, it has to have now, however fast the chain is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chains.rpc_node import Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAGGING = "lagging"
DISAGREES = "disagrees"

BEHIND = 2
"""Blocks that an endpoint may lack of what another had a GRACE ago."""
GRACE = 60.0
"""Seconds."""
DEEP = 6
"""Blocks below its head at which an endpoint's chain is compared: shorter forks are everyday life."""
HOLD = 600.0
"""Seconds for which an endpoint that a majority contradicted stays refused, if nobody speaks for it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one endpoint answered: its head, and hashes by height, down from its `mark`.

    `earlier` is the head that it had a GRACE ago, None if that is not known.
    """

    url: str
    head: int
    hashes: Mapping[int, str] = field(default_factory=dict)
    earlier: int | None = None

    @property
    def mark(self) -> int:
        """The height at which it is compared."""
        return mark(self.head)


def mark(head: int) -> int:
    """Return the height at which an endpoint with this head is compared with the others."""
    return max(0, head - DEEP)


def judge(sights: Sequence[Sight], now: float) -> list[Verdict | None]:
    """Return what is wrong with each endpoint, in their order; None: nothing."""
    found = _disagreements(sights, now)
    sound = [each for place, each in enumerate(sights) if place not in found]
    return [found.get(place) or _lag(each, sound, now) for place, each in enumerate(sights)]


def vouched(sight: Sight, others: Sequence[Sight]) -> bool:
    """Tell whether another endpoint shows the same chain."""
    return any(
        other.hashes.get(height) == hash_
        for other in others
        if other is not sight
        for height, hash_ in sight.hashes.items()
    )


def held(old: Verdict | None, now: float) -> bool:
    """Tell whether a majority's verdict still stands, although there is no majority to repeat it."""
    return old is not None and old.use is Use.NEVER and now - old.at < HOLD


def _disagreements(sights: Sequence[Sight], now: float) -> dict[int, Verdict]:
    """Return by place who differs, lowest height first: a fork shows at each height above its beginning."""
    found: dict[int, Verdict] = {}
    for height in sorted({each.mark for each in sights}):
        votes = {
            place: each.hashes[height]
            for place, each in enumerate(sights)
            if place not in found and height in each.hashes
        }
        if len(set(votes.values())) > 1:
            winner = _majority(votes)
            for place in [place for place, hash_ in votes.items() if hash_ != winner]:
                use = Use.FREELY if winner is None else Use.NEVER
                found[place] = Verdict(DISAGREES, _contradiction(sights, place, height, votes), use, now)
    return found


def _majority(votes: Mapping[int, str]) -> str | None:
    hash_, times = Counter(votes.values()).most_common(1)[0]
    return hash_ if times * 2 > len(votes) else None


def _contradiction(sights: Sequence[Sight], place: int, height: int, votes: Mapping[int, str]) -> str:
    others: dict[str, list[str]] = {}
    for other, hash_ in votes.items():
        if hash_ != votes[place]:
            others.setdefault(hash_, []).append(sights[other].url)
    said = ", ".join(f"{hash_} at {' and '.join(urls)}" for hash_, urls in others.items())
    return f"{sights[place].url}: block {height} is {votes[place]} here, {said}"


def _lag(sight: Sight, sound: Sequence[Sight], now: float) -> Verdict | None:
    """Hold an endpoint against those that are ahead of it on its own chain."""
    here = sight.hashes.get(sight.mark)
    ahead = [
        each
        for each in sound
        if here is not None
        and each.hashes.get(sight.mark) == here
        and each.earlier is not None
        and min(each.earlier, each.head) - sight.head > BEHIND
    ]
    if not ahead:
        return None
    best = max(ahead, key=lambda each: each.head)
    reason = f"{sight.url}: at block {sight.head}, {best.head - sight.head} behind {best.url}"
    return Verdict(LAGGING, reason, Use.LAST, now)
