"""What is due, and who is sending it: the queue of deliveries and the claims on them.

Each function is a few statements inside the caller's transaction; none knows HTTP. A claim is a short lease:
the send happens outside of any transaction, and its result counts only while the claim is still the sender's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, and_, bindparam, func, or_, select, update

from watcher import failpoint
from watcher.formats_event import message_id
from watcher.ids import new_id
from watcher.retry import HOLDING_ATTEMPTS, longest_hold
from watcher.tables import ATTEMPT, DELIVERY, ENDPOINT, EVENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

LEASE = timedelta(seconds=60)
"""Longer than a send may take (20 seconds): a claim expires only together with its sender."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in this sender's hands. `attempts` were made before; `secrets` is the endpoint's column."""

    token: str
    delivery_id: str
    event_id: str
    event_seq: int
    part: int
    subject: str | None
    attempts: int
    body: bytes
    endpoint_id: str
    url: str
    format: str
    secrets: str = field(repr=False)
    success_body: str | None

    @property
    def message_id(self) -> str:
        """What the receiver knows it by: the event's id, and a number behind it for its further parts."""
        return message_id(self.event_id, self.part)


@dataclass(frozen=True, slots=True)
class Lane:
    """An active endpoint for which something waits: since when something may go, and when more falls due."""

    endpoint_id: str
    url: str
    due_since: datetime | None
    next_at: datetime | None

    @property
    def due(self) -> bool:
        """Whether something may go now."""
        return self.due_since is not None


_now = bindparam("now", type_=DELIVERY.c.next_at.type)
_mine, _other = DELIVERY.alias("mine"), DELIVERY.alias("other")


def _holding() -> ColumnElement[bool]:
    """Whether an event that is not due still holds its successors: it was not tried, or only just failed."""
    tried = select(func.max(ATTEMPT.c.at)).where(ATTEMPT.c.delivery_id == _other.c.id).scalar_subquery()
    kind = DELIVERY.c.next_at.type
    waits = [
        and_(_other.c.attempts == n, tried > bindparam(f"held_{n}", type_=kind))
        for n in range(1, HOLDING_ATTEMPTS)
    ]
    return or_(_other.c.attempts == 0, *waits)


def _before() -> ColumnElement[bool]:
    """Whether the other goes first: it tells of an earlier event, or is an earlier part of the same."""
    same = and_(_other.c.event_seq == _mine.c.event_seq, _other.c.part < _mine.c.part)
    return or_(_other.c.event_seq < _mine.c.event_seq, same)


def _moments(now: datetime) -> dict[str, datetime]:
    """Return the values of every moment in the queries."""
    return {"now": now} | {f"held_{n}": now - longest_hold(n) for n in range(1, HOLDING_ATTEMPTS)}


_HELD = (
    select(_other.c.id)
    .where(
        _other.c.endpoint_id == _mine.c.endpoint_id,
        _other.c.subject == _mine.c.subject,
        _other.c.state == "pending",
        _other.c.id != _mine.c.id,
        or_(
            _other.c.claimed_until > _now,
            and_(_before(), or_(_other.c.next_at <= _now, _holding())),
        ),
    )
    .correlate(_mine)
    .exists()
)
_MAY_GO = (
    _mine.c.state == "pending",
    _mine.c.next_at <= _now,
    or_(_mine.c.claimed_until.is_(None), _mine.c.claimed_until <= _now),
    ~_HELD,
)
"""Of all that is due of one invoice at one endpoint, this is true of at most one: the earliest event."""


def _lanes() -> Select[Any]:
    pending = DELIVERY.c.state == "pending"
    lane = select(func.min(DELIVERY.c.endpoint_id).label("id")).where(pending).cte("lane", recursive=True)
    following = select(func.min(DELIVERY.c.endpoint_id)).where(pending, DELIVERY.c.endpoint_id > lane.c.id)
    lane = lane.union_all(select(following.scalar_subquery()).where(lane.c.id.is_not(None)))
    first = select(_mine.c.next_at).where(*_MAY_GO, _mine.c.endpoint_id == lane.c.id)
    later = pending, DELIVERY.c.endpoint_id == lane.c.id, DELIVERY.c.next_at > _now
    return (
        select(
            lane.c.id,
            ENDPOINT.c.url,
            first.order_by(_mine.c.next_at).limit(1).correlate(lane).scalar_subquery(),
            select(func.min(DELIVERY.c.next_at)).where(*later).scalar_subquery(),
        )
        .join(ENDPOINT, ENDPOINT.c.id == lane.c.id)
        .where(ENDPOINT.c.state == "active")
        .order_by(lane.c.id)
    )


