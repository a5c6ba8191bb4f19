"""The export as it is read: invoices with all that moved, then what came to standing addresses, page by page.

Invoices go by the time of their creation, oldest first, whatever they are chosen by: neither that nor their
ids ever change, so that no page lacks or repeats one. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, or_, select

from watcher import facts, facts_standings
from watcher.export_items import deposit_item, invoice_item
from watcher.listing import Cursor
from watcher.tables import ADDRESS, DEPOSIT, INVOICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.export_items import Known

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """Invoices that were created, or paid, from `after` until before `before`; deposits that came then."""

    after: datetime | None = None
    before: datetime | None = None
    by: Literal["created", "paid"] = "created"


async def invoices(
    conn: AsyncConnection, wanted: ExportFilter, start: Cursor | None, limit: int, known: Known
) -> tuple[list[Item], Cursor | None]:
    """Return one page of invoices after `start`, and where the next page starts, None after the last."""
    created, id_ = INVOICE.c.created_at, INVOICE.c.id
    column = INVOICE.c.paid_at if wanted.by == "paid" else created
    chosen = [] if wanted.by == "created" else [column.is_not(None)]
    query = select(id_, created).where(*chosen, *_period(wanted, column), *_after(start))
    rows = (await conn.execute(query.order_by(created, id_).limit(limit))).all()
    records = await facts.load(conn, [row.id for row in rows])
    views = await facts.views(conn)
    items = [invoice_item(records[row.id], views, known) for row in rows]
    return items, Cursor(rows[-1].created_at, rows[-1].id) if len(rows) == limit else None


async def deposits(
    conn: AsyncConnection, wanted: ExportFilter, start: tuple[str, str] | None, limit: int, known: Known
) -> tuple[list[Item], tuple[str, str] | None]:
    """Return one page of deposits to standing addresses, address by address, and where the next starts."""
    address, deposit = ADDRESS.c.standing_id, DEPOSIT.c.id
    later = [] if start is None else [or_(address > start[0], and_(address == start[0], deposit > start[1]))]
    query = (
        select(DEPOSIT, address)
        .join_from(
            ADDRESS, DEPOSIT, (DEPOSIT.c.chain == ADDRESS.c.chain) & (DEPOSIT.c.address == ADDRESS.c.address)
        )
        .where(address.is_not(None), *_period(wanted, DEPOSIT.c.arrived_at), *later)
        .order_by(address, deposit)
        .limit(limit)
    )
    rows = (await conn.execute(query)).all()
    views = await facts.views(conn)
    owners = await facts_standings.load(conn, {row.standing_id for row in rows})
    items = [deposit_item(owners[row.standing_id], facts.deposit(row), views, known) for row in rows]
    return items, (rows[-1].standing_id, rows[-1].id) if len(rows) == limit else None


def _period(wanted: ExportFilter, column: Column[Any]) -> Iterator[ColumnElement[bool]]:
    if wanted.after is not None:
        yield column >= wanted.after
    if wanted.before is not None:
        yield column < wanted.before


def _after(start: Cursor | None) -> Iterator[ColumnElement[bool]]:
    created, id_ = INVOICE.c.created_at, INVOICE.c.id
    if start is not None:
        yield created >= start.created_at  # what an index can begin at
        yield or_(created > start.created_at, id_ > start.id)
