"""What an operator has to look at on a chain: told once when it begins, and once when it is over.

Written inside the caller's transaction, so that an alert and what it is about stand or fall together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import delete, insert, select

from watcher import outbox, render
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.tables import ALERT

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import AlertKind

log = structlog.get_logger()


async def raise_(  # noqa: PLR0913, PLR0917 - an alert is all of this
    connection: AsyncConnection, chain: str, kind: AlertKind, subject: str, detail: str, now: datetime
) -> bool:
    """Note an alert and tell it; False if it stands already. `subject` is what tells two of a kind apart."""
    if await _standing(connection, chain, kind, subject) is not None:
        return False
    row = {"chain": chain, "kind": kind.value, "subject": subject, "detail": detail, "since": now}
    await connection.execute(insert(ALERT).values(**row))
    await _tell(connection, row, "raised", now)
    return True


async def clear(
    connection: AsyncConnection, chain: str, kind: AlertKind, subject: str, now: datetime
) -> bool:
    """Note that an alert is over and tell it; False if there is none."""
    row = await _standing(connection, chain, kind, subject)
    if row is None:
        return False
    await connection.execute(delete(ALERT).where(ALERT.c.id == row.id))
    await _tell(connection, dict(row._mapping), "cleared", now)  # noqa: SLF001 - its public name
    return True


def stalled(chain: str, reason: str | None, since: datetime, now: datetime) -> Event:
    """Return the event that a chain cannot be followed or, without a reason, that it can again."""
    type_ = EventType.CHAIN_STALLED if reason else EventType.CHAIN_RECOVERED
    data = {"chain": chain, "reason": reason, "since": render.moment(since)}
    return Event(new_id("evt"), type_, now, render.body(type_.value, now, data), chain=chain)


async def _standing(connection: AsyncConnection, chain: str, kind: AlertKind, subject: str) -> Any:
    return (
        await connection.execute(
            select(ALERT).where(
                ALERT.c.chain == chain, ALERT.c.kind == kind.value, ALERT.c.subject == subject
            )
        )
    ).first()


async def _tell(connection: AsyncConnection, row: dict[str, Any], state: str, now: datetime) -> None:
    data = {
        **{name: row[name] for name in ("chain", "kind", "subject", "detail")},
        "state": state,
        "since": render.moment(row["since"]),
    }
    type_ = EventType.CHAIN_ALERT
    event = Event(new_id("evt"), type_, now, render.body(type_.value, now, data), chain=row["chain"])
    await outbox.publish(connection, [event], now)
    log.warning("chain.alert", **{key: data[key] for key in ("chain", "kind", "subject", "state", "detail")})
