"""What a merchant decides about an invoice: a page that states the consequence, then the act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from watcher.api import invoices, merchant
from watcher.api.values import Seq  # noqa: TC001 - pydantic reads it
from watcher.apikeys import Scope
from watcher.drafts_merchant import AcceptDraft, CancelDraft, ExtendDraft
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.merchant import MESSAGES
from watcher.pages import actions_consequences as consequences
from watcher.pages import actions_once
from watcher.pages.actions_once import OnceForm, Typed
from watcher.pages.page import DASHBOARD, Pages
from watcher.rules import Act

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web
    from pydantic import BaseModel

    from watcher.api.context import Answer, Call
    from watcher.pages.visit import Visit

    Handler = Callable[[Call], Awaitable[Answer]]

pages = Pages()

INVOICE = f"{DASHBOARD}/invoices/{{id}}"

_GONE = 404
_MINUTE = 60
_UNPAID = "tick this as well: nothing has come, and the shop will deliver nevertheless"


class AcceptForm(OnceForm):
    """`sequence`: that of the invoice which the merchant saw."""

    sequence: Seq
    without_payment: Literal["yes"] | None = None


class ExtendForm(OnceForm):
    """`seconds` of a choice, or "other" and then `minutes`."""

    sequence: Seq
    seconds: Typed | None = None
    minutes: Typed | None = None


class CancelForm(OnceForm):
    """Nothing but what every act has."""

    sequence: Seq


@pages.add("GET", f"{INVOICE}/accept", scope=Scope.WRITE)
async def accept_asked(visit: Visit) -> web.StreamResponse:
    """Say what accepting means."""
    return await asked(visit, Act.ACCEPT)


@pages.add("POST", f"{INVOICE}/accept", scope=Scope.WRITE, form=AcceptForm)
async def accept(visit: Visit) -> web.StreamResponse:
    """Take what came as the whole payment."""
    fields = _seen(visit) | {"without_payment": visit.form.without_payment == "yes"}
    return await _decided(visit, Act.ACCEPT, merchant.accept, AcceptDraft, fields)


@pages.add("GET", f"{INVOICE}/extend", scope=Scope.WRITE)
async def extend_asked(visit: Visit) -> web.StreamResponse:
    """Offer later deadlines."""
    return await asked(visit, Act.EXTEND)


@pages.add("POST", f"{INVOICE}/extend", scope=Scope.WRITE, form=ExtendForm)
async def extend(visit: Visit) -> web.StreamResponse:
    """Move the deadline."""
    try:
        fields = _seen(visit) | {"seconds": _seconds(visit.form)}
    except Refused as refused:
        return await asked(visit, Act.EXTEND, refused)
    return await _decided(visit, Act.EXTEND, merchant.extend, ExtendDraft, fields)


@pages.add("GET", f"{INVOICE}/cancel", scope=Scope.WRITE)
async def cancel_asked(visit: Visit) -> web.StreamResponse:
    """Say what cancelling means."""
    return await asked(visit, Act.CANCEL)


@pages.add("POST", f"{INVOICE}/cancel", scope=Scope.WRITE, form=CancelForm)
async def cancel(visit: Visit) -> web.StreamResponse:
    """Withdraw the invoice."""
    return await _decided(visit, Act.CANCEL, merchant.cancel, CancelDraft, _seen(visit))


async def asked(visit: Visit, act: Act, refused: Refused | None = None, **more: Any) -> web.Response:
    """Return the page before an act: the invoice as it is now, what follows, and what was typed."""
    invoice = (await invoices.one(visit.call())).content
    explained = (await invoices.explained(visit.call())).content
    return visit.page(
        f"dashboard/action_{act}.html",
        refused.status if refused else 200,
        invoice=invoice,
        obstacle=obstacle(act, explained),
        consequence=_consequence(visit, act, invoice, explained),
        unpaid=consequences.is_unpaid(invoice),
        spans=consequences.spans(invoice, visit.context.clock()),
        **form(visit, refused),
        **more,
    )


def form(visit: Visit, refused: Refused | None) -> dict[str, Any]:
    """Return what every form needs: a key of its own, and after a refusal why, and what was typed."""
    typed = visit.form.model_dump(exclude_none=True) if visit.form else {}
    return {"once": actions_once.new_key(), "refused": refused, "typed": typed}


def obstacle(act: Act, explained: Mapping[str, Any]) -> str | None:
    """Return why an act is not possible now, in the rules' words; None where it is."""
    (found,) = (one for one in explained["actions"] if one["action"] == act)
    return None if found["possible"] else MESSAGES[found["code"]].format(status=explained["status"])


def may_decide(visit: Visit) -> bool:
    """Whether who is signed in may decide about invoices."""
    return visit.caller.scope.includes(Scope.WRITE)


def place(id_: str) -> str:
    """Return where an invoice is shown."""
    return INVOICE.format(id=id_)


def _consequence(
    visit: Visit, act: Act, invoice: Mapping[str, Any], explained: Mapping[str, Any]
) -> list[str]:
    match act:
        case Act.ACCEPT:
            return consequences.accept(invoice, explained["payments"], visit.chain_title)
        case Act.EXTEND:
            return consequences.extend()
        case Act.CANCEL:
            return consequences.cancel(invoice, visit.chain_title)
        case Act.REFUND:
            return []  # it depends on what is given back: the page after its form says it


async def _decided(
    visit: Visit, act: Act, handler: Handler, draft: type[BaseModel], fields: Mapping[str, Any]
) -> web.StreamResponse:
    """Decide, and show the invoice; or the form again with why not. The second time nothing happens."""
    try:
        await handler(actions_once.call(visit, draft, fields))
    except Replay:
        pass
    except Refused as refused:
        if refused.status == _GONE:
            raise
        return await asked(visit, act, _at_its_field(refused))
    return visit.redirect(f"{place(visit.id)}?done={act}")


def _at_its_field(refused: Refused) -> Refused:
    """Return a refusal in a form's words."""
    if refused.code == "nothing_received":
        return Refused(refused.code, _UNPAID, field="without_payment", status=refused.status)
    return refused


def _seen(visit: Visit) -> dict[str, Any]:
    return {"reason": visit.form.reason, "sequence": visit.form.sequence}


def _seconds(form: ExtendForm) -> int:
    """Return by how long; Refused names the field."""
    if form.seconds != "other":
        return _whole(form.seconds or "", "seconds", "choose one of the deadlines")
    minutes = _whole(form.minutes or "", "minutes", "is no whole number; write minutes, such as 90")
    if not 1 <= minutes <= consequences.MOST_MINUTES:
        message = f"is out of range; write 1 to {consequences.MOST_MINUTES} minutes (30 days)"
        raise Refused("invalid", message, field="minutes")
    return minutes * _MINUTE


def _whole(text: str, field: str, words: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(consequences.MOST_MINUTES)) + 2):
        raise Refused("invalid", words, field=field)
    return int(digits)
