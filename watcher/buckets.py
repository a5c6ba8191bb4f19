"""Days, weeks and months in UTC: in which one a moment lies, and which follows. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MORE_THAN_A_MONTH = timedelta(days=32)


class Bucket(StrEnum):
    """How much time stands together. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start(self, moment: datetime) -> datetime:
        """Return when the bucket of a moment begins."""
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        match self:
            case Bucket.DAY:
                return day
            case Bucket.WEEK:
                return day - day.weekday() * _DAY
            case Bucket.MONTH:
                return day.replace(day=1)

    def following(self, start: datetime) -> datetime:
        """Return when the bucket after the one that begins then begins."""
        match self:
            case Bucket.DAY:
                return start + _DAY
            case Bucket.WEEK:
                return start + _WEEK
            case Bucket.MONTH:
                return self.start(start + _MORE_THAN_A_MONTH)
