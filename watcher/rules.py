"""What a merchant may do with an invoice in each status, and why not otherwise: the table, and its reading.

Pure. README shows the same table; a property test walks random facts and actions, and finds every status and
answer in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from watcher.matcher_rules import NOT_RECEIVED
from watcher.model import ResolutionKind, Status
from watcher.waiting import undecided, waits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from watcher.facts import Record


class Act(StrEnum):
    """A merchant's decision about an invoice."""

    ACCEPT = "accept"
    EXTEND = "extend"
    REFUND = "refund"
    CANCEL = "cancel"


class Condition(StrEnum):
    """On what it depends whether an act is possible."""

    ALWAYS = "always"
    WITHOUT_PAYMENT = "without_payment"
    """Only when the merchant says that no payment is needed."""
    UNDECIDED = "undecided"
    """Only while money waits about which nothing was decided: late, in another asset, or too much."""
    RECEIVED = "received"
    """Only what was received and is confirmed, and not refunded yet."""
    IDLE = "idle"
    """Only confirmed money that the invoice has no use for."""
    UNSEEN = "unseen"
    """Only while nothing at all was seen."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Whether an act is possible in a status: on which condition, and the 409 code where it is not."""

    condition: Condition | None
    code: str


_NO_UNDERPAID = Rule(None, "not_underpaid")
_NO_PAID = Rule(None, "already_paid")
_NO_REFUNDING = Rule(None, "already_refunding")
_NO_REFUNDED = Rule(None, "already_refunded")
_NO_CANCELLED = Rule(None, "already_cancelled")
_NO_SEEN = Rule(None, "something_received")
_ALWAYS = Rule(Condition.ALWAYS, "")
_IDLE = Rule(Condition.IDLE, "not_underpaid")
_RECEIVED = Rule(Condition.RECEIVED, "nothing_received")
_UNSEEN = Rule(Condition.UNSEEN, "something_received")


def _waiting(code: str) -> Rule:
    return Rule(Condition.UNDECIDED, code)


TABLE: Mapping[Status, Mapping[Act, Rule]] = {
    Status.PENDING: {
        Act.ACCEPT: Rule(Condition.WITHOUT_PAYMENT, "nothing_received"),
        Act.EXTEND: _ALWAYS,
        Act.REFUND: _IDLE,
        Act.CANCEL: _UNSEEN,
    },
    Status.PARTIAL: {
        Act.ACCEPT: _ALWAYS,
        Act.EXTEND: _ALWAYS,
        Act.REFUND: _IDLE,
        Act.CANCEL: _NO_SEEN,
    },
    Status.CONFIRMING: {
        Act.ACCEPT: _NO_UNDERPAID,
        Act.EXTEND: _NO_UNDERPAID,
        Act.REFUND: _IDLE,
        Act.CANCEL: _NO_SEEN,
    },
    Status.PAID: {
        Act.ACCEPT: _waiting("already_paid"),
        Act.EXTEND: _NO_PAID,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: _NO_PAID,
    },
    Status.UNDERPAID: {
        Act.ACCEPT: _ALWAYS,
        Act.EXTEND: _ALWAYS,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: _NO_SEEN,
    },
    Status.EXPIRED: {
        Act.ACCEPT: _waiting("nothing_received"),
        Act.EXTEND: _ALWAYS,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: Rule(None, "already_expired"),
    },
    Status.REFUNDING: {
        Act.ACCEPT: _NO_REFUNDING,
        Act.EXTEND: _NO_REFUNDING,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: _NO_REFUNDING,
    },
    Status.REFUNDED: {
        Act.ACCEPT: _waiting("already_refunded"),
        Act.EXTEND: _NO_REFUNDED,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: _NO_REFUNDED,
    },
    Status.CANCELLED: {
        Act.ACCEPT: _waiting("already_cancelled"),
        Act.EXTEND: _NO_CANCELLED,
        Act.REFUND: _RECEIVED,
        Act.CANCEL: _NO_CANCELLED,
    },
}

_OPEN = {Status.PENDING, Status.PARTIAL, Status.CONFIRMING}
_OVER = {Status.UNDERPAID, Status.EXPIRED}
_BACK = {Status.REFUNDING, Status.REFUNDED}

AFTER: Mapping[Act, frozenset[Status]] = {
    Act.ACCEPT: frozenset({Status.PAID}),
    Act.EXTEND: frozenset(_OPEN | {Status.PAID}),
    Act.REFUND: frozenset({Status.REFUNDING}),
    Act.CANCEL: frozenset({Status.CANCELLED} | _BACK),
}
"""Where an act leads at once, if it does not leave the status as it is."""

BY_ITSELF: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PARTIAL, Status.CONFIRMING, Status.PAID} | _OVER | _BACK),
    Status.PARTIAL: frozenset({Status.PENDING, Status.CONFIRMING, Status.PAID} | _OVER | _BACK),
    Status.CONFIRMING: frozenset({Status.PENDING, Status.PARTIAL, Status.PAID} | _OVER | _BACK),
    Status.PAID: frozenset(_OPEN | _OVER | _BACK),
    Status.UNDERPAID: frozenset({Status.CONFIRMING, Status.PAID, Status.EXPIRED} | _BACK),
    Status.EXPIRED: frozenset({Status.CONFIRMING, Status.PAID, Status.UNDERPAID} | _BACK),
    Status.REFUNDING: frozenset(set(Status) - {Status.REFUNDING}),
    Status.REFUNDED: frozenset(set(Status) - {Status.REFUNDED}),
    Status.CANCELLED: frozenset(_BACK),
}
"""Where money that comes or goes, time, policies and the end of a refund lead without the merchant."""

WITHDRAWN = frozenset(set(Status) - {Status.PENDING})
"""Where it leads to withdraw a refund, if the status does not stay: what came since counts again."""


def obstacle(record: Record, act: Act, *, without_payment: bool = False) -> str | None:
    """Return the code of why an act is not possible now; None where it is.

    How much can be refunded, and where to, is checked beside it: see refunds.Purse.
    """
    rule = TABLE[record.decision.status][act]
    match rule.condition:
        case None:
            possible = False
        case Condition.ALWAYS | Condition.RECEIVED | Condition.IDLE:
            possible = True
        case Condition.WITHOUT_PAYMENT:
            possible = without_payment
        case Condition.UNDECIDED:
            possible = _is_undecided(record)
        case Condition.UNSEEN:
            possible = not any(p.rule not in NOT_RECEIVED for p in record.decision.payments)
    return None if possible else rule.code


def _is_undecided(record: Record) -> bool:
    """Whether money waits for the merchant, a refund that is to be sent left out."""
    at = accepted_at(record)
    if undecided(record.decision, at):
        return True
    alone = record.decision.status is Status.PAID and not record.decision.refunds
    return alone and waits(record.invoice, record.decision, at)


def accepted_at(record: Record) -> datetime | None:
    """Return when the merchant, or a policy, accepted the invoice last."""
    kind = ResolutionKind.ACCEPT
    return max((r.at for r in record.resolutions if r.kind is kind), default=None)


def possible(record: Record) -> list[Act]:
    """Return what the merchant may do now."""
    return [act for act in Act if obstacle(record, act, without_payment=True) is None]
