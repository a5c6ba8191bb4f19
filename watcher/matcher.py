"""Decides what an invoice's facts say. Pure: no clock, no database, no chain.

The same facts give the same decision, in whatever order they came and however often they are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from chains.base import UNATTRIBUTED
from watcher.model import (
    Decision,
    Exceptional,
    Finality,
    LatePolicy,
    Payment,
    PaymentStatus,
    ResolutionKind,
    Standing,
    Status,
)
from watcher.sums import fee_of, funded, option_of, parts_of, share_of, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from watcher.model import Confirmations, Deposit, Invoice, Option, Resolution, View


class Rule(StrEnum):
    """Why a payment is counted or not."""

    IN_TIME = "in_time"
    LATE_ACCEPTED = "late_accepted"
    ACCEPTED = "accepted"
    AFTER_PAID = "after_paid"
    LATE_HELD = "late_held"
    AFTER_MONITORING = "after_monitoring"
    AFTER_CANCELLED = "after_cancelled"
    WRONG_ASSET = "wrong_asset"
    UNATTRIBUTED = "unattributed"
    BEFORE_INVOICE = "before_invoice"
    DUST = "dust"
    REPLACED = "replaced"
    DROPPED = "dropped"
    REORGANISED = "reorganised"


COUNTED = frozenset({Rule.IN_TIME, Rule.LATE_ACCEPTED, Rule.ACCEPTED, Rule.AFTER_PAID})
HELD = frozenset({Rule.LATE_HELD, Rule.AFTER_MONITORING, Rule.AFTER_CANCELLED})
"""Money that came too late and waits for the merchant."""

_IGNORED = frozenset({Rule.WRONG_ASSET, Rule.UNATTRIBUTED, Rule.BEFORE_INVOICE, Rule.DUST})
_FOR_THE_MERCHANT = HELD | {Rule.WRONG_ASSET, Rule.UNATTRIBUTED}
"""Money that counts only if the merchant says so: the invoice needs an action."""

_GONE = {
    Standing.REPLACED: Rule.REPLACED,
    Standing.DROPPED: Rule.DROPPED,
    Standing.REORGANISED: Rule.REORGANISED,
}


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the merchant's recorded decisions make of an invoice's terms."""

    deadline: datetime
    monitor_until: datetime
    accepted_at: datetime | None
    cancelled: bool


def decide(
    invoice: Invoice,
    deposits: Iterable[Deposit],
    resolutions: Sequence[Resolution],
    views: Mapping[str, View],
) -> Decision:
    """Return what the facts say: status, exceptions, each option's sums and each payment's verdict."""
    terms = _terms(invoice, resolutions)
    once = {(d.chain, d.txid, d.slot): d for d in deposits}
    ordered = sorted(once.values(), key=lambda d: (d.arrived_at, d.chain, d.txid, d.slot))
    rules = _rules(invoice, ordered, terms)
    payments = tuple(_payment(invoice, d, rule, terms, views) for d, rule in zip(ordered, rules, strict=True))
    status = _status(invoice, payments, terms, views)
    return Decision(
        status=status,
        exceptions=_exceptions(invoice, payments, terms),
        options=sums_of(invoice, payments, status),
        payments=payments,
        deadline=terms.deadline,
        needs_action=status is Status.UNDERPAID or any(p.rule in _FOR_THE_MERCHANT for p in payments),
    )


def opening(invoice: Invoice) -> Decision:
    """Return the decision about an invoice of which nothing is known yet."""
    return decide(invoice, (), (), {})


def _terms(invoice: Invoice, resolutions: Sequence[Resolution]) -> _Terms:
    deadline = max([invoice.expires_at, *(r.until for r in resolutions if r.until)])
    accepted = [r.at for r in resolutions if r.kind is ResolutionKind.ACCEPT]
    return _Terms(
        deadline=deadline,
        monitor_until=invoice.monitor_until + (deadline - invoice.expires_at),
        accepted_at=min(accepted, default=None),
        cancelled=not accepted and any(r.kind is ResolutionKind.CANCEL for r in resolutions),
    )


def _rules(invoice: Invoice, deposits: Sequence[Deposit], terms: _Terms) -> list[Rule]:
    """Judge each deposit: first those in time, because what late money means depends on them."""
    rules = [_rule_in_time(invoice, d, terms) for d in deposits]
    in_time = [d for d, rule in zip(deposits, rules, strict=True) if rule is Rule.IN_TIME]
    done = terms.accepted_at is not None or funded(invoice, in_time)
    return [rule or _rule_late(invoice, d, terms, done=done) for d, rule in zip(deposits, rules, strict=True)]


def _rule_in_time(invoice: Invoice, deposit: Deposit, terms: _Terms) -> Rule | None:
    """Return the rule for a deposit that is not late, None for a late one."""
    rule = _GONE.get(deposit.standing) or _rule_ignored(invoice, deposit)
    if rule is not None:
        return rule
    if terms.cancelled:
        return Rule.AFTER_CANCELLED
    return Rule.IN_TIME if deposit.arrived_at <= terms.deadline else None


def _rule_ignored(invoice: Invoice, deposit: Deposit) -> Rule | None:
    """Return why a deposit is no payment of this invoice, whenever it came; None if it is one."""
    if _before(invoice, deposit):
        return Rule.BEFORE_INVOICE
    if deposit.slot.startswith(UNATTRIBUTED):
        return Rule.UNATTRIBUTED
    option = option_of(invoice, deposit)
    if option is None:
        return Rule.WRONG_ASSET
    return Rule.DUST if deposit.amount < option.dust else None


