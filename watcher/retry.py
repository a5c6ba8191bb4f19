"""When a failed delivery is tried again. Pure: the time and the randomness are arguments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""The wait after each failed attempt. CONTRACT, Events: eleven attempts in all, the first at once."""

HOLDING_ATTEMPTS = 3
"""For so many attempts a failing event holds back the later events of its invoice."""

LONGEST_RETRY_AFTER = timedelta(hours=24)
_JITTER = 0.1
_DIGITS = 9  # more of a header says no more than "very long"


def next_attempt(
    attempts: int, now: datetime, random: float, retry_after: timedelta | None
) -> datetime | None:
    """Return the moment of the next attempt after `attempts` failed ones, None when there is none left.

    `random` is from [0, 1) and spreads the wait by a tenth to each side. `retry_after`, the receiver's wish,
    lengthens the wait, to 24 hours at most, and never shortens it.
    """
    if attempts > len(DELAYS):
        return None
    wait = DELAYS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * random)
    return now + max(wait, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))


def longest_hold(attempts: int) -> timedelta:
    """Return how long after its latest attempt a failed event may hold back the later ones of its invoice.

    By then the last of the holding attempts would have been made, had the receiver not wished to wait longer.
    """
    return sum(DELAYS[attempts - 1 : HOLDING_ATTEMPTS - 1], timedelta(0)) * (1 + _JITTER)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read the header: seconds or an HTTP date (RFC 9110, 10.2.3); None for anything else."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:_DIGITS])), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter: numbers that no clock has
        return None
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, timedelta(0))
