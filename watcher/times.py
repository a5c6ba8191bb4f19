"""A moment as people and programs write it: RFC 3339, read strictly."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def read_time(value: object) -> datetime:
    """Return an RFC 3339 time in UTC. A "+" that became a space in an address line is forgiven."""
    text = re.sub(r" (\d\d:\d\d)$", r"+\1", value) if isinstance(value, str) else ""
    if not _TIME.fullmatch(text):
        raise ValueError("must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no moment in the calendar") from None
