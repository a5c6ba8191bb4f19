"""What is due, and who is sending it: the queue of deliveries and the claims on them.

Each function is a few statements inside the caller's transaction; none knows HTTP. A claim is a short lease:
the send happens outside of any transaction, and its result counts only while the claim is still the sender's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, update

from watcher.ids import new_id
from watcher.retry import HOLDING_ATTEMPTS
from watcher.tables import DELIVERY, ENDPOINT, EVENT

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
    invoice_id: str | None
    attempts: int
    body: bytes
    endpoint_id: str
    url: str
    secrets: str
    success_body: str | None


@dataclass(frozen=True, slots=True)
class Lane:
    """An active endpoint for which something waits: whether now, and when more falls due."""

    endpoint_id: str
    due: bool
    next_at: datetime | None


async def lanes(conn: AsyncConnection, now: datetime) -> list[Lane]:
    """Return the active endpoints for which something waits, by id.

    Leaps from one endpoint to the next in the index: the work grows with the endpoints, not with what waits.
    """
    pending = DELIVERY.c.state == "pending"
    lane = select(func.min(DELIVERY.c.endpoint_id).label("id")).where(pending).cte("lane", recursive=True)
    following = select(func.min(DELIVERY.c.endpoint_id)).where(pending, DELIVERY.c.endpoint_id > lane.c.id)
    lane = lane.union_all(select(following.scalar_subquery()).where(lane.c.id.is_not(None)))
    first = select(func.min(DELIVERY.c.next_at)).where(pending, DELIVERY.c.endpoint_id == lane.c.id)
    query = (
        select(lane.c.id, first.scalar_subquery(), first.where(DELIVERY.c.next_at > now).scalar_subquery())
        .join(ENDPOINT, ENDPOINT.c.id == lane.c.id)
        .where(ENDPOINT.c.state == "active")
        .order_by(lane.c.id)
    )
    return [Lane(row[0], row[1] <= now, row[2]) for row in await conn.execute(query)]


async def claim(
    conn: AsyncConnection, rooms: Mapping[str, int], limit: int, now: datetime
) -> Sequence[Claim]:
    """Take up to `limit` due deliveries, at most as many of each endpoint as it has room.

    The endpoints take turns in the order of `rooms`. One event of an invoice at a time to one endpoint, in
    order; one that failed lets its successors pass after its third attempt.
    """
    ids = list(rooms)[:limit]
    if not ids:
        return []
    found = await conn.execute(_eligible(ids, max(rooms.values()), now))
    queues: dict[str, dict[str, str]] = {endpoint_id: {} for endpoint_id in ids}
    for row in found:
        queue = queues[row.endpoint_id]
        if len(queue) < rooms[row.endpoint_id]:
            queue.setdefault(row.invoice_id or row.id, row.id)
    turns = chain.from_iterable(zip_longest(*(queue.values() for queue in queues.values())))
    return await _take(conn, [one for one in turns if one is not None][:limit], now)


def _eligible(endpoint_ids: Sequence[str], each: int, now: datetime) -> Select[tuple[str, str, str | None]]:
    """Select what may be sent now, the longest due first, at most `each` of one endpoint."""
    mine, other = DELIVERY.alias("mine"), DELIVERY.alias("other")
    held = (
        select(other.c.id)
        .where(
            other.c.endpoint_id == mine.c.endpoint_id,
            other.c.invoice_id == mine.c.invoice_id,
            other.c.state == "pending",
            other.c.id != mine.c.id,
            or_(
                other.c.claimed_until > now,
                and_(other.c.event_seq < mine.c.event_seq, other.c.attempts < HOLDING_ATTEMPTS),
            ),
        )
        .exists()
    )
    free = or_(mine.c.claimed_until.is_(None), mine.c.claimed_until <= now)
    queue = (
        select(mine.c.id)
        .where(
            mine.c.state == "pending",
            mine.c.endpoint_id == ENDPOINT.c.id,
            mine.c.next_at <= now,
            free,
            ~held,
        )
        .order_by(mine.c.next_at)
        .limit(each)
        .correlate(ENDPOINT)
    )
    return (
        select(DELIVERY.c.id, DELIVERY.c.endpoint_id, DELIVERY.c.invoice_id)
        .join_from(ENDPOINT, DELIVERY, DELIVERY.c.id.in_(queue))
        .where(ENDPOINT.c.id.in_(endpoint_ids), ENDPOINT.c.state == "active")
        .order_by(DELIVERY.c.next_at, DELIVERY.c.event_seq)
    )


async def _take(conn: AsyncConnection, ids: Sequence[str], now: datetime) -> Sequence[Claim]:
    if not ids:
        return []
    token = new_id("clm")
    mine: ColumnElement[bool] = DELIVERY.c.id.in_(ids)
    await conn.execute(update(DELIVERY).where(mine).values(claim=token, claimed_until=now + LEASE))
    query = (
        select(
            DELIVERY.c.claim,
            DELIVERY.c.id,
            DELIVERY.c.event_id,
            DELIVERY.c.event_seq,
            DELIVERY.c.invoice_id,
            DELIVERY.c.attempts,
            EVENT.c.body,
            ENDPOINT.c.id,
            ENDPOINT.c.url,
            ENDPOINT.c.secrets,
            ENDPOINT.c.success_body,
        )
        .join(EVENT, EVENT.c.seq == DELIVERY.c.event_seq)
        .join(ENDPOINT, ENDPOINT.c.id == DELIVERY.c.endpoint_id)
        .where(mine)
        .order_by(DELIVERY.c.event_seq)
    )
    return [Claim(*row) for row in await conn.execute(query)]


async def release_all(conn: AsyncConnection) -> None:
    """Give up every claim: at the start of the only sender, those of the one before it."""
    claimed = DELIVERY.c.claim.is_not(None)
    await conn.execute(update(DELIVERY).where(claimed).values(claim=None, claimed_until=None))


async def pending(conn: AsyncConnection) -> int:
    """Return how many deliveries wait, those of disabled endpoints included."""
    query = select(func.count()).select_from(DELIVERY).where(DELIVERY.c.state == "pending")
    return int((await conn.execute(query)).scalar_one())
