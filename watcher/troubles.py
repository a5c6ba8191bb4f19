"""What is not as it should be on a chain: standing alerts, and blocks that have to be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from watcher.model import UNPROVEN, Gap, GapReason
from watcher.render import moment
from watcher.tables import ADDRESS, ALERT, GAP, INVOICE

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

SHOWN = 20
"""Invoices named for one gap; more are only counted by `explain`, one by one."""


async def alerts(connection: AsyncConnection, chain: str) -> list[dict[str, Any]]:
    """Return the standing alerts of a chain as the API shows them, oldest first."""
    rows = await connection.execute(select(ALERT).where(ALERT.c.chain == chain).order_by(ALERT.c.id))
    return [
        {"kind": row.kind, "subject": row.subject, "detail": row.detail, "since": moment(row.since)}
        for row in rows
    ]


async def gaps(connection: AsyncConnection, chain: str) -> list[Gap]:
    """Return the blocks of a chain that have to be read again, oldest gap first."""
    rows = await connection.execute(select(GAP).where(GAP.c.chain == chain).order_by(GAP.c.id))
    return [
        Gap(row.id, row.chain, row.first, row.last, row.after, row.upto, GapReason(row.reason), row.detail)
        for row in rows
    ]


async def shown_gaps(connection: AsyncConnection, chain: str) -> list[dict[str, Any]]:
    """Return the gaps of a chain as the API shows them, each with the open invoices that wait for it."""
    return [
        {
            "from": gap.first,
            "to": gap.last,
            "reason": gap.reason.value,
            "detail": gap.detail,
            "open_invoices": await _waiting(connection, gap),
        }
        for gap in await gaps(connection, chain)
    ]


async def unread_for(connection: AsyncConnection, invoice_id: str) -> list[dict[str, Any]]:
    """Return the blocks that may hold something for an invoice and were not read: no deadline passes them."""
    mine = (GAP.c.chain == ADDRESS.c.chain) & (GAP.c.after < ADDRESS.c.id) & (ADDRESS.c.id <= GAP.c.upto)
    unproven = GAP.c.reason.in_([reason.value for reason in UNPROVEN])
    query = select(GAP).join(ADDRESS, mine).where(ADDRESS.c.invoice_id == invoice_id, unproven)
    rows = await connection.execute(query.distinct().order_by(GAP.c.id))
    return [
        {"chain": row.chain, "from": row.first, "to": row.last, "reason": row.reason, "detail": row.detail}
        for row in rows
    ]


async def _waiting(connection: AsyncConnection, gap: Gap) -> list[str]:
    query = (
        select(INVOICE.c.id)
        .join(ADDRESS, ADDRESS.c.invoice_id == INVOICE.c.id)
        .where(ADDRESS.c.chain == gap.chain, ADDRESS.c.id > gap.after, ADDRESS.c.id <= gap.upto)
        .where(INVOICE.c.closed_at.is_(None))
        .distinct()
        .order_by(INVOICE.c.id)
        .limit(SHOWN)
    )
    return list(await connection.scalars(query))
