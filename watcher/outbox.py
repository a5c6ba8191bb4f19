"""Who is to be told what: events, and a delivery for every endpoint that wants each.

Works inside the caller's transaction. Knows the filters; knows neither when nor how deliveries are sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select

from watcher import formats
from watcher.ids import new_id
from watcher.tables import DELIVERY, ENDPOINT, EVENT, OPTION

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Event

    Rows = list[dict[str, object]]

_OWN = "whi_"
_CHUNK = 500  # events a statement; SQLite takes 32,766 parameters


@dataclass(frozen=True, slots=True)
class _Receiver:
    """An endpoint with its filters."""

    id: str
    format: str
    events: frozenset[str]
    chains: frozenset[str]

    def wants(self, event: Event, chains: Collection[str]) -> bool:
        if not formats.offers(self.format, self.events, event.type):
            return False
        return not self.chains or not chains or not self.chains.isdisjoint(chains)


def own_endpoint(invoice_id: str) -> str:
    """Return the id of the endpoint that an invoice's own `webhook_url` makes."""
    return f"{_OWN}{invoice_id}"


def is_own(endpoint_id: str) -> bool:
    """Whether an endpoint is an invoice's own `webhook_url`."""
    return endpoint_id.startswith(_OWN)


async def publish(conn: AsyncConnection, events: Sequence[Event], now: datetime) -> list[int]:
    """Write events, in order, and a delivery for every endpoint that wants each; return their `seq`.

    Call it in the transaction of what the events tell, and `Bus.published` after its commit.
    """
    seqs: list[int] = []
    for start in range(0, len(events), _CHUNK):
        seqs += await _publish(conn, events[start : start + _CHUNK], now)
    return seqs


async def publish_to(conn: AsyncConnection, event: Event, endpoint_id: str, now: datetime) -> str:
    """Write an event for one endpoint alone, whatever it asked for; return the first delivery's id."""
    (seq,) = await _write_events(conn, [event])
    form = await conn.execute(select(ENDPOINT.c.format).where(ENDPOINT.c.id == endpoint_id))
    rows = delivery_rows(event, seq, endpoint_id, form.scalar_one(), now)
    await conn.execute(insert(DELIVERY), rows)
    return str(rows[0]["id"])


async def _publish(conn: AsyncConnection, events: Sequence[Event], now: datetime) -> list[int]:
    seqs = await _write_events(conn, events)
    receivers = await _receivers(conn)
    invoices = {event.invoice_id for event in events if event.invoice_id}
    own = await _own_endpoints(conn, invoices)
    chains = await _chains(conn, invoices) if any(r.chains for r in receivers) else {}
    rows: Rows = []
    for event, seq in zip(events, seqs, strict=True):
        touched = {event.chain} if event.chain else chains.get(event.invoice_id or "", frozenset())
        for one in receivers:
            if one.wants(event, touched):
                rows += delivery_rows(event, seq, one.id, one.format, now)
        if event.invoice_id and own_endpoint(event.invoice_id) in own:
            rows += delivery_rows(event, seq, own_endpoint(event.invoice_id), formats.STANDARD, now)
    if rows:
        await conn.execute(insert(DELIVERY), rows)
    return seqs


async def _write_events(conn: AsyncConnection, events: Sequence[Event]) -> list[int]:
    """Write events and read their `seq` back: in two statements, where RETURNING would take one for each."""
    await conn.execute(
        insert(EVENT),
        [
            {
                "id": event.id,
                "type": event.type.value,
                "invoice_id": event.invoice_id,
                "sequence": event.sequence,
                "chain": event.chain,
                "standing_id": event.standing_id,
                "occurred_at": event.occurred_at,
                "body": event.body,
            }
            for event in events
        ],
    )
    ids = [event.id for event in events]
    seqs = {id_: seq for id_, seq in await conn.execute(_read_seqs, {"ids": ids})}  # noqa: C416 - rows are not pairs to mypy
    return [seqs[id_] for id_ in ids]


_read_seqs = select(EVENT.c.id, EVENT.c.seq).where(EVENT.c.id.in_(bindparam("ids", expanding=True)))


def delivery_rows(event: Event, seq: int, endpoint_id: str, form: str, now: datetime) -> Rows:
    """Return the deliveries of an event to an endpoint; another system's body is frozen here and now."""
    if form == formats.STANDARD:
        return [_delivery_row(event, seq, endpoint_id, now)]
    bodies = formats.bodies(form, event, endpoint_id)
    return [_delivery_row(event, seq, endpoint_id, now, part, body) for part, body in enumerate(bodies)]


def _delivery_row(  # noqa: PLR0913, PLR0917 - one for each column
    event: Event, seq: int, endpoint_id: str, now: datetime, part: int = 0, body: bytes | None = None
) -> dict[str, object]:
    return {
        "id": new_id("dlv"),
        "event_seq": seq,
        "event_id": event.id,
        "endpoint_id": endpoint_id,
        "part": part,
        "body": body,
        "subject": event.invoice_id or event.standing_id,
        "state": "pending",
        "attempts": 0,
        "created_at": now,
        "next_at": now,
    }


async def _receivers(conn: AsyncConnection) -> list[_Receiver]:
    """Return every endpoint but the invoices' own. A disabled one is told later: what waits is kept."""
    rows = await conn.execute(
        select(ENDPOINT.c.id, ENDPOINT.c.format, ENDPOINT.c.events, ENDPOINT.c.chains)
        .where(ENDPOINT.c.managed.in_(("config", "api")), ENDPOINT.c.state != "removed")
        .order_by(ENDPOINT.c.id)
    )
    return [_Receiver(i, form, frozenset(json.loads(e)), frozenset(json.loads(c))) for i, form, e, c in rows]


async def _own_endpoints(conn: AsyncConnection, invoices: Collection[str]) -> set[str]:
    ids = [own_endpoint(invoice_id) for invoice_id in invoices]
    query = select(ENDPOINT.c.id).where(ENDPOINT.c.id.in_(ids), ENDPOINT.c.state != "removed")
    return set((await conn.execute(query)).scalars())


async def _chains(conn: AsyncConnection, invoices: Collection[str]) -> Mapping[str, Collection[str]]:
    """Return each invoice's chains: those of all its options."""
    query = select(OPTION.c.invoice_id, OPTION.c.chain).where(OPTION.c.invoice_id.in_(invoices))
    chains: dict[str, set[str]] = {}
    for invoice_id, name in await conn.execute(query):
        chains.setdefault(invoice_id, set()).add(name)
    return chains
