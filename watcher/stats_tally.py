"""What invoices add up to: how many ended how, how long payers took, and the time that would do. Pure.

Seconds are whole and rounded up; shares are percentages as decimal text that add up to 100 exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from watcher.model import Status
from watcher.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PERCENTILES = (50, 75, 90, 95, 99)
CAUGHT = 99
"""Percent of those who paid in full that the suggested time would have caught."""
ENOUGH = 20
"""Invoices paid in full from which on a time is suggested: of fewer, one alone would decide it."""
SHORTEST, LONGEST = 60, 2_592_000
"""What `expires_in` may be."""
BOUNDS = (
    *(15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200),
    *(14_400, 28_800, 86_400, 172_800, 604_800, LONGEST),
)
"""Seconds: where the spans of a distribution end, each about twice the one before."""

_SECOND = 1_000_000
_ENDINGS = {
    Status.PENDING: "open",
    Status.PARTIAL: "open",
    Status.CONFIRMING: "open",
    Status.PAID: "paid",
    Status.UNDERPAID: "underpaid",
    Status.EXPIRED: "expired",
    Status.REFUNDING: "refunded",
    Status.REFUNDED: "refunded",
    Status.CANCELLED: "cancelled",
}
ENDINGS = tuple(dict.fromkeys(_ENDINGS.values()))
"""Every invoice is exactly one of these now."""


@dataclass(slots=True)
class Tally:
    """Invoices counted one by one. `first` and `full`: microseconds from creation to those payments."""

    endings: Counter[str] = field(default_factory=Counter)
    late: int = 0
    first: list[int] = field(default_factory=list)
    full: list[int] = field(default_factory=list)

    def add(self, status: str, *, late: bool, first: int | None, full: int | None) -> None:
        """Count one invoice."""
        self.endings[_ENDINGS[Status(status)]] += 1
        self.late += late
        if first is not None:
            self.first.append(first)
        if full is not None:
            self.full.append(full)

    def merge(self, other: Tally) -> None:
        """Count what another one counted."""
        self.endings += other.endings
        self.late += other.late
        self.first += other.first
        self.full += other.full

    def counts(self) -> dict[str, int]:
        """Return how many there are, and how they stand."""
        counts = {name: self.endings[name] for name in ENDINGS}
        return {"created": sum(counts.values()), **counts, "late": self.late}

    def shown(self, expires_in: int) -> dict[str, Any]:
        """Return it as the API shows it; `expires_in` is the present default."""
        seconds, reason = suggestion(self.full)
        return {
            **self.counts(),
            "shares": shares({name: self.endings[name] for name in ENDINGS}),
            "first_payment": percentiles(self.first),
            "full_payment": percentiles(self.full),
            "distribution": distribution(self.full),
            "suggested_expires_in": seconds,
            "no_suggestion": reason,
            "default_expires_in": caught(self.full, expires_in),
        }


def percentiles(spans: Sequence[int]) -> dict[str, int | None]:
    """Return the nearest-rank percentiles of spans of microseconds in seconds, and how many they rest on."""
    ordered = sorted(spans)
    found = {f"p{p}": seconds(nearest(ordered, p)) if ordered else None for p in PERCENTILES}
    return {"of": len(ordered), **found}


def distribution(spans: Sequence[int]) -> list[dict[str, Any]]:
    """Return how many spans of microseconds end at each bound or before, but after the one before it.

    `share`: of all, that many percent took at most so long. The last has no bound.
    """
    counts = Counter(bisect_left(BOUNDS, seconds(span)) for span in spans)
    found, sofar = [], 0
    for place, bound in enumerate((*BOUNDS, None)):
        sofar += counts[place]
        share = shares({"in": sofar, "out": len(spans) - sofar})["in"] if spans else None
        found.append({"up_to": bound, "count": counts[place], "share": share})
    return found


def nearest(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest of the spans that at least so many percent of them do not exceed."""
    return ordered[max(1, -(-percent * len(ordered) // 100)) - 1]


def seconds(span: int) -> int:
    """Return microseconds as the least number of whole seconds that is not shorter."""
    return -(-span // _SECOND)


def suggestion(spans: Sequence[int]) -> tuple[int | None, str | None]:
    """Return the shortest time that would have caught 99 % of those who paid, or None and why."""
    if len(spans) < ENOUGH:
        were = "was" if len(spans) == 1 else "were"
        return None, f"{len(spans)} {were} paid in full; a suggestion needs {ENOUGH}"
    needed = seconds(nearest(sorted(spans), CAUGHT))
    if needed > LONGEST:
        return None, f"it would take {needed} s; expires_in is at most {LONGEST}"
    return max(SHORTEST, needed), None


def caught(spans: Sequence[int], expires_in: int) -> dict[str, Any]:
    """Return how many of those who paid in full would have been in time with this `expires_in`."""
    inside = sum(span <= expires_in * _SECOND for span in spans)
    share = shares({"in": inside, "out": len(spans) - inside})["in"] if spans else None
    return {"seconds": expires_in, "caught": inside, "of": len(spans), "share": share}


def shares(counts: Mapping[str, int]) -> dict[str, str]:
    """Return each count's percentage, two decimals; what rounding leaves goes to the largest remainders."""
    whole = sum(counts.values())
    if not whole:
        return dict.fromkeys(counts, "0")
    parts = {name: divmod(10_000 * count, whole) for name, count in counts.items()}
    spare = 10_000 - sum(part for part, _ in parts.values())
    most = sorted(parts, key=lambda name: -parts[name][1])[:spare]
    return {name: format_amount(part + (name in most), 2) for name, (part, _) in parts.items()}
