"""What was told to whom: events, deliveries and their attempts, as lists and `explain` show them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, func, select

from watcher.errors import Refused
from watcher.formats_event import message_id
from watcher.listing import Cursor, below, following
from watcher.render import moment
from watcher.tables import ATTEMPT, DELIVERY, ENDPOINT, EVENT
from watcher.untrusted import readable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection


_BEGINNING, _WHOLE = 500, 4096
"""So many bytes of an answer a list shows, and one delivery for itself."""


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
        _read()
        .where(*_conditions(wanted), *below(DELIVERY, start))
        .order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    shown = rows[:limit]
    attempts = await _attempts(conn, [row.id for row in shown], _BEGINNING)
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


async def delivery(conn: AsyncConnection, delivery_id: str) -> dict[str, Any]:
    """Return one with its body, every attempt and all that is kept of the answers; Refused (404) if none."""
    query = (
        _read()
        .join(ENDPOINT, ENDPOINT.c.id == DELIVERY.c.endpoint_id)
        .add_columns(
            func.coalesce(DELIVERY.c.body, EVENT.c.body).label("posted"),
            ENDPOINT.c.url,
            ENDPOINT.c.format,
            ENDPOINT.c.state.label("webhook_state"),
        )
    )
    row = (await conn.execute(query.where(DELIVERY.c.id == delivery_id))).one_or_none()
    if row is None:
        raise Refused("not_found", f"there is no delivery {delivery_id}", status=404)
    shown = _delivery(row, (await _attempts(conn, [row.id], _WHOLE))[row.id])
    return shown | {
        "url": row.url,
        "format": row.format,
        "webhook_state": row.webhook_state,
        "message_id": message_id(row.event_id, row.part),
        "body": row.posted.decode(),
    }


def _read() -> Select[Any]:
    columns = [column for column in DELIVERY.c if column is not DELIVERY.c.body]
    of_event = (EVENT.c.type.label("event_type"), EVENT.c.invoice_id, EVENT.c.standing_id)
    return select(*columns, *of_event).join(EVENT, EVENT.c.seq == DELIVERY.c.event_seq)


async def events_of(conn: AsyncConnection, invoice_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest events of an invoice, oldest of them first, without their bodies."""
    columns = (EVENT.c.seq, EVENT.c.id, EVENT.c.type, EVENT.c.sequence, EVENT.c.occurred_at)
    query = select(*columns).where(EVENT.c.invoice_id == invoice_id)
    rows = (await conn.execute(query.order_by(EVENT.c.seq.desc()).limit(limit))).all()
    return [{**row._mapping, "occurred_at": moment(row.occurred_at)} for row in reversed(rows)]  # noqa: SLF001


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events: an empty collection does not restrict. Each has an index that knows the order, too."""

    invoice_id: Collection[str] = ()
    address_id: Collection[str] = ()


async def events_after(
    conn: AsyncConnection, after: int, limit: int, wanted: EventFilter = EventFilter()
) -> list[dict[str, Any]]:
    """Return the events after a `seq` in order, as pull and stream carry them.

    With one writer at a time, none appears before an older one.
    """
    columns = ((EVENT.c.invoice_id, wanted.invoice_id), (EVENT.c.standing_id, wanted.address_id))
    only = [column.in_(values) for column, values in columns if values]
    query = select(EVENT.c.seq, EVENT.c.id, EVENT.c.body).where(EVENT.c.seq > after, *only)
    rows = await conn.execute(query.order_by(EVENT.c.seq).limit(limit))
    return [{"seq": row.seq, "id": row.id, **json.loads(row.body)} for row in rows]


async def invoices_after(conn: AsyncConnection, after: int) -> tuple[int, set[str]]:
    """Return the newest `seq`, and every invoice that an event after an older one tells of."""
    rows = (await conn.execute(select(EVENT.c.seq, EVENT.c.invoice_id).where(EVENT.c.seq > after))).all()
    return max((row.seq for row in rows), default=after), {row.invoice_id for row in rows if row.invoice_id}


async def last_seq(conn: AsyncConnection) -> int:
    """Return the `seq` of the newest event, 0 before the first."""
    return (await conn.execute(select(func.max(EVENT.c.seq)))).scalar() or 0


async def _attempts(
    conn: AsyncConnection, ids: Sequence[str], length: int
) -> dict[str, list[dict[str, Any]]]:
    """Return the attempts of each delivery with so many bytes of their answers."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    begun = func.substr(ATTEMPT.c.answer, 1, length, type_=LargeBinary).label("begun")
    columns = [column for column in ATTEMPT.c if column is not ATTEMPT.c.answer]
    query = select(*columns, begun, func.length(ATTEMPT.c.answer).label("size"))
    query = query.where(ATTEMPT.c.delivery_id.in_(ids)).order_by(ATTEMPT.c.id)
    for row in await conn.execute(query):
        found[row.delivery_id].append(
            {
                "number": row.number,
                "at": moment(row.at),
                "duration_ms": row.duration_ms,
                "status": row.status,
                "error": row.error,
                "answer": _answer(row.begun, row.size),
            }
        )
    return found


def _answer(begun: bytes | None, size: int | None) -> str | None:
    """Return what is shown of an answer of that size; of none at all SQLite's substr makes NULL."""
    if size is None:
        return None
    return readable(begun or b"") + ("…" if size > len(begun or b"") else "")


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
