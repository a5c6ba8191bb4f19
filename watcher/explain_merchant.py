"""What a merchant can do about an invoice, what waits for it, and what happens by itself: in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher import render
from watcher.model import (
    ExcessPolicy,
    LatePolicy,
    RefundState,
    ReturnPolicy,
    Status,
)
from watcher.money import format_amount, format_percent
from watcher.refunds import LIVE, OPEN, purses
from watcher.rules import TABLE, Act, Condition, accepted_at, obstacle
from watcher.waiting import excess_waits, settles_itself, unsettled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.facts import Record
    from watcher.model import Invoice, Payment, Refund

CONDITIONS: Mapping[Condition, str] = {
    Condition.ALWAYS: "at any time",
    Condition.WITHOUT_PAYMENT: "with without_payment",
    Condition.UNDECIDED: "while money waits for a decision",
    Condition.RECEIVED: "what is confirmed and not given back",
    Condition.IDLE: "what is confirmed and of no use to it",
    Condition.UNSEEN: "while nothing was seen",
}
"""What an act takes, as the README has it."""

LATE: Mapping[LatePolicy, str] = {
    LatePolicy.HOLD: "Late money waits for the merchant.",
    LatePolicy.ACCEPT: "Late money counts while late payments are matched; later it waits for the merchant.",
    LatePolicy.REFUND: "The refund of late money is requested once it is confirmed.",
}
UNDERPAID: Mapping[ReturnPolicy, str] = {
    ReturnPolicy.HOLD: "Too little at the deadline waits for the merchant.",
    ReturnPolicy.REFUND: "The refund of too little is requested once all of it is confirmed.",
}
OVERPAID: Mapping[ExcessPolicy, str] = {
    ExcessPolicy.KEEP: "Too much is told, and waits for nobody.",
    ExcessPolicy.HOLD: "Too much waits for the merchant.",
    ExcessPolicy.REFUND: "The refund of what is too much is requested once it is confirmed.",
}
WRONG_ASSET: Mapping[ReturnPolicy, str] = {
    ReturnPolicy.HOLD: "Another asset waits for the merchant.",
    ReturnPolicy.REFUND: "The refund of another asset is requested once it is confirmed.",
}

_UNDECIDED = frozenset({Status.PENDING, Status.PARTIAL, Status.CONFIRMING})


def policies(invoice: Invoice) -> Iterator[str]:
    """Yield what happens by itself."""
    policy = invoice.policy
    yield UNDERPAID[policy.underpaid]
    if policy.accept_share is not None:
        share = format_percent(policy.accept_share)
        yield f"With at least {share} % of the amount confirmed it is accepted at the deadline."
    if policy.extend:
        yield f"While enough is seen but not in a block, the deadline moves by {policy.extend} seconds."
    yield OVERPAID[policy.overpaid]
    yield WRONG_ASSET[policy.wrong_asset]
    yield LATE[invoice.late]


def waits(record: Record, links: render.Links) -> Iterator[str]:
    """Yield what the merchant has to decide or to do: nothing exactly if the invoice needs no action."""
    invoice, decision, at = record.invoice, record.decision, accepted_at(record)
    for refund in decision.refunds:
        if refund.state is RefundState.REQUESTED:
            yield f"Refund {refund.id} of {_money(refund)}: {_to_do(refund)}"
    for payment in unsettled(invoice, decision, at):
        yield f"{_deposit(payment, links)} waits for a decision: accept it, or give it back."
    if decision.status is Status.UNDERPAID and not settles_itself(invoice, decision):
        yield "Too little came: accept it, give it back, or extend the deadline."
    if excess_waits(invoice, decision, at):
        yield "Too much came: accept it, or give the excess back."


def _deposit(payment: Payment, links: render.Links) -> str:
    deposit = payment.deposit
    amount = format_amount(deposit.amount, links.decimals(deposit.chain, deposit.asset))
    return f"{amount} {deposit.asset} on {deposit.chain} ({deposit.txid})"


def _money(refund: Refund) -> str:
    return f"{format_amount(refund.amount, refund.decimals)} {refund.asset} on {refund.chain}"


def refunds(record: Record) -> list[dict[str, Any]]:
    """Return each refund, with what is known of it and what is to come."""
    return [{**render.refund(one), "why": _why(one)} for one in record.decision.refunds]


def _why(refund: Refund) -> str:
    match refund.state:
        case RefundState.REQUESTED:
            return _to_do(refund)
        case RefundState.SENT:
            needed = f"{refund.confirmations} confirmations" if _is_number(refund) else refund.confirmations
            return f"Its transaction is looked for on the chain, and has to be as deep as {needed}."
        case RefundState.CONFIRMED:
            return "Its transaction is on the chain, deep enough, and pays what it has to."
        case RefundState.CANCELLED:
            return "It was withdrawn."


def _is_number(refund: Refund) -> bool:
    return isinstance(refund.confirmations, int)


def _to_do(refund: Refund) -> str:
    if refund.address is None:
        return "Nobody said where it is to go: give it an address."
    if refund.txid is not None:
        return f"{refund.txid} went away again, or pays too little: send it anew, and name that transaction."
    return "Sign and send it elsewhere, then name its transaction."


def actions(record: Record) -> list[dict[str, Any]]:
    """Return what the merchant may do now, and the code of why not."""
    return [_action(record, act) for act in Act]


def _action(record: Record, act: Act) -> dict[str, Any]:
    condition = TABLE[record.decision.status][act].condition
    code = obstacle(record, act, without_payment=True)
    if code is None and act is Act.REFUND:
        code = refund_obstacle(record)
    words = CONDITIONS[condition] if condition else None
    return {"action": act.value, "possible": code is None, "code": code, "condition": words}


def refund_obstacle(record: Record) -> str | None:
    """Return the code of why nothing can be given back now; None where something can."""
    decision = record.decision
    found = purses(record.invoice, decision.payments, decision.options, decision.refunds).values()
    open_ = decision.status in _UNDECIDED
    if any(purse.idle if open_ else purse.left for purse in found):
        return None
    if any(purse.received for purse in found):
        return "not_underpaid" if open_ else _given_back(record)
    return "not_confirmed" if any(purse.unconfirmed for purse in found) else "nothing_received"


def _given_back(record: Record) -> str:
    states = {refund.state for refund in record.decision.refunds} & LIVE
    return "already_refunding" if states & OPEN else "already_refunded"
