"""What must be true of money that is given back, and of what happens by itself: the contract once more.

Shares nothing with the product's refunds, rules, policies and waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from naive import OPEN, deep, exceptions, is_deep, offer_for, paid_status, pile, seen, settling, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from books import Bill, Debt
    from naive import Coin, Piles, Reach

Place = tuple[str, str]

LONGEST = timedelta(days=30)
UNSEEN = timedelta(hours=24)
"""After which a transaction that nobody saw counts as none, from the next block on: until then, either."""
ENDED = ("expired", "cancelled", "refunding", "refunded")


@dataclass(frozen=True)
class Verdict:
    """What the invoice's row must say. `seen` is the counted sum of each option."""

    status: str
    exceptions: frozenset[str]
    seen: tuple[int, ...]
    needs_action: bool


@dataclass(frozen=True)
class Wish:
    """What a policy has to do now: "accept", "extend" until a moment, or "refund" so much."""

    kind: str
    until: datetime | None = None
    place: Place | None = None
    amount: int = 0
    covers: frozenset[str] = frozenset()
    settles: bool = False


@dataclass(frozen=True)
class Purse:
    """Money of one asset: what came, and what of it is promised back.

    `sure`: received for certain; `unsure`: not deep enough yet; `idle`: of what is sure, what the invoice has
    no use for; `above`: of what is sure and counts, what it does not need. `spared`: promised without
    touching what pays the invoice; `trimmed`: of that, what gives back counted money.
    """

    sure: int
    unsure: int
    idle: int
    above: int
    promised: int
    spared: int
    trimmed: int

    @property
    def left(self) -> int:
        """What can still be given back at all."""
        return max(0, self.sure - self.promised)

    @property
    def spare(self) -> int:
        """What can be given back while the invoice stays paid."""
        return min(self.left, max(0, self.idle + self.above - self.spared))

    @property
    def unused(self) -> int:
        """What can be given back while the invoice is open."""
        return min(self.left, max(0, self.idle - (self.spared - self.trimmed)))


