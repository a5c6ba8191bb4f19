"""The list of invoices, those that need action first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher import explain_merchant, render
from watcher.api import invoices as api
from watcher.apikeys import Scope
from watcher.model import Exceptional, Status
from watcher.pages.invoices_query import VIEWS, ListQuery, address
from watcher.pages.page import DASHBOARD, Pages

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.api.context import ApiContext
    from watcher.pages.visit import Visit

pages = Pages()

ROWS = 50
"""Invoices on a page; of those that wait, as many stand above the first."""


@pages.add("GET", DASHBOARD, scope=Scope.READ, query=ListQuery)
async def shown(visit: Visit) -> web.StreamResponse:
    """Show what waits for the merchant, and the rest below, newest first; the filters hold for both."""
    asked = visit.query
    waiting = rest = None
    if asked.needs_action is not False and (asked.cursor is None or asked.needs_action):
        waiting = await _part(visit, needs_action=True, cursor=asked.cursor)
    if not asked.needs_action:
        rest = await _part(visit, needs_action=False, cursor=asked.cursor)
    return visit.page(
        "dashboard/invoices.html",
        asked=asked,
        waiting=waiting,
        rest=rest,
        views=_views(asked),
        choices=_choices(visit.context, asked),
        example=_example(visit.context),
        first=address(asked.fields()),
        all_waiting=address({**asked.fields(), "needs_action": "true"}),
    )


async def _part(visit: Visit, *, needs_action: bool, cursor: str | None) -> dict[str, Any]:
    """Return one page of those that wait, or of the others, and where the next page is."""
    links = visit.context.links
    query = visit.query.for_api(needs_action=needs_action, limit=ROWS, cursor=cursor)
    found = await api.find(visit.call(query))
    rows = [
        {**render.invoice(record, found.views, links), "waits": [*explain_merchant.waits(record, links)]}
        for record in found.records
    ]
    following = found.following and address(visit.query.fields(), found.following)
    return {"rows": rows, "next": following}


def _views(asked: ListQuery) -> list[dict[str, Any]]:
    fields = asked.fields()
    return [{"name": name, "place": address(view), "current": fields == view} for name, view in VIEWS.items()]


def _choices(context: ApiContext, asked: ListQuery) -> dict[str, list[str]]:
    """Return what can be chosen: what is configured, and what is asked for already."""
    assets = {asset.symbol for adapter in context.chains.values() for asset in adapter.assets()}
    return {
        "status": [*Status],
        "exception": [*Exceptional],
        "chain": sorted({*context.chains, *asked.chain}),
        "asset": sorted({*assets, *asked.asset}),
    }


def _example(context: ApiContext) -> tuple[str, str]:
    """Return a chain and an asset with which an invoice can be made."""
    first = next(((name, adapter.assets()[0].symbol) for name, adapter in context.chains.items()), None)
    return first or ("NAME", "SYMBOL")
