"""Decides what an invoice's facts say. Pure: no clock, no database, no chain.

The same facts give the same decision, in whatever order they came and however often they are told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chains.base import UNATTRIBUTED
from watcher.finality import at_least, depth, is_deep
from watcher.matcher_rules import COUNTED, GONE, HELD, IGNORED, NOT_RECEIVED, Rule
from watcher.model import (
    Decision,
    Exceptional,
    LatePolicy,
    Payment,
    PaymentStatus,
    RefundState,
    ResolutionKind,
    Standing,
    Status,
)
from watcher.refunds import LIVE, covered_first
from watcher.sums import fee_of, funded, option_of, parts_of, share_of, share_of_minimum, sums_of
from watcher.waiting import waits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from watcher.model import Confirmations, Deposit, Invoice, Option, Refund, Resolution, View
    from watcher.refunds import Place


_OPEN = frozenset({Status.PENDING, Status.PARTIAL, Status.CONFIRMING})


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the merchant's recorded decisions make of an invoice's terms.

    `settling`: the refunds that give back the payment itself, after the last acceptance if there was one.
    """

    deadline: datetime
    monitor_until: datetime
    accepted_at: datetime | None
    cancelled: bool
    settling: tuple[Refund, ...]


def decide(
    invoice: Invoice,
    deposits: Iterable[Deposit],
    resolutions: Sequence[Resolution],
    views: Mapping[str, View],
    refunds: Sequence[Refund] = (),
) -> Decision:
    """Return what the facts say: status, exceptions, each option's sums and each payment's verdict.

    `refunds` are judged already (refunds.judged).
    """
    terms = _terms(invoice, resolutions, refunds)
    once = {(d.chain, d.txid, d.slot): d for d in deposits}
    ordered = sorted(once.values(), key=lambda d: (d.arrived_at, d.chain, d.txid, d.slot))
    rules = _rules(invoice, ordered, terms)
    payments = tuple(_payment(invoice, d, rule, terms, views) for d, rule in zip(ordered, rules, strict=True))
    status = _status(invoice, payments, terms, views)
    shown = _given_back(invoice, status, payments, refunds, terms)
    decision = Decision(
        status=shown,
        exceptions=_exceptions(invoice, payments, terms),
        options=sums_of(invoice, payments, shown),
        payments=payments,
        deadline=terms.deadline,
        refunds=tuple(replace(refund, unsigned=None) for refund in refunds),
        passed=status in (Status.UNDERPAID, Status.EXPIRED),
    )
    return replace(decision, needs_action=waits(invoice, decision, terms.accepted_at))


def opening(invoice: Invoice) -> Decision:
    """Return the decision about an invoice of which nothing is known yet."""
    return decide(invoice, (), (), {})


def _terms(invoice: Invoice, resolutions: Sequence[Resolution], refunds: Sequence[Refund]) -> _Terms:
    deadline = max([invoice.expires_at, *(r.until for r in resolutions if r.until)])
    since = max((r.at for r in resolutions if r.kind is ResolutionKind.ACCEPT), default=None)
    standing = [r for r in refunds if r.settles and r.state in LIVE]
    return _Terms(
        deadline=deadline,
        monitor_until=invoice.monitor_until + (deadline - invoice.expires_at),
        accepted_at=since,
        cancelled=since is None and any(r.kind is ResolutionKind.CANCEL for r in resolutions),
        settling=tuple(r for r in standing if since is None or r.at >= since),
    )


def _rules(invoice: Invoice, deposits: Sequence[Deposit], terms: _Terms) -> list[Rule]:
    """Judge each deposit: first those in time, because what late money means depends on them."""
    covered = covered_first(terms.settling)
    rules = [_rule_in_time(invoice, d, terms, covered) for d in deposits]
    in_time = [d for d, rule in zip(deposits, rules, strict=True) if rule is Rule.IN_TIME]
    done = terms.accepted_at is not None or funded(invoice, in_time)
    return [rule or _rule_late(invoice, d, terms, done=done) for d, rule in zip(deposits, rules, strict=True)]


def _rule_in_time(
    invoice: Invoice, deposit: Deposit, terms: _Terms, covered: Mapping[Place, frozenset[str]]
) -> Rule | None:
    """Return the rule for a deposit that is not late, None for a late one."""
    rule = GONE.get(deposit.standing) or _rule_ignored(invoice, deposit)
    if rule is not None:
        return rule
    if terms.cancelled:
        return Rule.AFTER_CANCELLED
    if _came_after_refund(deposit, terms, covered):
        return Rule.AFTER_REFUNDED
    return Rule.IN_TIME if deposit.arrived_at <= terms.deadline else None


