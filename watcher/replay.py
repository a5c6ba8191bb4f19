"""A merchant's wish to have an endpoint sent everything again since a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, update

from watcher import endpoints
from watcher.errors import Refused
from watcher.tables import DELIVERY

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


async def replay(conn: AsyncConnection, endpoint_id: str, after: datetime, now: datetime) -> int:
    """Send an endpoint's deliveries since `after` again, same ids and bytes; return how many.

    One that is under way at this moment is left to its sender. Refused (404) if there is no such endpoint,
    (409) if it takes nothing. Call `Bus.published` after the commit.
    """
    endpoint = await endpoints.get(conn, endpoint_id)
    if endpoint["state"] != "active":
        message = f"this endpoint is {endpoint['state']}; enable it first"
        raise Refused("webhook_disabled", message, status=409)
    free = or_(DELIVERY.c.claimed_until.is_(None), DELIVERY.c.claimed_until <= now)
    wanted = (DELIVERY.c.endpoint_id == endpoint_id, DELIVERY.c.created_at >= after, free)
    again = {"state": "pending", "attempts": 0, "next_at": now, "delivered_at": None}
    return (await conn.execute(update(DELIVERY).where(*wanted).values(**again))).rowcount
