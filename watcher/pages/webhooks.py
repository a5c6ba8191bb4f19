"""Endpoints of webhooks: which there are, how each does, and what takes no thought: test it, enable it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from watcher.api import deliveries as sent
from watcher.api import webhooks as api
from watcher.api.deliveries import DeliveryQuery, DeliveryState
from watcher.api.values import MAX_PAGE, PageQuery, Whole
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.model import EVENT_FILTERS
from watcher.pages.page import DASHBOARD, Pages
from watcher.receivers import EndpointPatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

PATH = f"{DASHBOARD}/webhooks"
ONE = f"{PATH}/{{id}}"


class SentQuery(PageQuery):
    """Which of an endpoint's deliveries. `replayed`: how many were just put in line again."""

    state: tuple[DeliveryState, ...] = ()
    replayed: Whole | None = None


@pages.add("GET", PATH, scope=Scope.READ, query=PageQuery)
async def listing(visit: Visit) -> web.StreamResponse:
    """List the endpoints, but for the invoices' own."""
    found = (await api.listing(visit.call(visit.query))).content
    return visit.page("dashboard/webhooks.html", found=found, **neighbours(visit, found), **rights(visit))


@pages.add("GET", ONE, scope=Scope.READ, query=SentQuery)
async def one(visit: Visit) -> web.StreamResponse:
    """Show an endpoint with what was sent to it."""
    return await shown(visit, visit.query)


@pages.add("POST", f"{ONE}/test", scope=Scope.ADMIN)
async def test(visit: Visit) -> web.StreamResponse:
    """Send it a test, and show what comes of that."""
    try:
        answer = await api.test(visit.call())
    except Refused as refused:
        return await shown(visit, SentQuery(), refused)
    return visit.redirect(f"{DASHBOARD}/deliveries/{answer.content['delivery_id']}")


@pages.add("POST", f"{ONE}/enable", scope=Scope.ADMIN)
async def enable(visit: Visit) -> web.StreamResponse:
    """Take it into use again: what waits is sent."""
    try:
        await api.change(visit.call(body=EndpointPatch(state="active")))
    except Refused as refused:
        return await shown(visit, SentQuery(), refused)
    return visit.redirect(f"{PATH}/{visit.id}")


async def shown(visit: Visit, query: SentQuery, refused: Refused | None = None) -> web.Response:
    """Return an endpoint's page; with what was refused of it, if something was."""
    hook = (await api.one(visit.call())).content
    wanted = DeliveryQuery(webhook_id=(visit.id,), **query.model_dump(exclude={"replayed"}))
    found = (await sent.listing(visit.call(wanted))).content
    status = refused.status if refused else 200
    return visit.page(
        "dashboard/webhook.html",
        status,
        hook=hook,
        found=found,
        state=query.state[0] if query.state else None,
        replayed=query.replayed,
        refused=refused,
        here=str(visit.request.rel_url) if refused is None else f"{PATH}/{visit.id}",
        **neighbours(visit, found),
        **rights(visit),
    )


async def known(visit: Visit) -> dict[str, str]:
    """Return where each endpoint is, by its id: the first page of them, to name them by."""
    found = (await api.listing(visit.call(PageQuery(limit=MAX_PAGE)))).content["data"]
    return {hook["id"]: hook["url"] for hook in found}


def names(text: str) -> list[str]:
    """Return what stands behind each other in a field: names of events, or of chains."""
    return re.findall(r"[^\s,]+", text)


def choices(visit: Visit) -> dict[str, Any]:
    """Return what such a field may hold."""
    return {"filters": EVENT_FILTERS, "chains": sorted(visit.context.chains)}


def neighbours(visit: Visit, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the next page of a list is, and the first, where this is not it."""
    here = visit.request.rel_url
    return {
        "older": here.update_query(cursor=found["next"]) if found["next"] else None,
        "newest": here.without_query_params("cursor") if "cursor" in here.query else None,
    }


def rights(visit: Visit) -> dict[str, Any]:
    """Return what templates ask before they show a button: whether it would be refused."""
    return {"is_admin": visit.caller.scope.includes(Scope.ADMIN)}
