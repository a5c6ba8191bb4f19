"""Known bugs in decisions, refunds, policies, reminders and standing addresses. See planted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from watcher import (
    decisions_saved,
    idempotency,
    matcher,
    merchant,
    policy,
    receipts,
    refund_plan,
    refund_sent,
    refunds,
    reminders,
    standings,
    waiting,
)
from watcher.model import PaymentStatus, Standing

if TYPE_CHECKING:
    from collections.abc import Callable


def refund_is_confirmed_at_sight() -> tuple[Any, str, Any]:
    """A refund's transaction needs no blocks."""
    return refunds, "is_deep", lambda *_: True


def refund_stays_sent() -> tuple[Any, str, Any]:
    """A refund's transaction that was dropped, replaced or reorganised away still counts."""
    return refunds, "_THERE", frozenset(Standing)


def refund_is_not_looked_for() -> tuple[Any, str, Any]:
    """A refund that was mined before its transaction was told is never found."""

    async def broken(*_: Any) -> None:
        return

    return refund_sent, "_read_again", broken


def refund_has_no_limit() -> tuple[Any, str, Any]:
    """What was promised back can be promised once more."""
    return refund_plan, "_limit", lambda _record, _place, purse: purse.received + purse.unconfirmed or 1


def covers_are_ignored() -> tuple[Any, str, Any]:
    """What a refund deals with still waits, and is given back again."""
    return waiting, "covered", lambda *_: set()


def unconfirmed_is_accepted() -> tuple[Any, str, Any]:
    """The policy accepts a part that no block holds."""
    right = policy.shares_accepted
    return policy, "shares_accepted", lambda invoice, decision, **_: right(invoice, decision, confirmed=False)


def extension_counts_twice() -> tuple[Any, str, Any]:
    right = matcher._terms

    def broken(invoice: Any, *rest: Any) -> Any:
        terms = right(invoice, *rest)
        return replace(terms, deadline=terms.deadline + (terms.deadline - invoice.expires_at))

    return matcher, "_terms", broken


def ignored_money_never_ripens() -> tuple[Any, str, Any]:
    """New blocks do not look again at what fits no option, so that it is never sure enough to go back."""
    right = decisions_saved._is_settled

    def broken(payment: Any) -> bool:
        mined = payment.deposit.standing is Standing.MINED
        return right(payment) or (mined and payment.status is PaymentStatus.IGNORED)

    return decisions_saved, "_is_settled", broken


def sequence_is_not_looked_at() -> tuple[Any, str, Any]:
    """Two merchants decide about the same invoice at once."""
    right = merchant.check

    def broken(record: Any, act: Any, draft: Any, **options: Any) -> None:
        right(record, act, draft.model_copy(update={"sequence": None}), **options)

    return merchant, "check", broken


def answer_is_not_kept() -> tuple[Any, str, Any]:
    """A request that is repeated under its key is done again."""

    async def broken(*_: Any) -> None:
        return

    return idempotency, "remember", broken


def reminder_is_repeated() -> tuple[Any, str, Any]:
    right = reminders.moment

    def broken(invoice: Any, *rest: Any) -> Any:
        return right(replace(invoice, reminded_for=None), *rest)

    return reminders, "moment", broken


def deposit_is_told_again() -> tuple[Any, str, Any]:
    """What was told of a deposit to a standing address is forgotten."""
    return standings, "now_told", lambda told, _: told


def archived_address_takes_money() -> tuple[Any, str, Any]:
    right = receipts._rule

    def broken(*rest: Any) -> Any:
        rule = right(*rest)
        return receipts.Rule.CREDITED if rule is receipts.Rule.ARCHIVED else rule

    return receipts, "_rule", broken


REFUNDS = (
    refund_is_confirmed_at_sight,
    refund_stays_sent,
    refund_is_not_looked_for,
    refund_has_no_limit,
)
POLICIES = (covers_are_ignored, unconfirmed_is_accepted, ignored_money_never_ripens)
MERCHANT = (
    extension_counts_twice,
    sequence_is_not_looked_at,
    answer_is_not_kept,
    reminder_is_repeated,
)
CUSTOMERS = (deposit_is_told_again, archived_address_takes_money)
BUGS: tuple[Callable[[], tuple[Any, str, Any]], ...] = (*REFUNDS, *POLICIES, *MERCHANT, *CUSTOMERS)
OFTEN = {
    **{bug.__name__: "refunds" for bug in REFUNDS},
    **{bug.__name__: "policies" for bug in POLICIES},
    **{bug.__name__: "merchant" for bug in MERCHANT},
    **{bug.__name__: "customers" for bug in CUSTOMERS},
}
"""Where each is looked for: the family of operations that has to do with it."""
