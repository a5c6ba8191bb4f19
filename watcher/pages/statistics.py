"""How invoices ended and how long payers took, as tables and charts; exports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from watcher.api import export as export_api
from watcher.api import stats as stats_api
from watcher.apikeys import Scope
from watcher.buckets import Bucket
from watcher.pages import statistics_charts as charts
from watcher.pages.choices import chains_of
from watcher.pages.page import DASHBOARD, Pages
from watcher.pages.period import PeriodQuery, field
from watcher.pages.reports import report

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()


class StatisticsQuery(PeriodQuery):
    """Which invoices, and what stands together."""

    chain: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    bucket: Bucket = Bucket.DAY


class ExportForm(PeriodQuery):
    """What is exported, as GET /v1/export asks for it."""

    format: Literal["csv", "json"] = "csv"
    by: Literal["created", "paid"] = "created"


@pages.add("GET", f"{DASHBOARD}/statistics", scope=Scope.READ, query=StatisticsQuery)
async def shown(visit: Visit) -> web.StreamResponse:
    """Show the statistics."""
    asked: dict[str, Any] = visit.query.model_dump()
    bucket = asked.pop("bucket")
    whole = (await stats_api.statistics(visit.call(stats_api.StatsQuery(**asked)))).content
    over_time = (await stats_api.series(visit.call(stats_api.SeriesQuery(**asked, bucket=bucket)))).content
    chains = await chains_of(visit)
    titles = {chain["name"]: visit.chain_title(chain["name"]) for chain in chains}
    return report(
        visit,
        "dashboard/statistics.html",
        query=visit.query,
        after=field(visit.query.after),
        before=field(visit.query.before),
        chains=chains,
        assets=sorted({asset["symbol"] for chain in chains for asset in chain["assets"]}),
        buckets=list(Bucket),
        whole=whole,
        over_time=over_time,
        endings=charts.ENDINGS,
        times=charts.times(whole["total"]),
        outcomes=charts.outcomes(over_time),
        volume=charts.volume(over_time, titles),
        as_json=json.dumps,
    )


@pages.add("GET", f"{DASHBOARD}/export", scope=Scope.READ, query=ExportForm)
async def exported(visit: Visit) -> web.StreamResponse:
    """Send the export as the API does."""
    given = visit.query.model_dump(exclude_none=True)
    sent: web.StreamResponse = await export_api.exported(visit.call(export_api.ExportQuery(**given)))
    return sent
