"""From a payment link's template, and what its payer chose, to the invoice that is asked for. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from watcher.drafts import InvoiceDraft, OptionDraft, TermsDraft
from watcher.drafts_link import Limits
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.drafts_link import LinkDraft, LinkOptionDraft, OpeningDraft


def draft(template: LinkDraft, options: Sequence[OptionDraft], **payer: Any) -> InvoiceDraft:
    """Return an invoice with the template's terms; `payer` are the fields that the payer fills."""
    given = template.model_dump(exclude_unset=True, include=set(TermsDraft.model_fields))
    ways = [one.model_dump(exclude_unset=True) for one in options]
    said = {name: value for name, value in payer.items() if value is not None}
    return InvoiceDraft.model_validate({**given, **said, "options": ways})


def fixed(option: LinkOptionDraft, amount: str | None = None, **more: Any) -> OptionDraft:
    """Return a way to pay with the link's amount, or with the one that the payer chose."""
    asked = amount if isinstance(option.amount, Limits) else option.amount
    said = {name: value for name, value in more.items() if value is not None}
    return OptionDraft.model_validate({"chain": option.chain, "asset": option.asset, "amount": asked, **said})


def chosen(template: LinkDraft, ways: Sequence[LinkOptionDraft], wanted: OpeningDraft) -> InvoiceDraft:
    """Return the invoice that a payer asks for; Refused names the field that is wrong.

    `ways` are those of the template that can be paid now.
    """
    options = _offered(ways, wanted)
    _check_amount(template, options, wanted)
    if wanted.refund_address is not None and len(options) > 1:
        raise _unclear("an address belongs to one chain", options)
    return draft(
        template,
        [fixed(one, wanted.amount, refund_address=wanted.refund_address) for one in options],
        customer_email=wanted.customer_email,
        language=wanted.language,
    )


def _offered(ways: Sequence[LinkOptionDraft], wanted: OpeningDraft) -> list[LinkOptionDraft]:
    for field in ("chain", "asset"):
        word = getattr(wanted, field)
        if word is not None and not any(getattr(one, field) == word for one in ways):
            message = f"{word!r} is not offered; there is: {_list(ways)}"
            raise Refused("not_offered", message, field=field)
    found = [one for one in ways if wanted.chain in {None, one.chain} and wanted.asset in {None, one.asset}]
    if not found:
        message = f"{wanted.asset} on {wanted.chain} is not offered; there is: {_list(ways)}"
        raise Refused("not_offered", message, field="asset")
    return found


def _check_amount(template: LinkDraft, options: Sequence[LinkOptionDraft], wanted: OpeningDraft) -> None:
    if not template.payer_chooses:
        if wanted.amount is not None:
            raise Refused("amount_fixed", "is fixed by this link; leave it out", field="amount")
        return
    if wanted.amount is None:
        raise Refused("amount_needed", 'is left to you; write it, such as "25.50"', field="amount")
    if len({one.asset for one in options}) > 1:
        raise _unclear("the amount is another one in each asset", options)
    for one in options:
        check_within(wanted.amount, one.amount)


def check_within(amount: str, limits: object) -> None:
    """Refuse an amount outside its limits; where there are none, every amount will do."""
    if isinstance(limits, Limits) and not Decimal(limits.min) <= Decimal(amount) <= Decimal(limits.max):
        message = f"has to lie between {limits.min} and {limits.max}"
        raise Refused("amount_out_of_range", message, field="amount")


def _unclear(reason: str, options: Sequence[LinkOptionDraft]) -> Refused:
    field = "asset" if len({one.asset for one in options}) > 1 else "chain"
    return Refused("choice_needed", f"choose one: {reason}; there is: {_list(options)}", field=field)


def _list(ways: Sequence[LinkOptionDraft]) -> str:
    return ", ".join(f"{one.asset} on {one.chain}" for one in ways)
