"""What the charts of the statistics draw, from what the API tells. Pure.

Amounts stay the API's decimal text; the script turns them into numbers only to know how tall a bar is.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watcher.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CHARTED = 400
"""Buckets that a chart shows, at most: the newest. Tables have them all."""

ENDINGS = ("paid", "underpaid", "expired", "refunded", "cancelled", "open")
"""From the bottom of the bars to their top."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: int) -> str:
    """Return seconds as people say them: "1 h 30 min"."""
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def times(tally: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how long payers took, and where the deadlines lie among them; None while nobody has paid.

    `edges` are what separates the `counts`, so there is one more; `at` counts from the first edge.
    """
    spans: Sequence[Mapping[str, Any]] = tally["distribution"]
    bounds = [one["up_to"] for one in spans[:-1]]
    marks = _marks(tally, bounds)
    used = [place for place, one in enumerate(spans) if one["count"]]
    if not used:
        return None
    places = [*used, *(int(mark["at"]) for mark in marks)]
    low, high = min(places), min(max(places) + 1, len(spans))
    edges = ["0 s", *map(span, bounds), "longer"]
    return {
        "edges": edges[low : high + 1],
        "counts": [one["count"] for one in spans[low:high]],
        "shares": [one["share"] for one in spans[low:high]],
        "marks": [{**mark, "at": mark["at"] - low} for mark in marks],
    }


def _marks(tally: Mapping[str, Any], bounds: Sequence[int]) -> list[dict[str, Any]]:
    deadlines = (
        ("suggested", tally["suggested_expires_in"]),
        ("default", tally["default_expires_in"]["seconds"]),
    )
    return [
        {"name": name, "label": f"{name}: {span(seconds)}", "at": _at(seconds, bounds)}
        for name, seconds in deadlines
        if seconds is not None
    ]


def _at(seconds: int, bounds: Sequence[int]) -> float:
    """Return where a time lies among the bounds, by its logarithm between the two that are next to it."""
    place = bisect_left(bounds, seconds)
    if place == len(bounds):
        return place + 0.5
    upper = bounds[place]
    lower = bounds[place - 1] if place else upper / 2
    return place + max(0.0, math.log(seconds / lower) / math.log(upper / lower))


def outcomes(series: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the invoices of each bucket ended, those without any included; None without invoices."""
    known = {one["start"]: one for one in series["invoices"]}
    starts = _every(known, series["bucket"])
    if not starts:
        return None
    return {
        "bucket": series["bucket"],
        "starts": [_seconds(start) for start in starts],
        "series": [
            {"name": name, "values": [known[start][name] if start in known else 0 for start in starts]}
            for name in ENDINGS
        ],
    }


def volume(series: Mapping[str, Any], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what came of each asset in each bucket; `titles` is what people call the chains."""
    found = []
    for one in series["volume"]:
        amounts = {point["start"]: point["amount"] for point in one["points"]}
        starts = _every(amounts, series["bucket"])
        found.append(
            {
                "name": f"{one['asset']} on {titles.get(one['chain'], one['chain'])}",
                "asset": one["asset"],
                "amount": one["amount"],
                "bucket": series["bucket"],
                "starts": [_seconds(start) for start in starts],
                "values": [amounts.get(start, "0") for start in starts],
            }
        )
    return found


def _every(starts: Iterable[str], bucket: str) -> list[str]:
    """Return the beginning of each bucket from the first to the last of these, at most the newest few."""
    known = sorted(starts)
    if not known:
        return []
    found, last, step = [datetime.fromisoformat(known[0])], datetime.fromisoformat(known[-1]), Bucket(bucket)
    while found[-1] < last:
        found.append(step.following(found[-1]))
    return [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in found[-CHARTED:]]


def _seconds(start: str) -> int:
    return int(datetime.fromisoformat(start).timestamp())