def _rule_late(invoice: Invoice, deposit: Deposit, terms: _Terms, *, done: bool) -> Rule:
    if terms.accepted_at and deposit.arrived_at <= terms.accepted_at:
        return Rule.ACCEPTED
    if deposit.arrived_at > terms.monitor_until:
        return Rule.AFTER_MONITORING
    if done:
        return Rule.AFTER_PAID
    return Rule.LATE_ACCEPTED if invoice.late is LatePolicy.ACCEPT else Rule.LATE_HELD


def _before(invoice: Invoice, deposit: Deposit) -> bool:
    """Whether it reached the address before the invoice was made: its arrival, fixed once, tells."""
    return deposit.arrived_at < invoice.created_at


def _payment(
    invoice: Invoice, deposit: Deposit, rule: Rule, terms: _Terms, views: Mapping[str, View]
) -> Payment:
    option = option_of(invoice, deposit)
    required = _required(option, deposit)
    view = views.get(deposit.chain)
    return Payment(
        deposit=deposit,
        option=option.position if option else None,
        status=_payment_status(deposit, rule, required, view),
        rule=rule,
        counted=rule in COUNTED,
        late=deposit.arrived_at > terms.deadline,
        net=deposit.amount - (fee_of(option, deposit.amount) if option else 0),
        confirmations=depth(deposit, view),
        required=_at_least(required, deposit.maturity),
    )


def _required(option: Option | None, deposit: Deposit) -> Confirmations:
    """Return what the option asks for, but a block where 0 would trust an unsound unconfirmed transaction."""
    if option is None:
        return 1
    unsound = deposit.risk is not None and deposit.standing is not Standing.MINED
    return 1 if unsound and option.confirmations == 0 else option.confirmations


def _payment_status(
    deposit: Deposit, rule: Rule, required: Confirmations, view: View | None
) -> PaymentStatus:
    if rule in _IGNORED:
        return PaymentStatus.IGNORED
    match deposit.standing:
        case Standing.REPLACED | Standing.DROPPED:
            return PaymentStatus.REPLACED
        case Standing.REORGANISED:
            return PaymentStatus.REVERTED
        case Standing.MEMPOOL | Standing.MINED | Standing.UNPLACED:
            return PaymentStatus.CONFIRMED if _deep(deposit, required, view) else PaymentStatus.PENDING


def depth(deposit: Deposit, view: View | None) -> int:
    """Return the confirmations of a deposit: its own block is the first (head - height + 1)."""
    if deposit.block is None or deposit.standing is not Standing.MINED or view is None:
        return 0
    return max(0, view.head.height - deposit.block.height + 1)


def _deep(deposit: Deposit, required: Confirmations, view: View | None) -> bool:
    if depth(deposit, view) < deposit.maturity:
        return False
    if isinstance(required, Finality):
        return _final(deposit, required, view)
    if required == 0:
        return deposit.standing in (Standing.MEMPOOL, Standing.MINED)
    return depth(deposit, view) >= required


def _final(deposit: Deposit, required: Finality, view: View | None) -> bool:
    if deposit.block is None or deposit.standing is not Standing.MINED or view is None:
        return False
    limit = view.safe if required is Finality.SAFE else view.finalized
    return limit is not None and deposit.block.height <= limit


def _at_least(required: Confirmations, maturity: int) -> Confirmations:
    return required if isinstance(required, Finality) else max(required, maturity)


def _confirmed(invoice: Invoice, payments: Iterable[Payment]) -> list[Deposit]:
    """Return what may make an invoice paid: late money that is held cannot stand in for what is in time."""
    held = {Rule.AFTER_PAID} if invoice.late is LatePolicy.HOLD else set()
    confirmed = [p for p in payments if p.counted and p.status is PaymentStatus.CONFIRMED]
    return [p.deposit for p in confirmed if p.rule not in held]


def _status(
    invoice: Invoice, payments: Sequence[Payment], terms: _Terms, views: Mapping[str, View]
) -> Status:
    counted = [p.deposit for p in payments if p.counted]
    if terms.cancelled:
        return Status.CANCELLED
    if terms.accepted_at is not None or funded(invoice, _confirmed(invoice, payments)):
        return Status.PAID
    if funded(invoice, counted):
        return Status.CONFIRMING
    if _passed(invoice, terms.deadline, views):
        return Status.UNDERPAID if counted else Status.EXPIRED
    return Status.PARTIAL if counted else Status.PENDING


def _passed(invoice: Invoice, deadline: datetime, views: Mapping[str, View]) -> bool:
    """Whether every chain of the invoice is proven to the deadline: no wall clock expires anything."""
    chains = {o.chain for o in invoice.options}
    return all(c in views and views[c].as_of >= deadline for c in chains)


def _exceptions(invoice: Invoice, payments: Sequence[Payment], terms: _Terms) -> tuple[Exceptional, ...]:
    parts = parts_of(invoice, (p.deposit for p in payments if p.counted))
    rules = {p.rule for p in payments}
    found = {
        Exceptional.OVERPAID: share_of(invoice, parts) > 1,
        Exceptional.LATE: bool(rules & (HELD | {Rule.LATE_ACCEPTED})),
        Exceptional.REVERTED: invoice.reverted,
        Exceptional.WRONG_ASSET: Rule.WRONG_ASSET in rules,
        Exceptional.ACCEPTED: terms.accepted_at is not None,
    }
    return tuple(name for name, holds in found.items() if holds)
