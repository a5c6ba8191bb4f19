"""What came of the attempts, written down: attempts, the next moment of each delivery, endpoints given up.

The other half of the outbox, in one transaction for any number of results. Knows no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, insert, or_, select, update

from watcher import audit, failpoint, results_overtaken
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.outbox import publish
from watcher.render import body, moment
from watcher.retry import HOLDING_ATTEMPTS, longest_hold, next_attempt
from watcher.tables import ATTEMPT, DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.claims import Claim

GIVE_UP_AFTER = timedelta(days=5)
"""An endpoint whose every attempt failed for so long is disabled."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt, made at `at`. `error` is None exactly when the receiver took the event."""

    claim: Claim
    at: datetime
    duration: timedelta
    status: int | None = None
    error: str | None = None
    answer: bytes | None = None
    retry_after: timedelta | None = None

    @property
    def ok(self) -> bool:
        """Whether the event was delivered."""
        return self.error is None


async def record(
    conn: AsyncConnection, results: Sequence[Result], now: datetime, random: Callable[[], float]
) -> bool:
    """Write results down, but those whose claim was taken over; return whether an event was told.

    `now` is when the waits begin.
    """
    standing = await _standing(conn, results)
    mine = [one for one in results if _token(standing.get(one.claim.delivery_id)) == one.claim.token]
    if not mine:
        return False
    await conn.execute(_write_attempt, [_attempt_values(result) for result in mine])
    rows = [standing[result.claim.delivery_id] for result in mine]
    verdicts = [_verdict(result, row, now, random()) for result, row in zip(mine, rows, strict=True)]
    await conn.execute(_write_verdict, verdicts)
    await results_overtaken.cancel(conn, mine)
    held = [_hold(r, v, now) for r, v in zip(mine, verdicts, strict=True) if _holds(r, v)]
    if held:
        await conn.execute(_hold_successors, held)
    telling = [result for result, row in zip(mine, rows, strict=True) if row.url == result.claim.url]
    await _judge(conn, telling)
    failpoint.hit("result.written")
    return await _disable(conn, telling, now)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A delivery's claim, state and attempts, and the URL of its endpoint."""

    claim: str | None
    state: str
    attempts: int
    url: str


async def _standing(conn: AsyncConnection, results: Sequence[Result]) -> dict[str, _Standing]:
    """Return how each delivery and its endpoint stand now: both may have changed while it was under way."""
    rows = await conn.execute(_read_standing, {"b_ids": [result.claim.delivery_id for result in results]})
    return {row.id: _Standing(row.claim, row.state, row.attempts, row.url) for row in rows}


def _token(row: _Standing | None) -> str | None:
    """Return whose claim it is: the fence against a sender that was too slow."""
    return row.claim if row else None


_read_standing = select(
    DELIVERY.c.id, DELIVERY.c.claim, DELIVERY.c.state, DELIVERY.c.attempts, ENDPOINT.c.url
)
_read_standing = _read_standing.join(ENDPOINT, ENDPOINT.c.id == DELIVERY.c.endpoint_id)
_read_standing = _read_standing.where(DELIVERY.c.id.in_(bindparam("b_ids", expanding=True)))
_write_attempt = insert(ATTEMPT).values(
    number=select(func.count() + 1).where(ATTEMPT.c.delivery_id == bindparam("b_delivery")).scalar_subquery()
)
_write_verdict = (
    update(DELIVERY)
    .where(DELIVERY.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        attempts=bindparam("b_attempts"),
        next_at=bindparam("b_next_at"),
        delivered_at=bindparam("b_delivered_at"),
        claim=None,
        claimed_until=None,
    )
)
_hold_successors = (
    update(DELIVERY)
    .where(
        DELIVERY.c.endpoint_id == bindparam("b_endpoint"),
        DELIVERY.c.subject == bindparam("b_subject"),
        DELIVERY.c.event_seq > bindparam("b_seq"),
        DELIVERY.c.state == "pending",
        DELIVERY.c.next_at < bindparam("b_until"),
    )
    .values(next_at=bindparam("b_until"))
)
"""They could not go before: without it the queue is searched past them again and again."""
_mend = (
    update(ENDPOINT)
    .where(ENDPOINT.c.id.in_(bindparam("b_ids", expanding=True)), ENDPOINT.c.failing_since.is_not(None))
    .values(failing_since=None)
)
_mark = (
    update(ENDPOINT)
    .where(ENDPOINT.c.id == bindparam("b_id"), ENDPOINT.c.failing_since.is_(None))
    .values(failing_since=bindparam("b_at"))
)


