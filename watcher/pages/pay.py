"""A payment link as its payer sees it: the offer, and the form that makes an invoice."""

from __future__ import annotations

import secrets
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from pydantic import ConfigDict, Field
from sqlalchemy import select

from watcher import idempotency
from watcher.api.requests import check
from watcher.api.values import Query
from watcher.drafts_link import OpeningDraft
from watcher.errors import Refused
from watcher.model import Status
from watcher.pages.page import Form, Pages
from watcher.pages.pay_shown import Shown
from watcher.pages.visit import LANGUAGE
from watcher.tables import INVOICE

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.idempotency import Idempotency
    from watcher.pages.visit import Visit

pages = Pages()

PATH = "/pay/{id}"

SENT = "sent"
"""The form goes to an address of its own: a browser forgets a page to whose address something is sent."""
_KEPT = "private, no-cache"
"""The way back shows the form as it was sent, key and all; every other way asks for a new one."""
_BYTES = 16

_Field = Annotated[str, Field(max_length=1000)]


class PayQuery(Query):
    """Parameters are passed over: messengers add their own."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class OpeningForm(Form):
    """What a payer fills. `once` comes from the page: a form that is sent again makes nothing again.

    `way`: "ethereum/USDC". The rest is checked as in the API, so that the form can be shown again.
    """

    once: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")] | None = None
    way: Annotated[str, Field(pattern=r"^[^/]+/.", max_length=200)] | None = None
    amount: _Field | None = None
    customer_email: _Field | None = None
    refund_address: _Field | None = None


@pages.add("GET", PATH, query=PayQuery)
async def offered(visit: Visit) -> web.StreamResponse:
    """Show what a link offers. Makes nothing."""
    return await _page(visit, OpeningForm(once=secrets.token_urlsafe(_BYTES)))


@pages.add("POST", PATH, query=PayQuery, form=OpeningForm)
async def opened(visit: Visit) -> web.StreamResponse:
    """Make an invoice and show it; show the form again where that is refused."""
    said = _said(visit.form)
    try:
        draft = check(OpeningDraft, {**said, "language": visit.language.code}, "field")
        made = await visit.context.payment_links.open(visit.id, draft, _idempotency(visit, said))
    except idempotency.Replay as replay:
        made = msgspec.json.decode(replay.stored.body)
        if await _is_over(visit, made["id"]):
            return visit.redirect(f"{visit.request.path}{_query(visit)}")
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            raise
        return await _page(visit, visit.form, refused)
    return visit.redirect(f"/i/{made['id']}{_query(visit)}")


def _said(form: OpeningForm) -> dict[str, str]:
    """Return the fields as the API reads them, without the spaces that come with copying."""
    given = {name: value.strip() for name, value in form.model_dump(exclude_none=True).items()}
    chain, _, asset = given.pop("way", "").partition("/")
    given.pop("once", None)
    return given | ({"chain": chain, "asset": asset} if chain else {})


def _idempotency(visit: Visit, said: dict[str, str]) -> Idempotency | None:
    """Return what makes a form recognisable that is sent again; another choice in it is another request."""
    if visit.form.once is None:
        return None
    draft = OpeningDraft.model_validate(said)
    path, now = visit.request.path, visit.context.clock()
    found = idempotency.read("", path, f"page:{visit.form.once}", draft, now, "once")
    return replace(found, key=f"{found.key}:{found.request_hash}")


def _query(visit: Visit, **more: str) -> str:
    """Return a query that keeps the language that was chosen by hand."""
    chosen = {LANGUAGE: visit.language.code} if LANGUAGE in visit.request.query else {}
    query = urlencode(more | chosen)
    return query and f"?{query}"


async def _is_over(visit: Visit, id_: str) -> bool:
    """Whether nobody can pay that invoice any more: who comes back to its form then needs a new one."""
    async with visit.context.store.read() as conn:
        status = await conn.scalar(select(INVOICE.c.status).where(INVOICE.c.id == id_))
    return status in {Status.EXPIRED, Status.CANCELLED}


async def _page(visit: Visit, form: OpeningForm, refused: Refused | None = None) -> web.StreamResponse:
    offer: dict[str, Any] = await visit.context.payment_links.offer(visit.id)
    shown = Shown(offer, form.model_dump(), refused, visit.language)
    status, action = refused.status if refused else HTTPStatus.OK, _query(visit, **{SENT: "1"})
    response = visit.page("pay.html", status, offer=offer, shown=shown, action=action)
    response.headers["Cache-Control"] = _KEPT
    if refused is not None and refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response
