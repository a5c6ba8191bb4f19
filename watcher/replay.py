"""A merchant's wish to have an endpoint sent again what it was sent within a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, update

from watcher import endpoints
from watcher.errors import Refused
from watcher.tables import DELIVERY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Deliveries made from `after` on, until before `before` if it is given; of one `state` if that is."""

    after: datetime
    before: datetime | None = None
    state: str | None = None


async def replay(conn: AsyncConnection, endpoint_id: str, span: Span, now: datetime) -> int:
    """Send an endpoint's deliveries of a span again, same ids and bytes; return how many.

    One that is under way at this moment is left to its sender. Refused (404) if there is no such endpoint,
    (409) if it takes nothing, (422) if the span is empty. Call `Bus.published` after the commit.
    """
    if span.before is not None and span.before <= span.after:
        raise Refused("invalid", "must be later than after", field="before")
    endpoint = await endpoints.get(conn, endpoint_id)
    if endpoint["state"] != "active":
        message = f"this endpoint is {endpoint['state']}; enable it first"
        raise Refused("webhook_disabled", message, status=409)
    again = {"state": "pending", "attempts": 0, "next_at": now, "delivered_at": None}
    chosen = update(DELIVERY).where(DELIVERY.c.endpoint_id == endpoint_id, *_conditions(span, now))
    return (await conn.execute(chosen.values(**again))).rowcount


def _conditions(span: Span, now: datetime) -> Iterator[ColumnElement[bool]]:
    yield or_(DELIVERY.c.claimed_until.is_(None), DELIVERY.c.claimed_until <= now)
    yield DELIVERY.c.created_at >= span.after
    if span.before is not None:
        yield DELIVERY.c.created_at < span.before
    if span.state is not None:
        yield DELIVERY.c.state == span.state