def _attempt_values(result: Result) -> dict[str, object]:
    return {
        "b_delivery": result.claim.delivery_id,
        "delivery_id": result.claim.delivery_id,
        "at": result.at,
        "duration_ms": result.duration // timedelta(milliseconds=1),
        "status": result.status,
        "error": result.error,
        "answer": result.answer,
    }


def _verdict(result: Result, row: _Standing, now: datetime, random: float) -> dict[str, Any]:
    """Return what becomes of a delivery; one that was cancelled under way is not tried again.

    The row's attempts count, not the claim's: an endpoint that was enabled or moved meanwhile began again.
    """
    attempts = row.attempts + 1
    last = result.ok or row.state == "cancelled"
    again = None if last else next_attempt(attempts, now, random, result.retry_after)
    failed = "pending" if again else "cancelled" if row.state == "cancelled" else "dead"
    return {
        "b_id": result.claim.delivery_id,
        "b_state": "delivered" if result.ok else failed,
        "b_attempts": attempts,
        "b_next_at": again,
        "b_delivered_at": now if result.ok else None,
    }


def _holds(result: Result, verdict: Mapping[str, Any]) -> bool:
    waits = verdict["b_state"] == "pending" and result.claim.subject is not None
    return waits and verdict["b_attempts"] < HOLDING_ATTEMPTS


def _hold(result: Result, verdict: Mapping[str, Any], now: datetime) -> dict[str, object]:
    claim = result.claim
    return {
        "b_endpoint": claim.endpoint_id,
        "b_subject": claim.subject,
        "b_seq": claim.event_seq,
        "b_until": min(verdict["b_next_at"], now + longest_hold(verdict["b_attempts"])),
    }


async def _judge(conn: AsyncConnection, results: Sequence[Result]) -> None:
    """Keep since when each endpoint has failed without a success in between."""
    good = {result.claim.endpoint_id for result in results if result.ok}
    if good:
        await conn.execute(_mend, {"b_ids": list(good)})
    bad = {r.claim.endpoint_id: r.at for r in reversed(results) if r.claim.endpoint_id not in good}
    if bad:
        await conn.execute(_mark, [{"b_id": endpoint_id, "b_at": at} for endpoint_id, at in bad.items()])


async def _disable(conn: AsyncConnection, results: Sequence[Result], now: datetime) -> bool:
    """Disable the endpoints that answered 410 or have failed for five days, and tell the others."""
    gone = {result.claim.endpoint_id for result in results if result.status == HTTPStatus.GONE}
    failed = {result.claim.endpoint_id for result in results if not result.ok}
    if not failed:
        return False
    given_up = ENDPOINT.c.failing_since <= now - GIVE_UP_AFTER
    rows = await conn.execute(
        update(ENDPOINT)
        .where(
            ENDPOINT.c.id.in_(failed), ENDPOINT.c.state == "active", or_(ENDPOINT.c.id.in_(gone), given_up)
        )
        .values(state="disabled")
        .returning(ENDPOINT.c.id, ENDPOINT.c.url)
    )
    events = []
    for endpoint_id, url in rows.all():
        reason = (
            "the receiver answered 410 Gone" if endpoint_id in gone else "every attempt of five days failed"
        )
        why = update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(disabled_reason=reason)
        await conn.execute(why)
        await audit.note(conn, audit.SYSTEM, "webhook.disable", endpoint_id, now, reason=reason)
        events.append(_disabled(endpoint_id, url, reason, now))
    if events:
        await publish(conn, events, now)
    return bool(events)


def _disabled(endpoint_id: str, url: str, reason: str, now: datetime) -> Event:
    kind = EventType.WEBHOOK_DISABLED
    data = {"webhook": {"id": endpoint_id, "url": url}, "reason": reason, "since": moment(now)}
    return Event(id=new_id("evt"), type=kind, occurred_at=now, body=body(kind, now, data))
