"""One refund: what to sign elsewhere, how far it is, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from watcher.api import invoices, merchant
from watcher.api.values import Query
from watcher.apikeys import Scope
from watcher.drafts_merchant import DestinationDraft, SentDraft, WithdrawDraft
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.money import format_amount
from watcher.pages import actions_consequences as consequences
from watcher.pages import actions_once
from watcher.pages.actions import INVOICE, form, may_decide, place
from watcher.pages.actions_once import OnceForm, Typed
from watcher.pages.page import Pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pydantic import BaseModel

    from watcher.api.context import Answer, Call
    from watcher.pages.visit import Visit

    Handler = Callable[[Call], Awaitable[Answer]]

pages = Pages()

REFUND = f"{INVOICE}/refunds/{{refund_id}}"

_GONE = 404


class Done(Query):
    """`done`: what has just been done here."""

    done: Literal["refund", "sent", "address", "withdraw"] | None = None


class SentForm(OnceForm):
    """Which transaction sends it."""

    txid: Typed | None = None


class AddressForm(OnceForm):
    """Where it goes."""

    address: Typed | None = None


@pages.add("GET", REFUND, scope=Scope.READ, query=Done)
async def shown(visit: Visit) -> web.StreamResponse:
    """Show a refund with what to sign."""
    return visit.page("dashboard/refund.html", done=visit.query.done, **await _known(visit))


@pages.add("GET", f"{REFUND}/psbt", scope=Scope.READ)
async def psbt(visit: Visit) -> web.StreamResponse:
    """Send what to sign as a file that wallets open: the text is base64, as they all read it."""
    one = (await merchant.shown(visit.call())).content
    text = (one["unsigned"] or {}).get("psbt")
    if text is None:
        raise Refused("not_found", "there is no PSBT for this refund", status=_GONE)
    name = f'attachment; filename="{one["id"]}.psbt"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return web.Response(body=text.encode(), content_type="application/octet-stream", headers=headers)


@pages.add("GET", f"{REFUND}/sent", scope=Scope.WRITE)
async def sent_asked(visit: Visit) -> web.StreamResponse:
    """Ask which transaction sends it."""
    return await _asked(visit, "sent")


@pages.add("POST", f"{REFUND}/sent", scope=Scope.WRITE, form=SentForm)
async def sent(visit: Visit) -> web.StreamResponse:
    """Note which transaction sends it."""
    txid = (visit.form.txid or "").strip()
    return await _done(visit, "sent", merchant.sent, SentDraft, {"txid": txid})


@pages.add("GET", f"{REFUND}/address", scope=Scope.WRITE)
async def address_asked(visit: Visit) -> web.StreamResponse:
    """Ask where it goes."""
    return await _asked(visit, "address")


@pages.add("POST", f"{REFUND}/address", scope=Scope.WRITE, form=AddressForm)
async def address(visit: Visit) -> web.StreamResponse:
    """Change where it goes, and what to sign."""
    given = visit.form.address
    fields = {"address": given and given.strip()}
    return await _done(visit, "address", merchant.address, DestinationDraft, fields)


@pages.add("GET", f"{REFUND}/withdraw", scope=Scope.WRITE)
async def withdraw_asked(visit: Visit) -> web.StreamResponse:
    """Say what it means to take it back."""
    return await _asked(visit, "withdraw")


@pages.add("POST", f"{REFUND}/withdraw", scope=Scope.WRITE, form=OnceForm)
async def withdraw(visit: Visit) -> web.StreamResponse:
    """Take it back."""
    return await _done(visit, "withdraw", merchant.withdraw, WithdrawDraft, {})


async def _asked(visit: Visit, what: str, refused: Refused | None = None) -> web.Response:
    known = await _known(visit)
    return visit.page(
        f"dashboard/action_refund_{what}.html",
        refused.status if refused else 200,
        consequence=consequences.withdraw(known["refund"], visit.chain_title),
        **known,
        **form(visit, refused),
    )


async def _done(
    visit: Visit, what: str, handler: Handler, draft: type[BaseModel], fields: Mapping[str, Any]
) -> web.StreamResponse:
    """Do it and show the refund; or the form again with why not. The second time nothing happens."""
    try:
        await handler(actions_once.call(visit, draft, {**fields, "reason": visit.form.reason}))
    except Replay:
        pass
    except Refused as refused:
        if refused.status == _GONE:
            raise
        return await _asked(visit, what, refused)
    here = f"{place(visit.id)}/refunds/{visit.request.match_info['refund_id']}"
    return visit.redirect(f"{here}?done={what}")


async def _known(visit: Visit) -> dict[str, Any]:
    """Return what every page about a refund shows."""
    one = (await merchant.shown(visit.call())).content
    explained = (await invoices.explained(visit.call())).content
    (why,) = (each["why"] for each in explained["refunds"] if each["id"] == one["id"])
    decimals = visit.context.links.decimals(one["chain"], one["asset"])
    return {
        "invoice": (await invoices.one(visit.call())).content,
        "refund": one,
        "why": why,
        "units": lambda units: format_amount(units, decimals),
        "may": _may(one),
        "may_decide": may_decide(visit),
    }


def _may(one: Mapping[str, Any]) -> dict[str, bool]:
    """Return what can be done about a refund by its state, as watcher.merchant_refunds has it."""
    state, open_ = one["state"], one["state"] in {"requested", "sent"}
    return {
        "sent": open_ and one["address"] is not None,
        "address": state != "cancelled" and one["txid"] is None,
        "withdraw": open_,
    }
