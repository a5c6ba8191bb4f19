"""What of an invoice waits for the merchant, and what a policy will settle by itself. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from watcher.matcher_rules import FOR_THE_MERCHANT, HELD, Rule
from watcher.model import (
    ExcessPolicy,
    LatePolicy,
    PaymentStatus,
    RefundState,
    ReturnPolicy,
    Status,
)
from watcher.refunds import covered, purses
from watcher.sums import parts_of, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from fractions import Fraction

    from watcher.model import Decision, Invoice, Payment
    from watcher.refunds import Place


def waits(invoice: Invoice, decision: Decision, accepted_at: datetime | None) -> bool:
    """Whether the merchant has to do something: decide about money, or sign and send a refund."""
    return (
        any(refund.state is RefundState.REQUESTED for refund in decision.refunds)
        or bool(unsettled(invoice, decision, accepted_at))
        or (decision.status is Status.UNDERPAID and not settles_itself(invoice, decision))
        or excess_waits(invoice, decision, accepted_at)
    )


def undecided(decision: Decision, accepted_at: datetime | None) -> list[Payment]:
    """Return the money that counts only if the merchant says so, and about which nothing was said yet."""
    done = covered(decision.refunds)
    return [
        p
        for p in decision.payments
        if p.rule in FOR_THE_MERCHANT
        and p.deposit.id not in done
        and (accepted_at is None or p.deposit.arrived_at > accepted_at)
    ]


def unsettled(invoice: Invoice, decision: Decision, accepted_at: datetime | None) -> list[Payment]:
    """Return the undecided money that no policy refunds once it is confirmed."""
    tried = withdrawn(decision)
    waiting = undecided(decision, accepted_at)
    returned = [p for p in waiting if p.deposit.id not in tried and _by_itself(invoice, p)]
    if not _is_there(invoice, decision, returned):
        return waiting
    return [p for p in waiting if p.deposit.id in tried or not _by_itself(invoice, p)]


def shares_accepted(invoice: Invoice, decision: Decision, *, confirmed: bool) -> bool:
    """Whether what counts, or the confirmed part of it, is as much as the policy accepts by itself."""
    least = invoice.policy.accept_share
    if least is None:
        return False
    return counted_share(invoice, decision, confirmed=confirmed) >= least


def counted_share(invoice: Invoice, decision: Decision, *, confirmed: bool) -> Fraction:
    """Return how much of the invoice the counted payments fund, 1 being all of it."""
    counted = (p for p in decision.payments if p.counted)
    taken = (p.deposit for p in counted if not confirmed or p.status is PaymentStatus.CONFIRMED)
    return share_of(invoice, parts_of(invoice, taken))


def withdrawn(decision: Decision) -> set[str]:
    """Return the deposits whose refund the merchant took back: no policy asks for it again."""
    cancelled = (r for r in decision.refunds if r.state is RefundState.CANCELLED)
    return {deposit for refund in cancelled for deposit in refund.covers}


def settles_itself(invoice: Invoice, decision: Decision) -> bool:
    """Whether a policy accepts or refunds an underpaid invoice, now or once it is confirmed."""
    if shares_accepted(invoice, decision, confirmed=False):
        return True
    if invoice.policy.underpaid is not ReturnPolicy.REFUND:
        return False
    counted = [p for p in decision.payments if p.counted]
    untried = withdrawn(decision).isdisjoint(p.deposit.id for p in counted)
    return untried and _is_there(invoice, decision, counted)


def _is_there(invoice: Invoice, decision: Decision, payments: Sequence[Payment]) -> bool:
    """Whether these can be given back once they are confirmed: what was refunded before may have vanished."""
    wanted: Counter[Place] = Counter()
    for payment in payments:
        wanted[payment.deposit.chain, payment.deposit.asset] += payment.deposit.amount
    if not wanted:
        return True
    found = purses(invoice, decision.payments, decision.options, decision.refunds)
    return all(amount <= found[place].coming for place, amount in wanted.items())


def _by_itself(invoice: Invoice, payment: Payment) -> bool:
    if payment.rule in HELD:
        return invoice.late is LatePolicy.REFUND
    return payment.rule == Rule.WRONG_ASSET and invoice.policy.wrong_asset is ReturnPolicy.REFUND


def excess_waits(invoice: Invoice, decision: Decision, accepted_at: datetime | None) -> bool:
    """Whether too much money is to be held, and the merchant neither gave it back nor accepted it."""
    if decision.status is not Status.PAID or invoice.policy.overpaid is not ExcessPolicy.HOLD:
        return False
    newest = max((p.deposit.arrived_at for p in decision.payments if p.counted), default=None)
    if accepted_at is not None and newest is not None and newest <= accepted_at:
        return False
    found = purses(invoice, decision.payments, decision.options, decision.refunds)
    return any(
        sums.excess > found[option.chain, option.asset].spared
        for option, sums in zip(invoice.options, decision.options, strict=True)
    )
