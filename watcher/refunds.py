"""What becomes of money that is given back: how far each refund is, and how much can still be refunded. Pure.

A refund's transaction is judged by the same recorded facts as a payment: it was seen, is in a block, is deep
enough, or went away again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.finality import at_least, is_deep
from watcher.matcher_rules import COUNTED, NOT_RECEIVED
from watcher.model import RefundState, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from watcher.model import Deposit, Invoice, Payment, Refund, Sums, View

LIVE = frozenset({RefundState.REQUESTED, RefundState.SENT, RefundState.CONFIRMED})
OPEN = frozenset({RefundState.REQUESTED, RefundState.SENT})

UNSEEN = timedelta(hours=24)
"""Within this time a transaction that was sent shows up somewhere; else it failed, or its id is wrong."""

Place = tuple[str, str]
"""A chain and an asset on it."""

_THERE = frozenset({Standing.MEMPOOL, Standing.MINED, Standing.UNPLACED})


def judged(refund: Refund, deposits: Iterable[Deposit], view: View | None) -> Refund:
    """Return a refund with the state that the facts give it; `deposits` are those of its transaction.

    A transaction that nobody saw yet counts as sent, for a day. One that went away, or that pays too little,
    counts as none: the money is still owed. One that is there was sent, even if its refund was withdrawn.
    """
    return replace(refund, state=_state(refund, [d for d in deposits if _belongs(d, refund)], view))


def _state(refund: Refund, found: Sequence[Deposit], view: View | None) -> RefundState:
    """Return how far it is; `found` is what its transaction was seen to pay."""
    owed = RefundState.REQUESTED if refund.cancelled_at is None else RefundState.CANCELLED
    if not found:
        return RefundState.SENT if _may_come(refund, view) else owed
    there = [d for d in found if d.standing in _THERE]
    if sum(d.amount for d in there) < refund.arrives:
        return owed
    required = at_least(refund.confirmations, 1)
    deep = all(is_deep(d, required, view) for d in there)
    return RefundState.CONFIRMED if deep else RefundState.SENT


def _may_come(refund: Refund, view: View | None) -> bool:
    """Whether its transaction is waited for: not longer than the chain is proven to know nothing of it."""
    if refund.cancelled_at is not None or refund.txid is None:
        return False
    return view is None or refund.sent_at is None or view.as_of < refund.sent_at + UNSEEN


def _belongs(deposit: Deposit, refund: Refund) -> bool:
    wanted = (refund.chain, refund.txid, refund.address, refund.asset)
    return (deposit.chain, deposit.txid, deposit.address, deposit.asset) == wanted


@dataclass(frozen=True, slots=True)
class Purse:
    """What came in one asset on one chain, and where it went. Base units.

    `received`: everything confirmed, counted or not. `unconfirmed`: what is on its way. `needed`: what pays
    the invoice, out of what is counted. `unwanted`: confirmed, and of no use to the invoice. `refunded`: all
    refunds that stand; `returned`: those among them that leave the invoice as it is; `spared`: those among
    these that give back what was counted, too.
    """

    received: int = 0
    unconfirmed: int = 0
    needed: int = 0
    unwanted: int = 0
    refunded: int = 0
    returned: int = 0
    spared: int = 0

    @property
    def left(self) -> int:
        """What was received and is not refunded."""
        return max(0, self.received - self.refunded)

    @property
    def coming(self) -> int:
        """What will be left once everything is confirmed; less than nothing where refunded money vanished."""
        return self.received + self.unconfirmed - self.refunded

    @property
    def spare(self) -> int:
        """What can be given back without touching what pays the invoice."""
        return min(self.left, max(0, self.unwanted + self._above - self.returned))

    @property
    def idle(self) -> int:
        """What can be given back although the invoice is open: money that it has no use for."""
        return min(self.left, max(0, self.unwanted - (self.returned - self.spared)))

    @property
    def excess(self) -> int:
        """What is confirmed, counts, and is more than the invoice needs."""
        return min(self.spare, max(0, self._above - self.spared))

    @property
    def _above(self) -> int:
        return max(0, self.received - self.unwanted - self.needed)


def purses(
    invoice: Invoice, payments: Sequence[Payment], sums: Sequence[Sums], refunds: Iterable[Refund]
) -> dict[Place, Purse]:
    """Return what came, by chain and asset, and what of it is refunded."""
    found: dict[Place, Purse] = {}
    for payment in payments:
        if payment.rule not in NOT_RECEIVED:
            _add(found, (payment.deposit.chain, payment.deposit.asset), **_came(payment))
    for option, one in zip(invoice.options, sums, strict=True):
        _add(found, (option.chain, option.asset), needed=max(0, one.seen - one.excess))
    counted = {p.deposit.id for p in payments if p.counted}
    for refund in refunds:
        if refund.state in LIVE:
            returned = 0 if refund.settles else refund.amount
            spared = 0 if counted.isdisjoint(refund.covers) else returned
            _add(
                found,
                (refund.chain, refund.asset),
                refunded=refund.amount,
                returned=returned,
                spared=spared,
            )
    return found


def _came(payment: Payment) -> Mapping[str, int]:
    amount = payment.deposit.amount
    if not payment.final:
        return {"unconfirmed": amount}
    return {"received": amount, "unwanted": 0 if payment.rule in COUNTED else amount}


def _add(purses: dict[Place, Purse], place: Place, **more: int) -> None:
    old = purses.get(place, Purse())
    purses[place] = replace(old, **{name: getattr(old, name) + value for name, value in more.items()})


def covered_first(refunds: Iterable[Refund]) -> dict[Place, frozenset[str]]:
    """Return the deposits that were there when the first of these was requested, by chain and asset."""
    found: dict[Place, frozenset[str]] = {}
    for refund in sorted(refunds, key=lambda r: (r.at, r.id)):
        found.setdefault((refund.chain, refund.asset), refund.covers)
    return found


def covered(refunds: Iterable[Refund]) -> set[str]:
    """Return the deposits of which nothing waits any more, because a refund deals with them."""
    return {deposit for refund in refunds if refund.state in LIVE for deposit in refund.covers}
