"""Which refund a merchant asks for: of what, how much, and whether there is so much. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.errors import Refused
from watcher.matcher_rules import NOT_RECEIVED
from watcher.model import Status
from watcher.money import format_amount, parse_amount
from watcher.refunds import LIVE, OPEN, Purse, purses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.drafts_merchant import RefundDraft
    from watcher.facts import Record
    from watcher.model import Payment, Refund
    from watcher.refunds import Place

CONFLICT = 409

_UNDECIDED = frozenset({Status.PENDING, Status.PARTIAL, Status.CONFIRMING})


@dataclass(frozen=True, slots=True)
class Plan:
    """A refund of so much of one asset. `payments` are the confirmed ones that it may be taken from.

    `covers`: every deposit of the asset that is there; `settles`: see model.Refund.
    """

    place: Place
    decimals: int
    amount: int
    settles: bool
    covers: frozenset[str]
    payments: tuple[Payment, ...]


def place_of(record: Record, draft: RefundDraft) -> Place:
    """Return the asset to give back: the one that came, unless several did."""
    came = [
        (p.deposit.chain, p.deposit.asset) for p in record.decision.payments if p.rule not in NOT_RECEIVED
    ]
    fitting = [
        (chain, asset)
        for chain, asset in dict.fromkeys(came)
        if draft.chain in (None, chain) and draft.asset in (None, asset)
    ]
    if not fitting:
        what = f"no {draft.asset}" if draft.asset else "nothing"
        where = f" on {draft.chain}" if draft.chain else ""
        raise _conflict("nothing_received", f"{what} was received{where}; there is nothing to give back")
    if len(fitting) > 1:
        known = ", ".join(f"{asset} on {chain}" for chain, asset in fitting)
        raise Refused("invalid", f"is required, with chain: there came {known}", field="asset")
    return fitting[0]


def plan(record: Record, draft: RefundDraft, place: Place, decimals: int) -> Plan:
    """Return the refund that is asked for; Refused says why it cannot be."""
    decision = record.decision
    found = purses(record.invoice, decision.payments, decision.options, decision.refunds)
    purse = found.get(place, Purse())
    amount = _amount(record, draft, place, decimals, purse)
    options = {(o.chain, o.asset) for o in record.invoice.options}
    spared = decision.status is Status.PAID and amount <= purse.spare
    open_ = decision.status in _UNDECIDED
    return Plan(
        place=place,
        decimals=decimals,
        amount=amount,
        settles=place in options and not open_ and not spared,
        covers=frozenset(p.deposit.id for p in _of(record, place)),
        payments=_spendable(record, place),
    )


def again(record: Record, refund: Refund) -> Plan:
    """Return the plan of a refund that was requested already."""
    place = (refund.chain, refund.asset)
    payments = _spendable(record, place)
    return Plan(place, refund.decimals, refund.amount, refund.settles, refund.covers, payments)


def _amount(record: Record, draft: RefundDraft, place: Place, decimals: int, purse: Purse) -> int:
    limit = _limit(record, place, purse)
    if draft.amount is None:
        return _default(record, place, purse, limit)
    try:
        amount = parse_amount(draft.amount, decimals)
    except ValueError as error:
        raise Refused("invalid_amount", f"{place[1]}: {error}", field="amount") from error
    if amount == 0:
        raise Refused("invalid_amount", "is zero; give back more than nothing", field="amount")
    if amount > limit:
        message = f"is more than the {format_amount(limit, decimals)} {place[1]} that can be given back"
        raise _conflict("amount_exceeds_received", message, field="amount")
    return amount


def _limit(record: Record, place: Place, purse: Purse) -> int:
    """Return how much can be given back; Refused where that is nothing."""
    if not purse.received:
        if purse.unconfirmed:
            raise _conflict("not_confirmed", "what came is not confirmed yet; wait, or it may vanish again")
        raise _conflict("nothing_received", "nothing was received that could be given back")
    if record.decision.status in _UNDECIDED:
        if not purse.idle:
            message = f"it is {record.decision.status}: what came pays it, and it is not decided yet"
            raise _conflict("not_underpaid", message)
        return purse.idle
    if not purse.left:
        raise _nothing_left(_standing(record.decision.refunds, place))
    return purse.left


def _default(record: Record, place: Place, purse: Purse, limit: int) -> int:
    """Return the excess of a paid invoice, or else all that is left; but nothing twice by mistake."""
    standing = _standing(record.decision.refunds, place)
    if record.decision.status is Status.PAID and purse.spare:
        return purse.spare
    if record.decision.status not in _UNDECIDED and any(r.state in OPEN for r in standing):
        raise _nothing_left(standing)
    if record.decision.status is Status.PAID and standing:
        message = "the excess was given back; name the amount to give back more"
        raise _conflict("already_refunded", message, field="amount")
    return limit


def _standing(refunds: Iterable[Refund], place: Place) -> list[Refund]:
    return [r for r in refunds if r.state in LIVE and (r.chain, r.asset) == place]


def _nothing_left(standing: Iterable[Refund]) -> Refused:
    if any(refund.state in OPEN for refund in standing):
        message = "a refund of it is under way; send it, withdraw it, or name an amount"
        return _conflict("already_refunding", message)
    return _conflict("already_refunded", "all of it was given back")


def _of(record: Record, place: Place) -> list[Payment]:
    return [
        p
        for p in record.decision.payments
        if (p.deposit.chain, p.deposit.asset) == place and p.rule not in NOT_RECEIVED
    ]


def _spendable(record: Record, place: Place) -> tuple[Payment, ...]:
    return tuple(p for p in _of(record, place) if p.final)


def _conflict(code: str, message: str, field: str | None = None) -> Refused:
    return Refused(code, message, field=field, status=CONFLICT)
