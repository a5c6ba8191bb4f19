"""The audit trail as it is read: who did what to what, when and why. Adds nothing to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from watcher.render import moment
from watcher.tables import AUDIT, REFUND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; what is empty does not restrict. An invoice stands for its refunds as well."""

    subject: Collection[str] = ()
    actor: Collection[str] = ()
    action: Collection[str] = ()


async def newest(
    conn: AsyncConnection, wanted: AuditFilter, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page, newest first, and the cursor of the next: entries with a smaller number follow."""
    start = [] if before is None else [AUDIT.c.id < before]
    query = select(AUDIT).where(*_conditions(wanted), *start).order_by(AUDIT.c.id.desc())
    return await _page(conn, query, limit)


async def following(
    conn: AsyncConnection, wanted: AuditFilter, after: int, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the entries after one, oldest first, and the cursor of the next page."""
    query = select(AUDIT).where(*_conditions(wanted), AUDIT.c.id > after).order_by(AUDIT.c.id)
    return await _page(conn, query, limit)


async def of(conn: AsyncConnection, subject: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest entries about something, oldest of them first."""
    shown, _ = await newest(conn, AuditFilter(subject=(subject,)), None, limit)
    return shown[::-1]


async def _page(conn: AsyncConnection, query: Any, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    rows = (await conn.execute(query.limit(limit + 1))).all()
    more = len(rows) > limit
    return [_shown(row) for row in rows[:limit]], str(rows[limit - 1].id) if more else None


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.subject:
        refunds = select(REFUND.c.id).where(REFUND.c.invoice_id.in_(wanted.subject))
        yield or_(AUDIT.c.subject.in_(wanted.subject), AUDIT.c.subject.in_(refunds))
    if wanted.actor:
        yield AUDIT.c.actor.in_(wanted.actor)
    if wanted.action:
        yield AUDIT.c.action.in_(wanted.action)


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": moment(row.at),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "detail": json.loads(row.detail),
    }
