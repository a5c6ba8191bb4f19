"""Statistics over time: how the invoices of each day, week or month ended, and what money came then.

Buckets in which nothing happened are left out.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from watcher.render import moment
from watcher.stats import grouped, is_late
from watcher.stats_tally import Tally
from watcher.stats_volume import volume

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.buckets import Bucket
    from watcher.render import Links
    from watcher.stats import StatsFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
"""Microseconds."""


async def series(conn: AsyncConnection, wanted: StatsFilter, bucket: Bucket, links: Links) -> dict[str, Any]:
    """Return both series as the API shows them."""
    return {
        "bucket": bucket.value,
        "invoices": await _outcomes(conn, wanted, bucket),
        "volume": (await volume(conn, wanted, bucket, links)).shown(),
    }


async def _outcomes(conn: AsyncConnection, wanted: StatsFilter, bucket: Bucket) -> list[dict[str, Any]]:
    """Count the invoices by the day of their creation first: that is quick, and each day has one bucket."""
    days: defaultdict[int, Tally] = defaultdict(Tally)
    async for row, _ in grouped(conn, wanted):
        days[row.created // _DAY].add(row.status, late=is_late(row), first=None, full=None)
    buckets: defaultdict[datetime, Tally] = defaultdict(Tally)
    for day, tally in days.items():
        buckets[bucket.start(_EPOCH + timedelta(days=day))].merge(tally)
    return [{"start": moment(start), **buckets[start].counts()} for start in sorted(buckets)]
