"""What waits for an endpoint whose format was changed: told anew, in the words that its receiver reads now.

What was delivered, or given up, keeps its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.formats import offers
from watcher.model import Event, EventType
from watcher.outbox import delivery_rows
from watcher.tables import DELIVERY, EVENT

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_new = upsert(DELIVERY)
_write = _new.on_conflict_do_update(
    index_elements=["event_seq", "endpoint_id", "part"],
    set_={name: _new.excluded[name] for name in ("body", "state", "attempts", "next_at")},
)


async def reformat(
    conn: AsyncConnection, endpoint_id: str, form: str, events: frozenset[str], now: datetime
) -> None:
    """Write what waits in this format, under the same ids; an endpoint with these events misses the rest.

    Call it while nothing is under way: before the notifier starts.
    """
    waiting = (DELIVERY.c.endpoint_id == endpoint_id, DELIVERY.c.state == "pending")
    seqs = select(DELIVERY.c.event_seq).where(*waiting)
    found = await conn.execute(select(EVENT).where(EVENT.c.seq.in_(seqs)).order_by(EVENT.c.seq))
    told = [(row.seq, _event(row)) for row in found if offers(form, events, EventType(row.type))]
    rows = [row for seq, event in told for row in delivery_rows(event, seq, endpoint_id, form, now)]
    await conn.execute(update(DELIVERY).where(*waiting).values(state="cancelled", next_at=None))
    if rows:
        await conn.execute(_write, rows)


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        type=EventType(row.type),
        occurred_at=row.occurred_at,
        body=row.body,
        invoice_id=row.invoice_id,
        sequence=row.sequence,
        chain=row.chain,
        standing_id=row.standing_id,
    )
