"""Whether a payment link can make invoices: its template is tried as strictly as an invoice is made."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from watcher.drafts_link import Limits
from watcher.errors import Refused
from watcher.links_choice import draft, fixed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from watcher.drafts import InvoiceDraft
    from watcher.drafts_link import LinkDraft, LinkOptionDraft

    Try = Callable[[InvoiceDraft], Awaitable[object]]
    Ways = Sequence[tuple[str, LinkOptionDraft]]


async def check(template: LinkDraft, attempt: Try) -> None:
    """Try every invoice that differs: all ways at once, or each asset at both its limits.

    `attempt` raises Refused where an invoice cannot be; raised again, it names the field of the template.
    """
    if not template.payer_chooses:
        await _try(template, template.ways(), "", attempt)
        return
    _check_limits(template.ways())
    for bound in ("min", "max"):
        for asset in dict.fromkeys(one.asset for _, one in template.ways()):
            same = [(prefix, one) for prefix, one in template.ways() if one.asset == asset]
            await _try(template, same, bound, attempt)


def _check_limits(ways: Ways) -> None:
    for prefix, one in ways:
        if isinstance(one.amount, Limits) and Decimal(one.amount.min) > Decimal(one.amount.max):
            message = f"is above max, which is {one.amount.max}"
            raise Refused("invalid_limits", message, field=f"{prefix}amount.min")


async def _try(template: LinkDraft, ways: Ways, bound: str, attempt: Try) -> None:
    options = [fixed(one, getattr(one.amount, bound, None)) for _, one in ways]
    try:
        await attempt(draft(template, options))
    except Refused as refused:
        raise _renamed(refused, ways, bound) from None


def _renamed(refused: Refused, ways: Ways, bound: str) -> Refused:
    """Return what was refused about the invoice as what is wrong with the template."""
    field, message = refused.field, refused.message
    first, _, rest = (field or "").partition(".")
    if first == "options" and rest:
        number, _, name = rest.partition(".")
        prefix, one = ways[int(number)]
        if refused.code == "address_needed":
            name = "chain"
            message = f"{one.chain} has no xpub to take an address from, and each opening needs a new one"
        field = f"{prefix}{name}" + (f".{bound}" if bound and name == "amount" else "")
    return Refused(refused.code, message, field=field, status=refused.status)
