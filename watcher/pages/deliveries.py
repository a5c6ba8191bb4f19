"""What was sent to the endpoints: what they were told, what they answered, and sending it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from watcher.api import deliveries as api
from watcher.api.deliveries import DeliveryQuery
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.pages import webhooks
from watcher.pages.page import DASHBOARD, Pages
from watcher.untrusted import readable

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

PATH = f"{DASHBOARD}/deliveries"
ONE = f"{PATH}/{{id}}"


@pages.add("GET", PATH, scope=Scope.READ, query=DeliveryQuery)
async def listing(visit: Visit) -> web.StreamResponse:
    """List deliveries, newest first."""
    found = (await api.listing(visit.call(visit.query))).content
    return visit.page(
        "dashboard/deliveries.html",
        found=found,
        query=visit.query,
        hooks=await webhooks.known(visit),
        **webhooks.neighbours(visit, found),
    )


@pages.add("GET", ONE, scope=Scope.READ)
async def one(visit: Visit) -> web.StreamResponse:
    """Show a delivery with its body and every attempt."""
    return await _shown(visit)


@pages.add("POST", f"{ONE}/redeliver", scope=Scope.ADMIN)
async def redeliver(visit: Visit) -> web.StreamResponse:
    """Send it again, and show what comes of that."""
    try:
        await api.redeliver(visit.call())
    except Refused as refused:
        return await _shown(visit, refused)
    return visit.redirect(f"{PATH}/{visit.id}")


async def _shown(visit: Visit, refused: Refused | None = None) -> web.Response:
    found = (await api.one(visit.call())).content
    return visit.page(
        "dashboard/delivery.html",
        refused.status if refused else 200,
        one=found,
        pretty=_seen(json.dumps(json.loads(found["body"]), indent=2, ensure_ascii=False)),
        raw=_seen(found["body"]),
        refused=refused,
        here=f"{PATH}/{visit.id}",
        **webhooks.rights(visit),
    )


def _seen(text: str) -> str:
    """Return text with whatever hides as an escape: what a payer wrote may turn the rest of a line around."""
    return readable(text.encode())
