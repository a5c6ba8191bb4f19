"""What a shop is told when a decision changes. Pure: two decisions in, a list of happenings out.

Payments come first, then refunds, then the invoice; steps that were skipped send nothing, each payment and
each refund always its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from watcher.matcher_rules import HELD, Rule
from watcher.model import EventType, Happening, PaymentStatus, RefundState, Standing, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.model import Decision, Payment, Refund

_STATUS_EVENT = {
    Status.PARTIAL: EventType.INVOICE_PARTIALLY_PAID,
    Status.CONFIRMING: EventType.INVOICE_CONFIRMING,
    Status.PAID: EventType.INVOICE_PAID,
    Status.UNDERPAID: EventType.INVOICE_UNDERPAID,
    Status.EXPIRED: EventType.INVOICE_EXPIRED,
    Status.REFUNDING: EventType.INVOICE_REFUNDING,
    Status.REFUNDED: EventType.INVOICE_REFUNDED,
    Status.CANCELLED: EventType.INVOICE_CANCELLED,
}
_RANK = {
    Status.PENDING: 0,
    Status.EXPIRED: 0,
    Status.PARTIAL: 1,
    Status.UNDERPAID: 1,
    Status.CONFIRMING: 2,
    Status.PAID: 3,
}
"""How much money a status stands for: a lower one than before means that money went away."""

_REFUND_EVENT = {
    RefundState.REQUESTED: EventType.REFUND_REQUESTED,
    RefundState.SENT: EventType.REFUND_SENT,
    RefundState.CONFIRMED: EventType.REFUND_CONFIRMED,
    RefundState.CANCELLED: EventType.REFUND_CANCELLED,
}
_FAR = {RefundState.REQUESTED: 0, RefundState.SENT: 1, RefundState.CONFIRMED: 2, RefundState.CANCELLED: 3}
_OPEN = frozenset({Status.PENDING, Status.PARTIAL, Status.CONFIRMING})
_BACK = frozenset({Status.REFUNDING, Status.REFUNDED})
_OUTCOMES = frozenset({Status.UNDERPAID, Status.EXPIRED})
_LIVE = frozenset({PaymentStatus.PENDING, PaymentStatus.CONFIRMED})
_REASON = {Standing.REPLACED: "replaced", Standing.DROPPED: "dropped"}


def events_for(before: Decision, after: Decision) -> list[Happening]:
    """Return what to tell, in order. Equal decisions tell nothing."""
    known = {p.deposit.id: p for p in before.payments}
    return [*_payments(known, after), *_refunds(before, after), *_invoice(before, after, known)]


def fell(before: Decision, after: Decision) -> bool:
    """Whether the invoice now stands for less money than it did: a payment went away again."""
    if before.status in _BACK:
        return after.status in _OPEN and not _only_back(before, after)
    if before.status not in _RANK or after.status not in _RANK:
        return False
    return _RANK[after.status] < _RANK[before.status]


def _payments(known: Mapping[str, Payment], after: Decision) -> Iterator[Happening]:
    for payment in after.payments:
        yield from _payment(known.get(payment.deposit.id), payment)


def _payment(old: Payment | None, new: Payment) -> Iterator[Happening]:
    was = old.status if old else None
    if old is None and new.rule == Rule.WRONG_ASSET:
        yield Happening(EventType.DEPOSIT_WRONG_ASSET, new)
    elif old is None and new.rule == Rule.UNATTRIBUTED:
        yield Happening(EventType.DEPOSIT_UNMATCHED, new)
    elif new.status in _LIVE and (was is None or was is PaymentStatus.IGNORED):
        yield Happening(EventType.PAYMENT_DETECTED, new)
    if new.status is PaymentStatus.CONFIRMED and was is not PaymentStatus.CONFIRMED:
        yield Happening(EventType.PAYMENT_CONFIRMED, new)
    if was in _LIVE and new.status is PaymentStatus.REPLACED:
        yield Happening(EventType.PAYMENT_REPLACED, new, _why(new))
    if _reverted(was, new):
        yield Happening(EventType.PAYMENT_REVERTED, new, _why(new))
    if new.rule in HELD and new.status in _LIVE and (old is None or old.rule not in HELD):
        yield Happening(EventType.INVOICE_LATE_PAYMENT, new)


def _refunds(before: Decision, after: Decision) -> Iterator[Happening]:
    known = {refund.id: refund for refund in before.refunds}
    for refund in after.refunds:
        yield from _refund(known.get(refund.id), refund)


def _refund(old: Refund | None, new: Refund) -> Iterator[Happening]:
    if old is None:
        yield Happening(EventType.REFUND_REQUESTED, refund=new)
        old = replace(new, state=RefundState.REQUESTED, txid=None)
    back = _FAR[new.state] < _FAR[old.state]
    if back and old.state is not RefundState.CANCELLED:
        yield Happening(EventType.REFUND_REVERTED, refund=new)
    elif new.state is not old.state or (new.state is RefundState.SENT and new.txid != old.txid):
        yield Happening(_REFUND_EVENT[new.state], refund=new)


def _reverted(was: PaymentStatus | None, new: Payment) -> bool:
    """Whether a block that held it left the chain, and the payment is gone or no longer confirmed."""
    if new.status is PaymentStatus.REVERTED:
        return was in _LIVE
    return was is PaymentStatus.CONFIRMED and new.status is PaymentStatus.PENDING


def _invoice(before: Decision, after: Decision, known: Mapping[str, Payment]) -> Iterator[Happening]:
    if after.deadline > before.deadline:
        yield Happening(EventType.INVOICE_EXTENDED)
    down = fell(before, after)
    if down:
        yield Happening(EventType.INVOICE_REVERTED, reason=_fall_reason(after, known))
    changed = before.status is not after.status and not _only_back(before, after)
    if changed and after.status in _STATUS_EVENT and (not down or after.status in _OUTCOMES):
        yield Happening(_STATUS_EVENT[after.status])
    if _more_excess(before, after):
        yield Happening(EventType.INVOICE_OVERPAID)


def _only_back(before: Decision, after: Decision) -> bool:
    """Whether nothing came: a deadline moved, or a refund was withdrawn; that status was told already."""
    if before.status in _BACK:
        withdrawn = {r.id for r in before.refunds if r.state is RefundState.CANCELLED}
        newly = {r.id for r in after.refunds if r.state is RefundState.CANCELLED} - withdrawn
        return bool(newly) and after.status not in _BACK
    return before.status is Status.UNDERPAID and after.status is Status.PARTIAL


def _more_excess(before: Decision, after: Decision) -> bool:
    """Whether a paid invoice has an excess that was not told yet."""
    if after.status is not Status.PAID:
        return False
    if before.status is not Status.PAID and not _only_back(before, after):
        return any(option.excess for option in after.options)
    return any(new.excess > old.excess for old, new in zip(before.options, after.options, strict=True))


def _fall_reason(after: Decision, known: Mapping[str, Payment]) -> str:
    """Name what happened to the first payment that went away; if none did, one is less deep than it was."""
    gone = (p for p in after.payments if p.status not in _LIVE and _was_live(known.get(p.deposit.id)))
    return next(map(_why, gone), "reorganised")


def _was_live(old: Payment | None) -> bool:
    return old is not None and old.status in _LIVE


def _why(payment: Payment) -> str:
    return _REASON.get(payment.deposit.standing, "reorganised")
