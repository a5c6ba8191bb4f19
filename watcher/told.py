"""What was told to whom: events, deliveries and their attempts, as lists and `explain` show them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from watcher.listing import Cursor, below, following
from watcher.render import moment
from watcher.tables import ATTEMPT, DELIVERY, EVENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries: an empty collection does not restrict."""

    id: Collection[str] = ()
    event_id: Collection[str] = ()
    webhook_id: Collection[str] = ()
    invoice_id: Collection[str] = ()
    address_id: Collection[str] = ()
    state: Collection[str] = ()


async def deliveries(
    conn: AsyncConnection, wanted: DeliveryFilter, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page, newest first, with every attempt, and the cursor of the next page."""
    start = Cursor.decode(cursor) if cursor is not None else None
    query = (
        select(DELIVERY, EVENT.c.type.label("event_type"), EVENT.c.invoice_id, EVENT.c.standing_id)
        .join(EVENT, EVENT.c.seq == DELIVERY.c.event_seq)
        .where(*_conditions(wanted), *below(DELIVERY, start))
        .order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    shown = rows[:limit]
    attempts = await _attempts(conn, [row.id for row in shown])
    return [_delivery(row, attempts[row.id]) for row in shown], following(rows, limit)


def _conditions(wanted: DeliveryFilter) -> Iterator[ColumnElement[bool]]:
    columns = (
        (DELIVERY.c.id, wanted.id),
        (DELIVERY.c.event_id, wanted.event_id),
        (DELIVERY.c.endpoint_id, wanted.webhook_id),
        (DELIVERY.c.subject, wanted.invoice_id),
        (DELIVERY.c.subject, wanted.address_id),
        (DELIVERY.c.state, wanted.state),
    )
    return (column.in_(values) for column, values in columns if values)


async def events_of(conn: AsyncConnection, invoice_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest events of an invoice, oldest of them first, without their bodies."""
    columns = (EVENT.c.seq, EVENT.c.id, EVENT.c.type, EVENT.c.sequence, EVENT.c.occurred_at)
    query = select(*columns).where(EVENT.c.invoice_id == invoice_id)
    rows = (await conn.execute(query.order_by(EVENT.c.seq.desc()).limit(limit))).all()
    return [{**row._mapping, "occurred_at": moment(row.occurred_at)} for row in reversed(rows)]  # noqa: SLF001


async def events_after(conn: AsyncConnection, after: int, limit: int) -> list[dict[str, Any]]:
    """Return the events after a `seq` in order, as pull and stream carry them.

    With one writer at a time, none appears before an older one.
    """
    query = select(EVENT.c.seq, EVENT.c.id, EVENT.c.body).where(EVENT.c.seq > after)
    rows = await conn.execute(query.order_by(EVENT.c.seq).limit(limit))
    return [{"seq": row.seq, "id": row.id, **json.loads(row.body)} for row in rows]


async def last_seq(conn: AsyncConnection) -> int:
    """Return the `seq` of the newest event, 0 before the first."""
    return (await conn.execute(select(func.max(EVENT.c.seq)))).scalar() or 0


async def _attempts(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    query = select(ATTEMPT).where(ATTEMPT.c.delivery_id.in_(ids)).order_by(ATTEMPT.c.id)
    for row in await conn.execute(query):
        found[row.delivery_id].append(
            {
                "number": row.number,
                "at": moment(row.at),
                "duration_ms": row.duration_ms,
                "status": row.status,
                "error": row.error,
            }
        )
    return found


def _delivery(row: Any, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "webhook_id": row.endpoint_id,
        "invoice_id": row.invoice_id,
        "address_id": row.standing_id,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": moment(row.created_at),
        "next_at": moment(row.next_at),
        "delivered_at": moment(row.delivered_at),
        "history": attempts,
    }
