"""Times in words, in the languages that we speak; in any other, in figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class _Language:
    """`units`: day, hour and minute, each for one and for several; `one` says which numbers are singular."""

    units: tuple[tuple[str, str], ...]
    one: Callable[[int], bool]
    joint: str
    moments: str
    months: tuple[str, ...]
    date: str
    first: str

    def amount(self, number: int, unit: int) -> str:
        singular, plural = self.units[unit]
        return f"{number} {singular if self.one(number) else plural}"


_ENGLISH = _Language(
    units=(("day", "days"), ("hour", "hours"), ("minute", "minutes")),
    one=lambda number: number == 1,
    joint=" and ",
    moments="less than a minute",
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    date="{day} {month} {year}, {time} UTC",
    first="1",
)  # fmt: skip
_FRENCH = _Language(
    units=(("jour", "jours"), ("heure", "heures"), ("minute", "minutes")),
    one=lambda number: number < 2,  # noqa: PLR2004 - nought is singular, too (CLDR)
    joint=" et ",
    moments="moins d’une minute",  # noqa: RUF001 - the apostrophe of French
    months=(
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    date="{day} {month} {year} à {time} UTC",
    first="1er",
)  # fmt: skip
_LANGUAGES = {"en": _ENGLISH, "fr": _FRENCH}
_FIGURES = ("d", "h", "min")


def parts(left: timedelta) -> tuple[int, int, int]:
    """Return whole days, hours and minutes: never more time than there is."""
    seconds = max(int(left.total_seconds()), 0)
    return seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE


def time_left(left: timedelta, language: str) -> str:
    """Return the two largest units that are there: "1 day and 3 hours"; elsewhere "1 d 3 h"."""
    known = _known(language)
    there = [(number, unit) for unit, number in enumerate(parts(left)) if number][:2]
    if known is None:
        return " ".join(f"{number} {_FIGURES[unit]}" for number, unit in there) or "< 1 min"
    return known.joint.join(known.amount(number, unit) for number, unit in there) or known.moments


def date(moment: datetime, language: str) -> str:
    """Return a moment to the minute before it, in UTC; elsewhere "2026-11-22 13:00 UTC"."""
    known, utc = _known(language), moment.astimezone(UTC)
    if known is None:
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    day = known.first if utc.day == 1 else str(utc.day)
    month = known.months[utc.month - 1]
    return known.date.format(day=day, month=month, year=utc.year, time=f"{utc:%H:%M}")


def _known(language: str) -> _Language | None:
    return _LANGUAGES.get(language.partition("-")[0])