def _eligible() -> Select[Any]:
    """Select what may be sent now, the longest due first, at most `each` of one endpoint."""
    queue = select(_mine.c.id).where(*_MAY_GO, _mine.c.endpoint_id == ENDPOINT.c.id)
    queue = queue.order_by(_mine.c.next_at).limit(bindparam("each", type_=Integer)).correlate(ENDPOINT)
    return (
        select(DELIVERY.c.id, DELIVERY.c.endpoint_id)
        .join_from(ENDPOINT, DELIVERY, DELIVERY.c.id.in_(queue))
        .where(ENDPOINT.c.id.in_(bindparam("ids", expanding=True)), ENDPOINT.c.state == "active")
        .order_by(DELIVERY.c.next_at, DELIVERY.c.event_seq, DELIVERY.c.part)
    )


_LANES, _ELIGIBLE = _lanes(), _eligible()
"""Built once: to build them costs more than to run them."""
_TAKEN: ColumnElement[bool] = DELIVERY.c.id.in_(bindparam("ids", expanding=True))
_TAKE = update(DELIVERY).where(_TAKEN)
_TAKE = _TAKE.values(claim=bindparam("token"), claimed_until=bindparam("until"))
_CLAIMS: Select[Any] = (
    select(
        DELIVERY.c.claim,
        DELIVERY.c.id,
        DELIVERY.c.event_id,
        DELIVERY.c.event_seq,
        DELIVERY.c.part,
        DELIVERY.c.subject,
        DELIVERY.c.attempts,
        func.coalesce(DELIVERY.c.body, EVENT.c.body),
        ENDPOINT.c.id,
        ENDPOINT.c.url,
        ENDPOINT.c.format,
        ENDPOINT.c.secrets,
        ENDPOINT.c.success_body,
    )
    .join(EVENT, EVENT.c.seq == DELIVERY.c.event_seq)
    .join(ENDPOINT, ENDPOINT.c.id == DELIVERY.c.endpoint_id)
    .where(_TAKEN)
    .order_by(DELIVERY.c.event_seq)
)


async def lanes(conn: AsyncConnection, now: datetime) -> list[Lane]:
    """Return the active endpoints for which something waits, by id. What is under way or held is not due.

    Leaps from one endpoint to the next in the index: the work grows with the endpoints, not with what waits.
    """
    return [Lane(*row) for row in await conn.execute(_LANES, _moments(now))]


async def claim(
    conn: AsyncConnection, rooms: Mapping[str, int], limit: int, now: datetime
) -> Sequence[Claim]:
    """Take up to `limit` due deliveries, at most as many of each endpoint as it has room.

    The endpoints take turns in the order of `rooms`. One event of an invoice at a time to one endpoint, in
    order; one that failed lets its successors pass after its third attempt, or when that would have been.
    """
    ids = list(rooms)[:limit]
    if not ids:
        return []
    values = {"ids": ids, "each": max(rooms.values())}
    queues: dict[str, list[str]] = {endpoint_id: [] for endpoint_id in ids}
    for delivery_id, endpoint_id in await conn.execute(_ELIGIBLE, _moments(now) | values):
        queues[endpoint_id].append(delivery_id)
    turns = chain.from_iterable(zip_longest(*(queue[: rooms[one]] for one, queue in queues.items())))
    return await _take(conn, [one for one in turns if one is not None][:limit], now)


async def _take(conn: AsyncConnection, ids: Sequence[str], now: datetime) -> Sequence[Claim]:
    if not ids:
        return []
    await conn.execute(_TAKE, {"ids": ids, "token": new_id("clm"), "until": now + LEASE})
    failpoint.hit("claim.written")
    return [Claim(*row) for row in await conn.execute(_CLAIMS, {"ids": ids})]


async def release_all(conn: AsyncConnection) -> None:
    """Give up every claim: at the start of the only sender, those of the one before it."""
    claimed = DELIVERY.c.claim.is_not(None)
    await conn.execute(update(DELIVERY).where(claimed).values(claim=None, claimed_until=None))


async def pending(conn: AsyncConnection) -> int:
    """Return how many deliveries wait, those of disabled endpoints included."""
    query = select(func.count()).select_from(DELIVERY).where(DELIVERY.c.state == "pending")
    return int((await conn.execute(query)).scalar_one())
