"""Blocks that have to be read again, as rows, inside the caller's transaction.

A gap that nobody could read at all stands beside an alert, which is cleared when the gap is closed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from watcher import alerts, troubles
from watcher.model import UNREAD, AlertKind, Gap, GapReason
from watcher.tables import ADDRESS, GAP

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Hole

_ALERTS = {
    GapReason.MISSING: AlertKind.BLOCKS_MISSING,
    GapReason.QUARANTINED: AlertKind.BLOCK_QUARANTINED,
}
_REMEDIES = {
    GapReason.MISSING: "add an endpoint that has them; they are asked for again and again",
    GapReason.QUARANTINED: "update this program or the node, then: "
    "watcher rescan {chain} --from {first} --to {last}",
}


async def add(connection: AsyncConnection, gap: Gap) -> int:
    """Note a gap, whatever its `id` says; return its row number."""
    row = await connection.execute(
        insert(GAP)
        .values(
            chain=gap.chain,
            first=gap.first,
            last=gap.last,
            after=gap.after,
            upto=gap.upto,
            reason=gap.reason.value,
            detail=gap.detail,
        )
        .returning(GAP.c.id)
    )
    return int(row.scalar_one())


async def add_hole(connection: AsyncConnection, chain: str, hole: Hole, now: datetime) -> None:
    """Note blocks that nobody could read, for every address there is, and raise the alert."""
    upto = await connection.scalar(select(func.max(ADDRESS.c.id)).where(ADDRESS.c.chain == chain)) or 0
    row = await add(connection, Gap(0, chain, hole.first, hole.last, 0, upto, hole.reason, hole.detail))
    remedy = _REMEDIES[hole.reason].format(chain=chain, first=hole.first, last=hole.last)
    detail = f"{hole.detail}; blocks {hole.first} to {hole.last} are not read, no deadline passes; {remedy}"
    await alerts.raise_(connection, chain, _ALERTS[hole.reason], _subject(row), detail, now)


async def unread(connection: AsyncConnection, chain: str) -> bool:
    """Whether there are blocks that nobody has read: what left the mempool may be in them."""
    reasons = [reason.value for reason in UNREAD]
    query = select(exists().where(GAP.c.chain == chain, GAP.c.reason.in_(reasons)))
    return bool(await connection.scalar(query))


async def forget_above(connection: AsyncConnection, chain: str, height: int, now: datetime) -> None:
    """Forget what would have to be read again above a height: what stands there now is new."""
    for gap in reversed(await troubles.gaps(connection, chain)):  # pieces before what they are of
        if gap.last > height:
            await cut(connection, gap, height + 1, gap.last, now)


async def cut(connection: AsyncConnection, gap: Gap, first: int, last: int, now: datetime) -> None:
    """Take the blocks from `first` to `last` out of a gap: it shrinks, splits in two, or is closed."""
    left = gap.first < first
    right = gap.last > last
    mine = GAP.c.id == gap.id
    if left:
        await connection.execute(update(GAP).where(mine).values(last=min(gap.last, first - 1)))
        if right:
            await add(
                connection, Gap(0, gap.chain, last + 1, gap.last, gap.after, gap.upto, gap.reason, gap.detail)
            )
    elif right:
        await connection.execute(update(GAP).where(mine).values(first=max(gap.first, last + 1)))
    else:
        await _close(connection, gap, now)


async def was_read(connection: AsyncConnection, gap: Gap, first: int, last: int, now: datetime) -> None:
    """Note that these blocks were read for the addresses of `gap`; others that cover no more close, too."""
    for each in reversed(await troubles.gaps(connection, gap.chain)):  # pieces before what they are of
        same = each.id == gap.id
        covered = each.reason in UNREAD and gap.after <= each.after and each.upto <= gap.upto
        if (same or covered) and each.first <= last and first <= each.last:
            await cut(connection, each, first, last, now)


async def _close(connection: AsyncConnection, gap: Gap, now: datetime) -> None:
    """Delete a gap and clear its alert; where a piece of it is left, that takes its place below the alert."""
    piece = await _piece(connection, gap) if gap.reason in UNREAD else None
    if piece is not None:
        await connection.execute(delete(GAP).where(GAP.c.id == piece.id))
        left = {"first": piece.first, "last": piece.last}
        await connection.execute(update(GAP).where(GAP.c.id == gap.id).values(**left))
        return
    await connection.execute(delete(GAP).where(GAP.c.id == gap.id))
    if gap.reason in UNREAD:
        await alerts.clear(connection, gap.chain, _ALERTS[gap.reason], _subject(gap.id), now)


async def _piece(connection: AsyncConnection, gap: Gap) -> Gap | None:
    """Return what was split off a gap, and has no alert of its own; None where the gap has none either."""
    told = {alert["subject"] for alert in await troubles.alerts(connection, gap.chain)}
    if _subject(gap.id) not in told:
        return None
    for each in await troubles.gaps(connection, gap.chain):
        alike = replace(each, id=gap.id, first=gap.first, last=gap.last) == gap
        if each.id > gap.id and alike and _subject(each.id) not in told:
            return each
    return None


def _subject(row: int) -> str:
    return f"gap {row}"
