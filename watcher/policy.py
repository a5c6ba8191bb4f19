"""What happens by itself to an invoice that is out of the ordinary: the next wish of its policy. Pure.

A wish is granted by recording it as a fact, who "policy", as if the merchant had decided it; then the invoice
is decided again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.matcher_rules import HELD, Rule
from watcher.model import (
    ExcessPolicy,
    LatePolicy,
    Resolution,
    ResolutionKind,
    ReturnPolicy,
    Standing,
    Status,
)
from watcher.money import format_percent
from watcher.refunds import LIVE, purses
from watcher.waiting import shares_accepted, undecided, withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from watcher.model import Decision, Invoice, Payment
    from watcher.refunds import Place

ACTOR = "policy"

LONGEST = timedelta(days=30)
"""By how much a deadline moves by itself, at most: as far as a merchant may move it at once."""

_NOT_IN_A_BLOCK = (Standing.MEMPOOL, Standing.UNPLACED)
_ENDED = (Status.EXPIRED, Status.CANCELLED, Status.REFUNDING, Status.REFUNDED)


@dataclass(frozen=True, slots=True)
class Return:
    """Money to be given back. `covers`: the deposits that it deals with; `settles`: see model.Refund."""

    place: Place
    amount: int
    covers: frozenset[str]
    settles: bool
    reason: str


def wish(
    invoice: Invoice, decision: Decision, resolutions: Sequence[Resolution], proven: datetime, now: datetime
) -> Resolution | Return | None:
    """Return what the policy does next; None when it is content.

    `proven`: until when every chain of the invoice is proven.
    """
    accepted_at = max((r.at for r in resolutions if r.kind is ResolutionKind.ACCEPT), default=None)
    return (
        _extension(invoice, decision, proven, now)
        or _acceptance(invoice, decision, now)
        or next(_affordable(invoice, decision, accepted_at), None)
    )


def may_extend(invoice: Invoice, decision: Decision) -> bool:
    """Whether the deadline moves once it passes: enough was seen, but not all of it is in a block yet."""
    if not invoice.policy.extend or decision.status is not Status.CONFIRMING:
        return False
    moved = decision.deadline - invoice.expires_at
    floating = any(p.counted and p.deposit.standing in _NOT_IN_A_BLOCK for p in decision.payments)
    return floating and moved + timedelta(seconds=invoice.policy.extend) <= LONGEST


def _extension(invoice: Invoice, decision: Decision, proven: datetime, now: datetime) -> Resolution | None:
    if not may_extend(invoice, decision) or proven < decision.deadline:
        return None
    step = timedelta(seconds=invoice.policy.extend)
    steps = (proven - decision.deadline) // step + 1
    until = min(decision.deadline + steps * step, invoice.expires_at + LONGEST)
    reason = "enough was seen, and is not in a block yet"
    return Resolution(ResolutionKind.EXTEND, now, ACTOR, reason, until)


def _acceptance(invoice: Invoice, decision: Decision, now: datetime) -> Resolution | None:
    share = invoice.policy.accept_share
    if decision.status is not Status.UNDERPAID or share is None:
        return None
    if not shares_accepted(invoice, decision, confirmed=True):
        return None
    reason = f"at least {format_percent(share)} % is confirmed"
    return Resolution(ResolutionKind.ACCEPT, now, ACTOR, reason)


def _affordable(invoice: Invoice, decision: Decision, accepted_at: datetime | None) -> Iterator[Return]:
    """Yield what is to be given back and is there; what was refunded already may have vanished since."""
    found = purses(invoice, decision.payments, decision.options, decision.refunds)
    for wanted in _returns(invoice, decision, accepted_at):
        if wanted.amount <= found[wanted.place].left:
            yield wanted


def _returns(invoice: Invoice, decision: Decision, accepted_at: datetime | None) -> Iterator[Return]:
    found = purses(invoice, decision.payments, decision.options, decision.refunds)
    tried = withdrawn(decision)
    waiting = [p for p in undecided(decision, accepted_at) if p.final and p.deposit.id not in tried]
    if invoice.late is LatePolicy.REFUND:
        late = [p for p in waiting if p.rule in HELD]
        yield from _each(late, settles=decision.status in _ENDED, reason="it came too late")
    if invoice.policy.wrong_asset is ReturnPolicy.REFUND:
        wrong = [p for p in waiting if p.rule == Rule.WRONG_ASSET]
        yield from _each(wrong, settles=False, reason="the invoice does not ask for this asset")
    if invoice.policy.underpaid is ReturnPolicy.REFUND and decision.status is Status.UNDERPAID:
        counted = [p for p in decision.payments if p.counted]
        if all(p.final and p.deposit.id not in tried for p in counted):
            yield from _each(counted, settles=True, reason="it is not enough")
    if invoice.policy.overpaid is ExcessPolicy.REFUND and decision.status is Status.PAID:
        fresh = [p for p in decision.payments if p.counted and p.final and p.deposit.id not in tried]
        for place, purse in found.items():
            yield from _excess(decision, place, purse.excess, fresh)


def _excess(decision: Decision, place: Place, excess: int, fresh: Sequence[Payment]) -> Iterator[Return]:
    """Give back what is too much, but not again what the merchant took back: only what is `fresh`."""
    here = [p for p in fresh if (p.deposit.chain, p.deposit.asset) == place]
    covers = frozenset(p.deposit.id for p in here)
    given = sum(r.amount for r in decision.refunds if r.state in LIVE and not covers.isdisjoint(r.covers))
    amount = min(excess, sum(p.deposit.amount for p in here) - given)
    if amount > 0:
        yield Return(place, amount, covers, settles=False, reason="it is too much")


def _each(payments: Sequence[Payment], *, settles: bool, reason: str) -> Iterator[Return]:
    """Put the payments of one asset together."""
    for place in dict.fromkeys((p.deposit.chain, p.deposit.asset) for p in payments):
        mine = [p for p in payments if (p.deposit.chain, p.deposit.asset) == place]
        amount = sum(p.deposit.amount for p in mine)
        yield Return(place, amount, frozenset(p.deposit.id for p in mine), settles, reason)
