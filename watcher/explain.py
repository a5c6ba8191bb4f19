"""Why an invoice has its status: a sentence for each rule, status and exception. Pure; decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher import explain_merchant, render
from watcher.matcher_rules import Rule
from watcher.model import Exceptional, Finality, PaymentStatus, Status
from watcher.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.facts import Record
    from watcher.model import Option, Payment, Resolution, Sums, View

RULES: Mapping[Rule, str] = {
    Rule.IN_TIME: "Counted: it arrived by the deadline.",
    Rule.LATE_ACCEPTED: "Counted: it arrived late, and this invoice accepts late money.",
    Rule.ACCEPTED: "Counted: it arrived late, and the merchant accepted the invoice afterwards.",
    Rule.AFTER_PAID: "Counted as excess: the invoice was funded before it arrived.",
    Rule.LATE_HELD: "Not counted: it arrived after the deadline and waits for the merchant's decision.",
    Rule.AFTER_MONITORING: "Not counted: it arrived after the time for late money; the merchant decides.",
    Rule.AFTER_CANCELLED: "Not counted: the invoice was cancelled; the merchant decides about this money.",
    Rule.AFTER_REFUNDED: "Not counted: it came after the refund; the merchant decides about this money.",
    Rule.WRONG_ASSET: "Not counted: the invoice does not ask for this asset on this chain.",
    Rule.UNATTRIBUTED: "Not counted: the balance grew, and no transfer that can be seen explains it.",
    Rule.BEFORE_INVOICE: "Not counted: it reached the address before the invoice was made.",
    Rule.DUST: "Not counted: it is below the asset's dust limit.",
    Rule.REPLACED: "Not counted: another transaction spent the same coins in its place.",
    Rule.DROPPED: "Not counted: the node no longer knows the transaction.",
    Rule.REORGANISED: "Not counted: its block left the chain, and the new branch does not hold it.",
}

STATUSES: Mapping[Status, str] = {
    Status.PENDING: "Nothing that counts was seen, and the deadline has not passed on every chain.",
    Status.PARTIAL: "Something was seen, but not enough, and the deadline has not passed on every chain.",
    Status.CONFIRMING: "Enough was seen; not enough of it is confirmed.",
    Status.PAID: "Enough is confirmed.",
    Status.UNDERPAID: "The deadline passed on every chain with something, but not enough.",
    Status.EXPIRED: "The deadline passed on every chain with nothing that counts.",
    Status.REFUNDING: "The merchant chose to refund; the transaction is not confirmed.",
    Status.REFUNDED: "The merchant's refund is confirmed.",
    Status.CANCELLED: "The merchant cancelled it while nothing was seen.",
}

EXCEPTIONS: Mapping[Exceptional, str] = {
    Exceptional.OVERPAID: "More came than was asked for.",
    Exceptional.LATE: "Money came after the deadline.",
    Exceptional.REVERTED: "Its status once fell, because money that had been seen went away again.",
    Exceptional.WRONG_ASSET: "An asset came that it does not ask for.",
    Exceptional.ACCEPTED: "The merchant accepted it as it was.",
}

RISKS: Mapping[str, str] = {
    "replaceable": "its sender may replace it while it is unconfirmed (BIP-125)",
    "low_fee": "its fee is too low to be mined soon",
    "unconfirmed_parent": "it spends coins that are unconfirmed themselves",
}
"""Why an unconfirmed payment has to be in a block although 0 confirmations are asked for."""

_ACCEPTED = "The merchant accepted it."


def explanation(record: Record, views: Mapping[str, View], links: render.Links) -> dict[str, Any]:
    """Return the status with its reasons, each payment with its rule, what was decided and what can be."""
    return {
        "invoice_id": record.invoice.id,
        "status": record.decision.status,
        "reasons": [*_reasons(record, views)],
        "payments": [_payment(p, record, views, links) for p in record.decision.payments],
        "decisions": [_decision(resolution) for resolution in record.resolutions],
        "refunds": explain_merchant.refunds(record),
        "policies": [*explain_merchant.policies(record.invoice)],
        "waits": [*explain_merchant.waits(record, links)],
        "actions": explain_merchant.actions(record),
    }


def _reasons(record: Record, views: Mapping[str, View]) -> Iterator[str]:
    decision = record.decision
    accepted = decision.status is Status.PAID and Exceptional.ACCEPTED in decision.exceptions
    yield _ACCEPTED if accepted else STATUSES[decision.status]
    for option, sums in zip(record.invoice.options, decision.options, strict=True):
        yield _sums(option, sums)
    for exceptional in decision.exceptions:
        yield EXCEPTIONS[exceptional]
    yield f"The deadline is {render.moment(decision.deadline)}."
    for chain in dict.fromkeys(option.chain for option in record.invoice.options):
        view = views.get(chain)
        proven = f"block {view.head.height}, {render.moment(view.as_of)}" if view else "nothing yet"
        yield f"{chain} is read and proven up to {proven}."


def _sums(option: Option, sums: Sums) -> str:
    def text(units: int) -> str:
        return format_amount(units, option.decimals)

    line = (
        f"{option.asset} on {option.chain}: {text(sums.seen)} of {text(option.expected)} seen,"
        f" {text(sums.confirmed)} confirmed; at least {text(option.minimum)} counts as paid"
    )
    if sums.missing:
        line += f"; {text(sums.missing)} missing"
    return f"{line}; {text(sums.excess)} above the amount." if sums.excess else f"{line}."


def _payment(one: Payment, record: Record, views: Mapping[str, View], links: render.Links) -> dict[str, Any]:
    why = RULES[Rule(one.rule)]
    if one.counted and one.status is PaymentStatus.PENDING:
        why += f" Not confirmed yet: {_needs(one, record)}."
    shown = render.payment(one, views.get(one.deposit.chain), links, record.invoice.options)
    return {**shown, "counted": one.counted, "rule": one.rule, "why": why}


def _needs(one: Payment, record: Record) -> str:
    if isinstance(one.required, Finality):
        return f"its block has to be {one.required}"
    asked = None if one.option is None else record.invoice.options[one.option].confirmations
    if asked == 0 and one.required == 1:
        risk = one.deposit.risk or ""
        return f"it has to be in a block, because {RISKS.get(risk, risk)}"
    return f"{one.required} confirmations are needed"


def _decision(resolution: Resolution) -> dict[str, Any]:
    return {
        "kind": resolution.kind,
        "at": render.moment(resolution.at),
        "by": resolution.by,
        "reason": resolution.reason,
        "until": render.moment(resolution.until),
    }
