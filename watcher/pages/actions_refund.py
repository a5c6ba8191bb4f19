"""Promising money back: what and where to, then a page that states the consequence, then the promise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from watcher.api import invoices, merchant
from watcher.api.requests import check
from watcher.api.values import Seq  # noqa: TC001 - pydantic reads it
from watcher.apikeys import Scope
from watcher.drafts_merchant import RefundDraft
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.matcher_rules import NOT_RECEIVED
from watcher.pages import actions_consequences as consequences
from watcher.pages import actions_once
from watcher.pages.actions import INVOICE, asked, form, place
from watcher.pages.actions_once import OnceForm, Typed
from watcher.pages.page import Pages
from watcher.rules import Act

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

_GONE = 404


class RefundForm(OnceForm):
    """What to give back. `asset`: which, as "asset chain"; `confirmed`: the consequence was read."""

    sequence: Seq
    asset: Typed | None = None
    amount: Typed | None = None
    address: Typed | None = None
    confirmed: Literal["yes"] | None = None


@pages.add("GET", f"{INVOICE}/refund", scope=Scope.WRITE)
async def refund_asked(visit: Visit) -> web.StreamResponse:
    """Ask what to give back."""
    return await _asked(visit)


@pages.add("POST", f"{INVOICE}/refund", scope=Scope.WRITE, form=RefundForm)
async def refund(visit: Visit) -> web.StreamResponse:
    """Say what it means; once that was confirmed, promise it and show what to sign."""
    try:
        if visit.form.confirmed:
            return await _promised(visit)
        return await _previewed(visit)
    except Refused as refused:
        if refused.status == _GONE:
            raise
        return await _asked(visit, refused)


async def _asked(visit: Visit, refused: Refused | None = None) -> web.Response:
    explained = (await invoices.explained(visit.call())).content
    invoice = (await invoices.one(visit.call())).content
    known = {option["refund_address"] for option in invoice["options"]} - {None}
    return await asked(
        visit,
        Act.REFUND,
        refused,
        coins=_coins(explained),
        known=known.pop() if len(known) == 1 else None,
    )


async def _previewed(visit: Visit) -> web.Response:
    """Return the page that states the consequence: nothing has happened yet."""
    draft = check(RefundDraft, _fields(visit), "field")
    invoice = (await invoices.one(visit.call())).content
    planned = await visit.context.refunds.preview(visit.id, draft)
    return visit.page(
        "dashboard/action_refund_confirm.html",
        invoice=invoice,
        planned=planned,
        consequence=consequences.refund(invoice, planned, visit.chain_title),
        **form(visit, None),
    )


async def _promised(visit: Visit) -> web.Response:
    try:
        answer = await merchant.refund(actions_once.call(visit, RefundDraft, _fields(visit)))
        id_ = answer.content["id"]
    except Replay as replay:
        id_ = json.loads(replay.stored.body)["id"]
    return visit.redirect(f"{place(visit.id)}/refunds/{id_}?done=refund")


def _fields(visit: Visit) -> dict[str, Any]:
    given = visit.form
    asset, _, chain = (given.asset or "").partition(" ")
    fields = {
        "reason": given.reason,
        "sequence": given.sequence,
        "asset": asset or None,
        "chain": chain or None,
        "amount": given.amount and given.amount.strip(),
        "address": given.address and given.address.strip(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _coins(explained: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each asset that came, with its chain."""
    came = (p for p in explained["payments"] if p["rule"] not in NOT_RECEIVED)
    return list(dict.fromkeys((p["asset"], p["chain"]) for p in came))
