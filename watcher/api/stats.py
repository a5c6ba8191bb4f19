"""Statistics over HTTP: how invoices ended, and how long their payers took."""

from __future__ import annotations

from pydantic import Field

from watcher import stats, stats_series
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_reports import Series, Statistics
from watcher.api.values import Query, Time
from watcher.buckets import Bucket

routes = Routes()


class StatsQuery(Query):
    """Invoices by the time of their creation, and by the chain and asset that they belong to."""

    after: Time | None = Field(default=None, description="Made at this moment or later.")
    before: Time | None = Field(default=None, description="Made before this moment.")
    chain: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()


@routes.add("GET", "/v1/stats", query=StatsQuery, answer=Statistics)
async def statistics(call: Call) -> Answer:
    """Tell how invoices ended, how long payers took, per chain and asset, and which deadline would do."""
    wanted = stats.StatsFilter(**call.query.model_dump())
    expires_in = call.context.settings.invoices.expires_in
    async with call.context.reports, call.context.store.read() as conn:
        return Answer(await stats.statistics(conn, wanted, expires_in))


class SeriesQuery(StatsQuery):
    """Invoices by the time of their creation, money by that of its block, and both by chain and asset."""

    after: Time | None = Field(default=None, description="Made, or mined, at this moment or later.")
    before: Time | None = Field(default=None, description="Made, or mined, before this moment.")
    bucket: Bucket = Bucket.DAY


@routes.add("GET", "/v1/stats/series", query=SeriesQuery, answer=Series)
async def series(call: Call) -> Answer:
    """Tell of each day, week or month how its invoices ended, and how much money of each asset came."""
    asked = call.query.model_dump()
    bucket = asked.pop("bucket")
    async with call.context.reports, call.context.store.read() as conn:
        found = await stats_series.series(conn, stats.StatsFilter(**asked), bucket, call.context.links)
    return Answer(found)
