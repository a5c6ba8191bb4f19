"""Lists of standing addresses, and of what each received: newest first, one page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from watcher import facts_standings
from watcher.facts import deposit
from watcher.listing import Cursor, below, following
from watcher.tables import ADDRESS, DEPOSIT, STANDING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Deposit
    from watcher.receipts import StandingAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingFilter:
    """Which addresses; what is empty or None does not restrict."""

    chain: Collection[str] = ()
    label: Collection[str] = ()
    address: Collection[str] = ()
    archived: bool | None = None


async def standings(
    conn: AsyncConnection, wanted: StandingFilter, cursor: str | None, limit: int
) -> tuple[list[StandingAddress], str | None]:
    """Return one page, and the cursor of the next, None on the last."""
    start = Cursor.decode(cursor) if cursor is not None else None
    query = (
        select(STANDING)
        .where(*_conditions(wanted), *below(STANDING, start))
        .order_by(STANDING.c.created_at.desc(), STANDING.c.id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    return [facts_standings.standing(row) for row in rows[:limit]], following(rows, limit)


def _conditions(wanted: StandingFilter) -> Iterator[ColumnElement[bool]]:
    columns = (
        (STANDING.c.chain, wanted.chain),
        (STANDING.c.label, wanted.label),
        (STANDING.c.address, wanted.address),
    )
    yield from (column.in_(values) for column, values in columns if values)
    if wanted.archived is not None:
        yield STANDING.c.archived_at.is_not(None) if wanted.archived else STANDING.c.archived_at.is_(None)


async def deposits(
    conn: AsyncConnection, id_: str, cursor: str | None, limit: int
) -> tuple[list[Deposit], str | None]:
    """Return one page of what an address received, and the cursor of the next, None on the last."""
    here = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
    start = Cursor.decode(cursor) if cursor is not None else None
    query = (
        select(DEPOSIT, DEPOSIT.c.arrived_at.label("created_at"))
        .join(ADDRESS, here)
        .where(ADDRESS.c.standing_id == id_, *_after(start))
        .order_by(DEPOSIT.c.arrived_at.desc(), DEPOSIT.c.id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    return [deposit(row) for row in rows[:limit]], following(rows, limit)


def _after(cursor: Cursor | None) -> list[ColumnElement[bool]]:
    if cursor is None:
        return []
    arrived, id_ = DEPOSIT.c.arrived_at, DEPOSIT.c.id
    return [or_(arrived < cursor.created_at, and_(arrived == cursor.created_at, id_ < cursor.id))]
