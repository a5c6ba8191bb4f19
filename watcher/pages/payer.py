"""An invoice as its payer sees it: how to pay it, and what became of the payment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pydantic import ConfigDict

from watcher.api import pay
from watcher.api.values import Query
from watcher.pages import payer_view, qr
from watcher.pages.page import Pages
from watcher.pages.visit import LANGUAGE
from watcher.payer_feed import version
from watcher.render import moment

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

_OPTION = "option"


class ChoiceQuery(Query):
    """`option`: the number of the way to pay. Other parameters are passed over: messengers add their own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    option: str | None = None


@pages.add("GET", "/i/{id}", query=ChoiceQuery)
async def shown(visit: Visit) -> web.StreamResponse:
    """Show the invoice; nothing but what a payer may see reaches the template."""
    invoice = (await pay.invoice(visit.call())).content
    now = visit.context.clock()
    view = payer_view.view(invoice, now, visit.query.option)
    return visit.page(
        "payer.html",
        invoice=invoice,
        view=view,
        now=moment(now),
        version=version(invoice),
        code=qr.code(view.option["uri"]) if view.asks and view.option["uri"] else None,
        way=lambda place: _link(visit, place),
        keep=f"&{_OPTION}={view.chosen + 1}" if visit.query.option else "",
    )


def _link(visit: Visit, place: int) -> str:
    """Return this page with another way to pay, in the language that was chosen by hand."""
    language = visit.request.query.get(LANGUAGE)
    return "?" + urlencode(({LANGUAGE: language} if language else {}) | {_OPTION: place + 1})