class Case:
    """One invoice with all that is known of it at a moment. `states`: how far each refund is, by its id."""

    def __init__(
        self, bill: Bill, coins: Sequence[Coin], reaches: Mapping[str, Reach], states: Mapping[str, str]
    ) -> None:
        self.bill = bill
        self.reaches = reaches
        self.states = states
        self.piles: Piles = pile(bill, coins, states)
        self.status = self._status()

    def _status(self) -> str:
        status = paid_status(self.bill, self.piles, self.reaches)
        debts = settling(self.bill, self.piles.accepted, self.states)
        if status in OPEN or not debts or (status == "paid" and self._is_kept()):
            return status
        return "refunded" if all(self.states[d.id] == "confirmed" for d in debts) else "refunding"

    def _is_kept(self) -> bool:
        """Whether enough is kept of what counts, whatever was promised back."""
        total = Fraction(0)
        for offer in self.bill.offers:
            place = (offer.chain, offer.asset)
            counted = sum(c.amount for c in self.piles.counted if offer_for(self.bill, c) == offer)
            useless = sum(c.amount for c in self.piles.mine if (c.chain, c.asset) == place) - counted
            spared = sum(d.amount for d in self.live() if d.place == place and not d.settles)
            promised = sum(d.amount for d in self.live() if d.place == place and d.settles)
            total += Fraction(max(0, counted - promised - max(0, spared - useless)), offer.minimum)
        return total >= 1

    def verdict(self) -> Verdict:
        """Return what the invoice's row must say."""
        piles = self.piles
        return Verdict(self.status, exceptions(self.bill, piles), seen(self.bill, piles), self.waits())

    def live(self) -> list[Debt]:
        return [d for d in self.bill.debts if self.states[d.id] != "cancelled"]

    # --- money

    def is_sure(self, coin: Coin) -> bool:
        """Whether it is in a block, and as deep as a payment has to be."""
        if coin.height is None or coin.waits or coin.chain not in self.reaches:
            return False
        offer = offer_for(self.bill, coin)
        asked = offer.confirmations if offer else self.chain_rule(coin.chain)
        return is_deep(asked, coin, self.reaches[coin.chain])

    def chain_rule(self, chain: str) -> str:
        """Return how deep lies what no option asks for: like the chain's first, but in a block."""
        asked = next(o.confirmations for o in self.bill.offers if o.chain == chain)
        return "1" if asked == "0" else asked

    def excess(self) -> dict[Place, int]:
        """Return what is too much: in the asset paid last and, if that is not all, the one before."""
        more = share(self.bill, self.piles.counted) - 1
        found: dict[Place, int] = {}
        for coin in reversed(self.piles.counted):
            offer = offer_for(self.bill, coin)
            assert offer is not None
            if more > 0 and (offer.chain, offer.asset) not in found:
                paid = [c for c in self.piles.counted if offer_for(self.bill, c) == offer]
                mine = min(more, share(self.bill, paid))
                found[offer.chain, offer.asset] = floor(mine * offer.amount)
                more -= mine
        return found

    def purse(self, place: Place) -> Purse:
        here = [c for c in self.piles.mine if c.place == place]
        sure = sum(c.amount for c in here if self.is_sure(c))
        idle = sum(c.amount for c in here if self.is_sure(c) and c not in self.piles.counted)
        needed = sum(c.amount for c in here if c in self.piles.counted) - self.excess().get(place, 0)
        debts = [d for d in self.live() if d.place == place]
        counted = {c.id for c in self.piles.counted}
        return Purse(
            sure=sure,
            unsure=sum(c.amount for c in here) - sure,
            idle=idle,
            above=max(0, sure - idle - needed),
            promised=sum(d.amount for d in debts),
            spared=sum(d.amount for d in debts if not d.settles),
            trimmed=sum(d.amount for d in debts if not d.settles and d.covers & counted),
        )

    # --- what waits

    def undecided(self) -> list[Coin]:
        """Return the money about which somebody has to say something, and nobody did."""
        dealt = {id_ for d in self.live() for id_ in d.covers}
        since = self.piles.accepted
        found = [c for c in self.piles.mine if c in self.piles.held or c in self.piles.wrong]
        return [c for c in found if c.id not in dealt and (since is None or c.arrived > since)]

    def withdrawn(self) -> set[str]:
        return {id_ for d in self.bill.debts if self.states[d.id] == "cancelled" for id_ in d.covers}

    def waits(self) -> bool:
        """Whether the merchant has to do something."""
        if any(self.states[d.id] == "requested" for d in self.bill.debts):
            return True
        if self._unsettled() or (self.status == "underpaid" and not self._settles_itself()):
            return True
        return self._excess_waits()

    def _unsettled(self) -> bool:
        """Whether somebody has to say something about money, and no policy will."""
        waiting = self.undecided()
        back = [c for c in waiting if self._goes_back(c)]
        return len(back) < len(waiting) or not self._is_there(back)

    def _is_there(self, coins: Sequence[Coin]) -> bool:
        """Whether these can be given back once they are deep enough: some that was refunded may be gone."""
        for place in {c.place for c in coins}:
            purse = self.purse(place)
            wanted = sum(c.amount for c in coins if c.place == place)
            if wanted > purse.sure + purse.unsure - purse.promised:
                return False
        return True

    def _goes_back(self, coin: Coin) -> bool:
        if coin.id in self.withdrawn():
            return False
        late = coin in self.piles.held
        return (self.bill.late if late else self.bill.usage.wrong_asset) == "refund"

    def _settles_itself(self) -> bool:
        usage, counted = self.bill.usage, self.piles.counted
        if usage.accept is not None and share(self.bill, counted) >= usage.accept:
            return True
        untried = not any(c.id in self.withdrawn() for c in counted)
        return usage.underpaid == "refund" and untried and self._is_there(counted)

    def _excess_waits(self) -> bool:
        if self.status != "paid" or self.bill.usage.overpaid != "hold":
            return False
        since = self.piles.accepted
        if since is not None and all(c.arrived <= since for c in self.piles.counted):
            return False
        return any(too_much > self.purse(place).trimmed for place, too_much in self.excess().items())

    # --- what happens by itself

    def wish(self) -> Wish | None:
        """Return what a policy has to do; None when there is nothing, or nothing to do it with."""
        for wish in self._wishes():
            if wish.place is None or wish.amount <= self.purse(wish.place).left:
                return wish
        return None

    def _wishes(self) -> Iterator[Wish]:
        yield from self._extension()
        usage = self.bill.usage
        sure = share(self.bill, deep(self.bill, self.piles.counted, self.reaches))
        if self.status == "underpaid" and usage.accept is not None and sure >= usage.accept:
            yield Wish("accept")
        tried = self.withdrawn()
        free = [c for c in self.undecided() if self.is_sure(c) and c.id not in tried]
        if self.bill.late == "refund":
            late = [c for c in free if c in self.piles.held]
            yield from _back(late, settles=self.status in ENDED)
        if usage.wrong_asset == "refund":
            yield from _back([c for c in free if c in self.piles.wrong], settles=False)
        counted = self.piles.counted
        certain = all(self.is_sure(c) and c.id not in tried for c in counted)
        if usage.underpaid == "refund" and self.status == "underpaid" and certain:
            yield from _back(counted, settles=True)
        if usage.overpaid == "refund" and self.status == "paid":
            yield from self._excess(tried)

    def _extension(self) -> Iterator[Wish]:
        floating = any(c.height is None for c in self.piles.counted)
        step, deadline = timedelta(seconds=self.bill.usage.extend), self.piles.deadline
        if not step or self.status != "confirming" or not floating:
            return
        proven = min(self.reaches[o.chain].as_of for o in self.bill.offers)
        if proven < deadline or deadline - self.bill.expires_at + step > LONGEST:
            return
        until = deadline
        while until <= proven:
            until += step
        yield Wish("extend", min(until, self.bill.expires_at + LONGEST))

    def _excess(self, tried: set[str]) -> Iterator[Wish]:
        fresh = [c for c in self.piles.counted if self.is_sure(c) and c.id not in tried]
        for place in dict.fromkeys(c.place for c in self.piles.mine):
            here = [c for c in fresh if c.place == place]
            covers, purse = frozenset(c.id for c in here), self.purse(place)
            given = sum(d.amount for d in self.live() if d.covers & covers)
            enough = sum(c.amount for c in here) - given
            amount = min(purse.spare, purse.above - purse.trimmed, enough)
            if amount > 0:
                yield Wish("refund", None, place, amount, covers, settles=False)


def _back(coins: Sequence[Coin], *, settles: bool) -> Iterator[Wish]:
    for place in dict.fromkeys(c.place for c in coins):
        here = [c for c in coins if c.place == place]
        covers = frozenset(c.id for c in here)
        yield Wish("refund", None, place, sum(c.amount for c in here), covers, settles)


def state_of(debt: Debt, there: Sequence[Coin] | None, reach: Reach | None) -> str:
    """Return how far a refund is.

    `there`: the credits that its transaction brings to its destination; None if nobody ever saw any.
    """
    owed = "cancelled" if debt.cancelled else "requested"
    if there is None:
        late = reach is not None and debt.sent_at is not None and reach.as_of >= debt.sent_at + UNSEEN
        if debt.cancelled or debt.txid is None:
            return owed
        return debt.state if late and debt.state in {"sent", "requested"} else "sent"
    if sum(c.amount for c in there) < debt.arrives:
        return owed
    rule = "1" if debt.confirmations == "0" else debt.confirmations
    sure = reach is not None and all(c.height is not None and is_deep(rule, c, reach) for c in there)
    return "confirmed" if sure else "sent"
