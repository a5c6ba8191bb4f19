"""One invoice with its time line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from watcher.api import events, invoices
from watcher.api.values import MAX_PAGE, Query
from watcher.apikeys import Scope
from watcher.pages import invoice_timeline as timeline
from watcher.pages import sandbox
from watcher.pages.actions import INVOICE, may_decide, obstacle
from watcher.pages.page import Pages
from watcher.rules import Act

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

MOST = 200
"""Payments, and entries of the story, that a page shows: the newest. The API has all."""


class Done(Query):
    """`done`: what has just been decided."""

    done: Literal["accept", "extend", "cancel"] | None = None


@pages.add("GET", INVOICE, scope=Scope.READ, query=Done)
async def shown(visit: Visit) -> web.StreamResponse:
    """Show everything about an invoice, and what can be done."""
    explained = (await invoices.explained(visit.call())).content
    invoice = (await invoices.one(visit.call())).content
    bodies = await _bodies(visit, explained["events"])
    return visit.page(
        "dashboard/invoice.html",
        invoice=invoice,
        explained=explained,
        metadata={name: _text(value) for name, value in invoice["metadata"].items()},
        timeline=timeline.entries(explained, bodies),
        most=MOST,
        obstacles={act.value: obstacle(act, explained) for act in Act},
        to_send=[one for one in explained["refunds"] if one["state"] == "requested"],
        may_decide=may_decide(visit),
        simulate=await sandbox.simulation(visit, invoice),
        done=visit.query.done,
    )


async def _bodies(visit: Visit, known: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what the newest events carry, by their identifiers."""
    if not known:
        return {}
    after = known[-MAX_PAGE:][0]["seq"] - 1
    wanted = events.EventsQuery(after=after, invoice_id=(visit.id,), limit=MAX_PAGE)
    found = (await events.listing(visit.call(wanted))).content["data"]
    return {event["id"]: event["data"] for event in found}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
