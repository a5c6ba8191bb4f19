"""Readers of events inside a program that embeds us: how far each has acknowledged, and what comes next.

Works inside the caller's transaction. A name keeps its place for as long as the database is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from watcher import told
from watcher.tables import CONSUMER, EVENT

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it was written down: `body` holds the bytes that webhooks carry."""

    seq: int
    id: str
    type: str
    invoice_id: str | None
    occurred_at: datetime
    body: bytes


async def place(conn: AsyncConnection, name: str) -> int | None:
    """Return the `seq` up to which a reader has acknowledged everything, None for a new one."""
    found: int | None = await conn.scalar(select(CONSUMER.c.seq).where(CONSUMER.c.name == name))
    return found


async def begin(conn: AsyncConnection, name: str, *, beginning: bool, now: datetime) -> int:
    """Return a reader's place; a new one is written down, at the first event there is or after the last."""
    known = await place(conn, name)
    if known is not None:
        return known
    seq = 0 if beginning else await told.last_seq(conn)
    await conn.execute(insert(CONSUMER).values(name=name, seq=seq, created_at=now, updated_at=now))
    return seq


async def advance(conn: AsyncConnection, name: str, seq: int, now: datetime) -> None:
    """Move a reader's place forward, never back."""
    mine = (CONSUMER.c.name == name) & (CONSUMER.c.seq < seq)
    await conn.execute(update(CONSUMER).where(mine).values(seq=seq, updated_at=now))


async def following(
    conn: AsyncConnection, after: int, types: Collection[str] | None, limit: int
) -> tuple[list[Told], int]:
    """Return the next events of these types (None: all) in order, and the `seq` up to which it was looked."""
    columns = (EVENT.c.seq, EVENT.c.id, EVENT.c.type, EVENT.c.invoice_id, EVENT.c.occurred_at, EVENT.c.body)
    query = select(*columns).where(EVENT.c.seq > after).order_by(EVENT.c.seq).limit(limit)
    if types is not None:
        query = query.where(EVENT.c.type.in_(types))
    found = [Told(*row) for row in await conn.execute(query)]
    if len(found) == limit:
        return found, found[-1].seq
    return found, max(after, await told.last_seq(conn))
