"""What must be true of an invoice, written down a second time, as plainly as possible.

Shares nothing with the matcher: sums over lists of coins, and the rules of the contract one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from books import Bill, Offer


@dataclass(frozen=True)
class Coin:
    """A credit that stands. `height` is None in the mempool.

    `waits`: its block left the chain, and the branch that took its place is not read to its end; or what it
    spends is not confirmed itself.
    """

    chain: str
    asset: str
    address: str
    amount: int
    arrived: datetime
    height: int | None
    maturity: int = 0
    waits: bool = False


@dataclass(frozen=True)
class Reach:
    """How much of a chain is proven."""

    height: int
    as_of: datetime
    safe: int | None
    finalized: int | None


@dataclass(frozen=True)
class Verdict:
    """What the invoice's row must say. `seen` is the counted sum of each option."""

    status: str
    exceptions: frozenset[str]
    seen: tuple[int, ...]


def deadline_of(bill: Bill) -> datetime:
    return max([bill.expires_at, *(word.until for word in bill.words if word.until)])


def offer_for(bill: Bill, coin: Coin) -> Offer | None:
    for offer in bill.offers:
        if (offer.chain, offer.asset, offer.address) == (coin.chain, coin.asset, coin.address):
            return offer
    return None


def funds(bill: Bill, coins: Iterable[Coin]) -> bool:
    """Whether each option's sum over its minimum adds up to 1."""
    total = Fraction(0)
    for coin in coins:
        offer = offer_for(bill, coin)
        assert offer is not None
        total += Fraction(coin.amount, offer.minimum)
    return total >= 1


def is_deep(offer: Offer, coin: Coin, reach: Reach) -> bool:
    """Whether it is confirmed as its option asks."""
    depth = reach.height - coin.height + 1 if coin.height is not None else 0
    if depth < coin.maturity or coin.waits:
        return False
    if offer.confirmations in {"safe", "finalized"}:
        limit = reach.safe if offer.confirmations == "safe" else reach.finalized
        return coin.height is not None and limit is not None and coin.height <= limit
    return depth >= int(offer.confirmations)


def deep(bill: Bill, coins: Iterable[Coin], reaches: Mapping[str, Reach]) -> list[Coin]:
    found = []
    for coin in coins:
        offer = offer_for(bill, coin)
        if offer is not None and coin.chain in reaches and is_deep(offer, coin, reaches[coin.chain]):
            found.append(coin)
    return found


def judge(bill: Bill, standing: Sequence[Coin], reaches: Mapping[str, Reach]) -> Verdict:
    """Return what the coins that stand at this invoice's addresses make of it; `reverted` is left out."""
    accepted = [word.at for word in bill.words if word.kind == "accept"]
    cancelled = not accepted and any(word.kind == "cancel" for word in bill.words)
    deadline = deadline_of(bill)
    monitored = bill.monitor_until + (deadline - bill.expires_at)
    standing = [c for c in standing if c.arrived >= bill.created_at]
    right = [c for c in standing if (o := offer_for(bill, c)) is not None and c.amount >= o.dust]
    wrong = [c for c in standing if offer_for(bill, c) is None]
    in_time = [c for c in right if c.arrived <= deadline]
    late = [c for c in right if c.arrived > deadline]
    usable = list(in_time)
    if bill.late == "accept":
        usable += [c for c in late if c.arrived <= monitored]

    counted = list(usable)
    if accepted or funds(bill, in_time):
        counted = in_time + [c for c in late if c.arrived <= max([monitored, *accepted[:1]])]
    if cancelled:
        counted = []

    if cancelled:
        status = "cancelled"
    elif accepted or funds(bill, deep(bill, usable, reaches)):
        status = "paid"
    elif funds(bill, usable):
        status = "confirming"
    elif all(o.chain in reaches and reaches[o.chain].as_of >= deadline for o in bill.offers):
        status = "underpaid" if counted else "expired"
    else:
        status = "partial" if counted else "pending"

    exceptions = {
        "overpaid": _share(bill, counted) > 1,
        "late": _is_late(bill, right, late, counted, accepted=bool(accepted)),
        "wrong_asset": bool(wrong),
        "accepted": bool(accepted),
    }
    seen = tuple(sum(c.amount for c in counted if offer_for(bill, c) == offer) for offer in bill.offers)
    return Verdict(status, frozenset(name for name, holds in exceptions.items() if holds), seen)


def _share(bill: Bill, coins: Iterable[Coin]) -> Fraction:
    total = Fraction(0)
    for coin in coins:
        offer = offer_for(bill, coin)
        assert offer is not None
        total += Fraction(coin.amount, offer.amount)
    return total


def _is_late(
    bill: Bill, right: Sequence[Coin], late: Sequence[Coin], counted: Sequence[Coin], *, accepted: bool
) -> bool:
    """Whether money waits for the merchant, or counted although it was late."""
    if len(counted) < len(right):
        return True
    in_time = [coin for coin in right if coin not in late]
    return bool(late) and bill.late == "accept" and not accepted and not funds(bill, in_time)
