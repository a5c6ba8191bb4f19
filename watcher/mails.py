"""The rows of mails: which are due, which are taken, what came of them. Works in the caller's transaction.

A mail is committed as `sending` before it is handed over, and whatever is found so after a crash is never
sent again: a payer gets one reminder, or in the worst case none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, select, update

from watcher import facts
from watcher.model import Status
from watcher.tables import MAIL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record


class MailState(StrEnum):
    """How far a mail is."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """Handed to the server, whose answer nobody heard: perhaps sent, never sent again."""


FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
_JITTER = 0.1
_CRASHED = "the daemon ended before the server's answer was recorded"
_UNPAID = frozenset({Status.PENDING, Status.PARTIAL})
_MEANWHILE = {
    Status.CONFIRMING: "paid meanwhile",
    Status.PAID: "paid meanwhile",
    Status.CANCELLED: "cancelled meanwhile",
    Status.REFUNDING: "refunded meanwhile",
    Status.REFUNDED: "refunded meanwhile",
}
_LATE = "too late"


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that is to be sent now, with its invoice as it stands. `attempts`: this one included."""

    id: str
    recipient: str
    deadline: datetime
    attempts: int
    record: Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of handing a mail over. `state` PENDING: it was certainly not taken, and is tried again."""

    state: MailState
    error: str | None = None


_settle = (
    update(MAIL)
    .where(MAIL.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        error=bindparam("b_error"),
        next_at=bindparam("b_next_at"),
        sent_at=bindparam("b_sent_at"),
    )
)


async def are_due(conn: AsyncConnection, now: datetime) -> bool:
    """Whether there is anything to claim."""
    return await conn.scalar(select(MAIL.c.id).where(_due(now)).limit(1)) is not None


async def claim(conn: AsyncConnection, now: datetime, limit: int) -> tuple[list[Claim], dict[str, str]]:
    """Take up to `limit` mails that are due; return them, and by id why others are not sent any more."""
    rows = (await conn.execute(select(MAIL).where(_due(now)).order_by(MAIL.c.next_at).limit(limit))).all()
    records = await facts.load(conn, [row.invoice_id for row in rows])
    taken: list[Claim] = []
    dropped: dict[str, str] = {}
    for row in rows:
        record = records[row.invoice_id]
        reason = _needless(record, row.deadline, now)
        if reason:
            dropped[row.id] = reason
        else:
            taken.append(Claim(row.id, row.recipient, row.deadline, row.attempts + 1, record))
    for id_, reason in dropped.items():
        await _write(conn, id_, Outcome(MailState.FAILED, reason), None, now)
    sending = {"state": MailState.SENDING.value, "attempts": MAIL.c.attempts + 1, "next_at": None}
    await conn.execute(update(MAIL).where(MAIL.c.id.in_([one.id for one in taken])).values(**sending))
    return taken, dropped


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(MAIL.c.state == MailState.PENDING.value, MAIL.c.next_at <= now)


def _needless(record: Record, deadline: datetime, now: datetime) -> str | None:
    """Return why a reminder of this deadline is not to be sent any more, None if it is."""
    decision = record.decision
    if decision.status not in _UNPAID:
        return _MEANWHILE.get(decision.status, _LATE)
    if decision.deadline != deadline:
        return "the deadline was moved meanwhile"
    return _LATE if now >= deadline else None


async def record(
    conn: AsyncConnection, results: Sequence[tuple[Claim, Outcome]], now: datetime, random: float
) -> None:
    """Write down what came of claims; `random`, from [0, 1), spreads the waits until the next attempt."""
    for one, outcome in results:
        again = None
        if outcome.state is MailState.PENDING:
            again = now + wait(one.attempts, random)
        if again and again >= one.deadline:
            again, outcome = None, Outcome(MailState.FAILED, f"{outcome.error}; no time to try again")  # noqa: PLW2901
        await _write(conn, one.id, outcome, again, now)


def wait(attempts: int, random: float) -> timedelta:
    """Return the wait after so many failed attempts: it doubles, up to a quarter of an hour."""
    doubled = FIRST_WAIT.total_seconds() * (1 << min(attempts - 1, 10))
    plain = min(timedelta(seconds=doubled), LONGEST_WAIT)
    return plain * (1 - _JITTER + 2 * _JITTER * random)


async def doubt(conn: AsyncConnection) -> list[str]:
    """Give up what a process before was sending when it died; return the ids."""
    left = update(MAIL).where(MAIL.c.state == MailState.SENDING.value)
    rows = await conn.execute(
        left.values(state=MailState.UNCERTAIN.value, error=_CRASHED).returning(MAIL.c.id)
    )
    return [row.id for row in rows]


async def counts(conn: AsyncConnection) -> dict[str, int]:
    """Return the number of mails in every state."""
    rows = await conn.execute(select(MAIL.c.state, func.count()).group_by(MAIL.c.state))
    found = {state: int(number) for state, number in rows.all()}
    return {state.value: found.get(state.value, 0) for state in MailState}


async def _write(
    conn: AsyncConnection, id_: str, outcome: Outcome, again: datetime | None, now: datetime
) -> None:
    sent_at = now if outcome.state is MailState.SENT else None
    values = {"b_state": outcome.state.value, "b_error": outcome.error, "b_next_at": again}
    await conn.execute(_settle, {"b_id": id_, "b_sent_at": sent_at, **values})
