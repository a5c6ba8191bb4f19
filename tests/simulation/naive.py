"""What must be true of an invoice, written down a second time, as plainly as possible.

Shares nothing with the matcher: sums over lists of coins, and the rules of the contract one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of the nouns
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from books import Bill, Debt, Offer


@dataclass(frozen=True)
class Coin:
    """A credit that stands. `height` is None in the mempool; `id` is the product's name of it.

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
    id: str = ""
    txid: str = ""
    slot: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Its chain and asset."""
        return self.chain, self.asset


@dataclass(frozen=True)
class Reach:
    """How much of a chain is proven."""

    height: int
    as_of: datetime
    safe: int | None
    finalized: int | None


@dataclass(frozen=True)
class Piles:
    """An invoice's money, sorted by what it is. `counted` and `held` together are what pays an option."""

    deadline: datetime
    accepted: datetime | None
    cancelled: bool
    mine: list[Coin]
    counted: list[Coin]
    held: list[Coin]
    wrong: list[Coin]
    usable: list[Coin]
    """What may make it paid."""
    in_time: list[Coin]


OPEN = ("pending", "partial", "confirming")


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


def share(bill: Bill, coins: Iterable[Coin]) -> Fraction:
    """Return how much of the invoice is paid by these coins."""
    total = Fraction(0)
    for coin in coins:
        offer = offer_for(bill, coin)
        assert offer is not None
        total += Fraction(coin.amount, offer.amount)
    return total


def is_deep(confirmations: str, coin: Coin, reach: Reach) -> bool:
    """Whether it is confirmed as it is asked for."""
    depth = reach.height - coin.height + 1 if coin.height is not None else 0
    if depth < coin.maturity or coin.waits:
        return False
    if confirmations in {"safe", "finalized"}:
        limit = reach.safe if confirmations == "safe" else reach.finalized
        return coin.height is not None and limit is not None and coin.height <= limit
    return depth >= int(confirmations)


def deep(bill: Bill, coins: Iterable[Coin], reaches: Mapping[str, Reach]) -> list[Coin]:
    found = []
    for coin in coins:
        offer = offer_for(bill, coin)
        known = offer is not None and coin.chain in reaches
        if known and is_deep(offer.confirmations, coin, reaches[coin.chain]):
            found.append(coin)
    return found


def pile(bill: Bill, standing: Sequence[Coin], states: Mapping[str, str]) -> Piles:
    """Sort the coins that stand at an invoice's addresses. `states`: how far its refunds are."""
    accepted = max((word.at for word in bill.words if word.kind == "accept"), default=None)
    cancelled = accepted is None and any(word.kind == "cancel" for word in bill.words)
    deadline = deadline_of(bill)
    monitored = bill.monitor_until + (deadline - bill.expires_at)
    mine = sorted(
        (c for c in standing if c.arrived >= bill.created_at),
        key=lambda c: (c.arrived, c.chain, c.txid, c.slot),
    )
    right = [c for c in mine if (o := offer_for(bill, c)) is not None and c.amount >= o.dust]
    before = [c for c in right if not _after_refund(bill, c, accepted, states)]
    in_time = [c for c in before if c.arrived <= deadline]
    late = [c for c in before if c.arrived > deadline]
    usable = list(in_time)
    if bill.late == "accept":
        usable += [c for c in late if c.arrived <= monitored]

    counted = list(usable)
    if accepted or funds(bill, in_time):
        limit = monitored if accepted is None else max(monitored, accepted)
        counted = in_time + [c for c in late if c.arrived <= limit]
    if cancelled:
        counted = []
    held = [c for c in right if c not in counted]
    wrong = [c for c in mine if offer_for(bill, c) is None]
    return Piles(deadline, accepted, cancelled, mine, counted, held, wrong, usable, in_time)


def settling(bill: Bill, accepted: datetime | None, states: Mapping[str, str]) -> list[Debt]:
    """Return the refunds that give the payment itself back, after it was accepted last."""
    return [
        d
        for d in bill.debts
        if d.settles and states[d.id] != "cancelled" and (accepted is None or d.at >= accepted)
    ]


def _after_refund(bill: Bill, coin: Coin, accepted: datetime | None, states: Mapping[str, str]) -> bool:
    """Whether the payment was given back before this came, or was known."""
    debts = sorted(settling(bill, accepted, states), key=lambda d: (d.at, d.id))
    here = [d for d in debts if d.place == coin.place]
    if here:
        return coin.id not in here[0].covers
    return bool(debts) and coin.arrived > debts[0].at


def paid_status(bill: Bill, piles: Piles, reaches: Mapping[str, Reach]) -> str:
    """Return the status that the payments alone give."""
    if piles.cancelled:
        return "cancelled"
    if piles.accepted or funds(bill, deep(bill, piles.usable, reaches)):
        return "paid"
    if funds(bill, piles.usable):
        return "confirming"
    if all(o.chain in reaches and reaches[o.chain].as_of >= piles.deadline for o in bill.offers):
        return "underpaid" if piles.counted else "expired"
    return "partial" if piles.counted else "pending"


def exceptions(bill: Bill, piles: Piles) -> frozenset[str]:
    """Return what is out of the ordinary; `reverted` is left out."""
    late = [c for c in piles.counted if c not in piles.in_time]
    if piles.accepted:
        stands_in = any(c.arrived <= piles.accepted for c in late)
    else:
        stands_in = bool(late) and bill.late == "accept" and not funds(bill, piles.in_time)
    taken = piles.accepted is not None and any(c.arrived <= piles.accepted for c in late)
    found = {
        "overpaid": share(bill, piles.counted) > 1,
        "late": bool(piles.held) or stands_in or taken,
        "wrong_asset": bool(piles.wrong),
        "accepted": bool(piles.accepted),
    }
    return frozenset(name for name, holds in found.items() if holds)


def seen(bill: Bill, piles: Piles) -> tuple[int, ...]:
    """Return the counted sum of each option."""
    return tuple(sum(c.amount for c in piles.counted if offer_for(bill, c) == o) for o in bill.offers)