def _came_after_refund(deposit: Deposit, terms: _Terms, covered: Mapping[Place, frozenset[str]]) -> bool:
    """Whether the payment was given back before this came, or was known."""
    if not terms.settling:
        return False
    there = covered.get((deposit.chain, deposit.asset))
    if there is None:
        return deposit.arrived_at > min(refund.at for refund in terms.settling)
    return deposit.id not in there


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
    required = _required(invoice, option, deposit)
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
        required=at_least(required, deposit.maturity),
        final=deposit.standing is Standing.MINED and is_deep(deposit, required, view),
    )


def _required(invoice: Invoice, option: Option | None, deposit: Deposit) -> Confirmations:
    """Return what the option asks for, but a block where 0 would trust an unsound unconfirmed transaction.

    What fits no option needs what the chain's own one does.
    """
    if option is None:
        here = (o.confirmations for o in invoice.options if o.chain == deposit.chain)
        return at_least(next(here, 1), 1)
    unsound = deposit.risk is not None and deposit.standing is not Standing.MINED
    return 1 if unsound and option.confirmations == 0 else option.confirmations


def _payment_status(
    deposit: Deposit, rule: Rule, required: Confirmations, view: View | None
) -> PaymentStatus:
    if rule in IGNORED:
        return PaymentStatus.IGNORED
    match deposit.standing:
        case Standing.REPLACED | Standing.DROPPED:
            return PaymentStatus.REPLACED
        case Standing.REORGANISED:
            return PaymentStatus.REVERTED
        case Standing.MEMPOOL | Standing.MINED | Standing.UNPLACED:
            return PaymentStatus.CONFIRMED if is_deep(deposit, required, view) else PaymentStatus.PENDING


def _confirmed(invoice: Invoice, payments: Iterable[Payment]) -> list[Deposit]:
    """Return what may make an invoice paid: late money that is held cannot stand in for what is in time."""
    held = set() if invoice.late is LatePolicy.ACCEPT else {Rule.AFTER_PAID}
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
    if passed(invoice, terms.deadline, views):
        return Status.UNDERPAID if counted else Status.EXPIRED
    return Status.PARTIAL if counted else Status.PENDING


def _given_back(
    invoice: Invoice, status: Status, payments: Sequence[Payment], refunds: Iterable[Refund], terms: _Terms
) -> Status:
    """Return the status once the merchant gives the payment back.

    An invoice that is open again, because its deadline moved or its chain did, is decided by what comes; one
    of which enough is kept stays paid.
    """
    if not terms.settling or status in _OPEN:
        return status
    if status is Status.PAID and _is_kept(invoice, payments, [r for r in refunds if r.state in LIVE]):
        return status
    done = all(refund.state is RefundState.CONFIRMED for refund in terms.settling)
    return Status.REFUNDED if done else Status.REFUNDING


def _is_kept(invoice: Invoice, payments: Sequence[Payment], refunds: Sequence[Refund]) -> bool:
    """Whether what counts, less what is given back of it, is still enough."""
    parts = parts_of(invoice, (p.deposit for p in payments if p.counted))
    for option in invoice.options:
        given = _given(option, payments, refunds)
        parts[option.position] = max(0, parts.get(option.position, 0) - given)
    return share_of_minimum(invoice, parts) >= 1


def _given(option: Option, payments: Iterable[Payment], refunds: Iterable[Refund]) -> int:
    """Return what is given back of the counted money: what the invoice has no use for goes back first."""
    here = [r for r in refunds if (r.chain, r.asset) == (option.chain, option.asset)]
    idle = sum(
        p.deposit.amount
        for p in payments
        if (p.deposit.chain, p.deposit.asset) == (option.chain, option.asset)
        and p.rule not in COUNTED | NOT_RECEIVED
    )
    spared = sum(r.amount for r in here if not r.settles)
    return sum(r.amount for r in here if r.settles) + max(0, spared - idle)


def passed(invoice: Invoice, deadline: datetime, views: Mapping[str, View]) -> bool:
    """Whether every chain of the invoice is proven to the deadline: no wall clock expires anything."""
    chains = {o.chain for o in invoice.options}
    return all(c in views and views[c].as_of >= deadline for c in chains)


def _exceptions(invoice: Invoice, payments: Sequence[Payment], terms: _Terms) -> tuple[Exceptional, ...]:
    parts = parts_of(invoice, (p.deposit for p in payments if p.counted))
    rules = {p.rule for p in payments}
    found = {
        Exceptional.OVERPAID: share_of(invoice, parts) > 1,
        Exceptional.LATE: bool(rules & (HELD | {Rule.LATE_ACCEPTED, Rule.ACCEPTED})),
        Exceptional.REVERTED: invoice.reverted,
        Exceptional.WRONG_ASSET: Rule.WRONG_ASSET in rules,
        Exceptional.ACCEPTED: terms.accepted_at is not None,
    }
    return tuple(name for name, holds in found.items() if holds)
