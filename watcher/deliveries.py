"""A merchant's wish to send a delivery again. What there is to see of deliveries is listed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from watcher.errors import Refused
from watcher.tables import DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


async def redeliver(conn: AsyncConnection, delivery_id: str, now: datetime) -> None:
    """Send a delivery again, at once and with a fresh schedule: the same id and the same bytes.

    One that is under way at this moment is left to its sender. Refused (404) if there is none, (409) if its
    endpoint takes nothing. Call `Bus.published` after the commit.
    """
    query = (
        select(DELIVERY.c.claimed_until, ENDPOINT.c.state)
        .join(ENDPOINT, ENDPOINT.c.id == DELIVERY.c.endpoint_id)
        .where(DELIVERY.c.id == delivery_id)
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise Refused("not_found", f"there is no delivery {delivery_id}", status=404)
    if row.state != "active":
        raise Refused("webhook_disabled", f"its endpoint is {row.state}; enable it first", status=409)
    if row.claimed_until is not None and row.claimed_until > now:
        return
    again = {"state": "pending", "attempts": 0, "next_at": now, "delivered_at": None}
    await conn.execute(update(DELIVERY).where(DELIVERY.c.id == delivery_id).values(**again))
