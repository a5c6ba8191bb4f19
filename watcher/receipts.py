"""A standing address, and what is told of what it receives. Pure: facts in, happenings out.

What was told last is a fact, too: the same facts, told once, tell nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003 - part of the noun
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from chains.base import UNATTRIBUTED
from watcher.finality import at_least, depth, is_deep
from watcher.model import EventType, Happening, Payment, PaymentStatus, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.model import Confirmations, Deposit, View


class Rule(StrEnum):
    """What a deposit is to a standing address."""

    CREDITED = "credited"
    BEFORE = "before_address"
    UNATTRIBUTED = "unattributed"
    ARCHIVED = "archived"
    WRONG_CHAIN = "wrong_chain"


class Last(StrEnum):
    """What a shop believes of a deposit, from what it was told."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ASIDE = "aside"
    """It is there, and is nobody's."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last of a deposit, and of which money: another branch may credit something else."""

    last: Last
    amount: int
    asset: str
    address: str


@dataclass(frozen=True, slots=True)
class Depths:
    """How deep deposits have to lie: the first step that is large enough, above all of them `above`.

    A step's limit is in the asset's unit, whichever asset it is.
    """

    above: Confirmations
    steps: tuple[tuple[Fraction, Confirmations], ...] = ()

    def required(self, amount: int, decimals: int) -> Confirmations:
        """Return the rule for so many base units."""
        units = Fraction(amount, 10**decimals)
        return next((rule for limit, rule in self.steps if units <= limit), self.above)


@dataclass(frozen=True, slots=True)
class StandingAddress:
    """One customer's address, for any amount and as long as wanted. `sequence` is that of its last event."""

    id: str
    chain: str
    address: str
    depths: Depths
    created_at: datetime
    archived_at: datetime | None = None
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0


_ASIDE = {
    Rule.UNATTRIBUTED: EventType.DEPOSIT_UNMATCHED,
    Rule.ARCHIVED: EventType.DEPOSIT_UNMATCHED,
    Rule.WRONG_CHAIN: EventType.DEPOSIT_WRONG_ASSET,
}
_GONE = {
    Standing.REPLACED: PaymentStatus.REPLACED,
    Standing.DROPPED: PaymentStatus.REPLACED,
    Standing.REORGANISED: PaymentStatus.REVERTED,
}
_REASON = {Standing.REPLACED: "replaced", Standing.DROPPED: "dropped"}


def judge(mine: StandingAddress, deposit: Deposit, view: View | None, decimals: int) -> Payment:
    """Return what a deposit is to an address, and how far it is. `counted`: it is the customer's."""
    rule = _rule(mine, deposit)
    required = _required(mine, deposit, rule, decimals)
    deep = is_deep(deposit, required, view)
    there = PaymentStatus.CONFIRMED if deep else PaymentStatus.PENDING
    status = PaymentStatus.IGNORED if rule is Rule.BEFORE else _GONE.get(deposit.standing, there)
    return Payment(
        deposit=deposit,
        option=None,
        status=status,
        rule=rule,
        counted=rule is Rule.CREDITED,
        late=False,
        net=deposit.amount,
        confirmations=depth(deposit, view),
        required=at_least(required, deposit.maturity),
        final=deep and deposit.standing is Standing.MINED,
    )


def _rule(mine: StandingAddress, deposit: Deposit) -> Rule:
    if deposit.arrived_at < mine.created_at:
        return Rule.BEFORE
    if deposit.slot.startswith(UNATTRIBUTED):
        return Rule.UNATTRIBUTED
    if deposit.chain != mine.chain:
        return Rule.WRONG_CHAIN
    late = mine.archived_at is not None and deposit.arrived_at >= mine.archived_at
    return Rule.ARCHIVED if late else Rule.CREDITED


def _required(mine: StandingAddress, deposit: Deposit, rule: Rule, decimals: int) -> Confirmations:
    """Return the rule for a deposit: a block where 0 would trust an unsound unconfirmed transaction."""
    if rule is Rule.WRONG_CHAIN:
        return 1
    required = mine.depths.required(deposit.amount, decimals)
    unsound = deposit.risk is not None and deposit.standing is not Standing.MINED
    return 1 if unsound and required == 0 else required


def news(told: Told | None, payment: Payment) -> Iterator[Happening]:
    """Yield what a shop has to learn about a deposit, in order, after what it was told before."""
    was = told.last if told else None
    if told is not None and was is not Last.GONE and not _same(told, payment.deposit):
        yield _withdrawn(told, payment)
        was = None
    now = belief(payment)
    if now is Last.GONE:
        if was not in (None, Last.GONE):
            yield Happening(EventType.DEPOSIT_REVERTED, payment, _why(payment))
    elif now is Last.ASIDE:
        if was is not Last.ASIDE:
            yield Happening(_ASIDE[Rule(payment.rule)], payment)
    elif now is not None:
        yield from _credited(was, now, payment)


def _withdrawn(told: Told, payment: Payment) -> Happening:
    """Take back what was told of a transaction that credits something else, or elsewhere, on this branch."""
    was = replace(payment.deposit, amount=told.amount, asset=told.asset, address=told.address)
    gone = replace(payment, deposit=was, net=was.amount, status=PaymentStatus.REVERTED)
    return Happening(EventType.DEPOSIT_REVERTED, gone, "reorganised")


def _credited(was: Last | None, now: Last, payment: Payment) -> Iterator[Happening]:
    """Tell of the customer's money. What was gone and waits again is told once it is confirmed."""
    if was in (None, Last.ASIDE):
        yield Happening(EventType.DEPOSIT_DETECTED, payment)
    if now is Last.CONFIRMED and was is not Last.CONFIRMED:
        yield Happening(EventType.DEPOSIT_CONFIRMED, payment)
    if now is Last.PENDING and was is Last.CONFIRMED:
        yield Happening(EventType.DEPOSIT_REVERTED, payment, _why(payment))


def now_told(told: Told | None, payment: Payment) -> Told | None:
    """Return what is told of a deposit once its news are."""
    last = belief(payment)
    deposit = payment.deposit
    if last is None or (last is Last.GONE and told is None):
        return told
    if last is Last.PENDING and told is not None and told.last is Last.GONE:
        return told
    return Told(last, deposit.amount, deposit.asset, deposit.address)


def belief(payment: Payment) -> Last | None:
    """Return what a shop is to believe of a deposit; None: nothing at all."""
    if payment.status is PaymentStatus.IGNORED:
        return None
    if payment.deposit.standing in _GONE:
        return Last.GONE
    if payment.rule in _ASIDE:
        return Last.ASIDE
    return Last.CONFIRMED if payment.status is PaymentStatus.CONFIRMED else Last.PENDING


def is_settled(payment: Payment) -> bool:
    """Whether no new block can change it: an unconfirmed transaction can always be replaced."""
    floating = payment.deposit.standing in (Standing.MEMPOOL, Standing.UNPLACED)
    return payment.status is not PaymentStatus.PENDING and not floating


def _same(told: Told, deposit: Deposit) -> bool:
    return (told.amount, told.asset, told.address) == (deposit.amount, deposit.asset, deposit.address)


def _why(payment: Payment) -> str:
    return _REASON.get(payment.deposit.standing, "reorganised")
