"""Payment links: the list, one of them, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from watcher.api import invoices as invoices_api
from watcher.api import links as api
from watcher.api.invoices import InvoiceQuery
from watcher.api.values import Flag  # noqa: TC001 - pydantic reads it
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.pages.page import DASHBOARD, Pages
from watcher.pages.period import Given, PagedQuery
from watcher.pages.reports import report

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

LINKS = f"{DASHBOARD}/links"


class LinksQuery(PagedQuery):
    """Those that are there, or those that were removed."""

    removed: Annotated[Flag | None, Given] = None


@pages.add("GET", LINKS, scope=Scope.READ, query=LinksQuery)
async def listed(visit: Visit) -> web.StreamResponse:
    """List the links that are there, or those that were removed."""
    asked = api.LinkQuery.model_construct(
        cursor=visit.query.cursor, limit=visit.query.limit, removed=bool(visit.query.removed)
    )
    found = (await api.listing(visit.call(asked))).content
    return report(visit, "dashboard/links.html", links=found["data"], next=found["next"], query=visit.query)


@pages.add("GET", LINKS + "/{id}", scope=Scope.READ, query=PagedQuery)
async def one(visit: Visit) -> web.StreamResponse:
    """Show a link with what became of its invoices, and one page of these."""
    link = await _link(visit)
    asked = InvoiceQuery(link_id=[link["id"]], cursor=visit.query.cursor, limit=visit.query.limit)
    found = (await invoices_api.listed(visit.call(asked))).content
    return report(
        visit,
        "dashboard/link.html",
        link=link,
        invoices=found["data"],
        next=found["next"],
        query=visit.query,
    )


@pages.add("GET", LINKS + "/{id}/remove", scope=Scope.WRITE)
async def asked(visit: Visit) -> web.StreamResponse:
    """Say what removing a link means, and ask."""
    return report(visit, "dashboard/link_remove.html", link=await _link(visit))


@pages.add("POST", LINKS + "/{id}/remove", scope=Scope.WRITE)
async def removed(visit: Visit) -> web.StreamResponse:
    """Remove a link. One that was removed meanwhile is as it was wanted."""
    link = await _link(visit)
    try:
        await api.remove(visit.call())
    except Refused as refused:
        if refused.code != "not_found":
            raise
    return visit.redirect(f"{LINKS}/{link['id']}")


async def _link(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = (await api.one(visit.call())).content
    return found
