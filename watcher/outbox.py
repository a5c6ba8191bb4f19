"""Who is to be told what: events, and a delivery for every endpoint that wants each.

Works inside the caller's transaction. Knows the filters; knows neither when nor how deliveries are sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from watcher.ids import new_id
from watcher.tables import DELIVERY, ENDPOINT, EVENT, OPTION

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Event

_CHUNK = 500  # events a statement; SQLite takes 32,766 parameters


@dataclass(frozen=True, slots=True)
class _Receiver:
    """An endpoint with its filters."""

    id: str
    events: frozenset[str]
    chains: frozenset[str]

    def wants(self, event: Event, chains: Collection[str]) -> bool:
        family = event.type.partition(".")[0]
        named = self.events & {"*", event.type.value, f"{family}.*"}
        return bool(named) and (not self.chains or not chains or not self.chains.isdisjoint(chains))


def own_endpoint(invoice_id: str) -> str:
    """Return the id of the endpoint that an invoice's own `webhook_url` makes."""
    return f"whi_{invoice_id}"


async def publish(conn: AsyncConnection, events: Sequence[Event], now: datetime) -> list[int]:
    """Write events, in order, and a delivery for every endpoint that wants each; return their `seq`.

    Call it in the transaction of what the events tell, and `Bus.published` after its commit.
    """
    seqs: list[int] = []
    for start in range(0, len(events), _CHUNK):
        seqs += await _publish(conn, events[start : start + _CHUNK], now)
    return seqs


async def publish_to(conn: AsyncConnection, event: Event, endpoint_id: str, now: datetime) -> str:
    """Write an event for one endpoint alone, whatever it asked for; return the delivery's id."""
    (seq,) = await _write_events(conn, [event])
    row = _delivery_row(event, seq, endpoint_id, now)
    await conn.execute(insert(DELIVERY), row)
    return str(row["id"])


async def _publish(conn: AsyncConnection, events: Sequence[Event], now: datetime) -> list[int]:
    seqs = await _write_events(conn, events)
    receivers = await _receivers(conn)
    invoices = {event.invoice_id for event in events if event.invoice_id}
    own = await _own_endpoints(conn, invoices)
    chains = await _chains(conn, invoices) if any(r.chains for r in receivers) else {}
    rows = []
    for event, seq in zip(events, seqs, strict=True):
        touched = {event.chain} if event.chain else chains.get(event.invoice_id or "", frozenset())
        rows += [_delivery_row(event, seq, r.id, now) for r in receivers if r.wants(event, touched)]
        if event.invoice_id and own_endpoint(event.invoice_id) in own:
            rows.append(_delivery_row(event, seq, own_endpoint(event.invoice_id), now))
    if rows:
        await conn.execute(insert(DELIVERY), rows)
    return seqs


async def _write_events(conn: AsyncConnection, events: Sequence[Event]) -> list[int]:
    result = await conn.execute(
        insert(EVENT).returning(EVENT.c.seq, sort_by_parameter_order=True),
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
    return list(result.scalars())


def _delivery_row(event: Event, seq: int, endpoint_id: str, now: datetime) -> dict[str, object]:
    return {
        "id": new_id("dlv"),
        "event_seq": seq,
        "event_id": event.id,
        "endpoint_id": endpoint_id,
        "subject": event.invoice_id or event.standing_id,
        "state": "pending",
        "attempts": 0,
        "created_at": now,
        "next_at": now,
    }


async def _receivers(conn: AsyncConnection) -> list[_Receiver]:
    """Return every endpoint but the invoices' own. A disabled one is told later: what waits is kept."""
    rows = await conn.execute(
        select(ENDPOINT.c.id, ENDPOINT.c.events, ENDPOINT.c.chains)
        .where(ENDPOINT.c.managed.in_(("config", "api")), ENDPOINT.c.state != "removed")
        .order_by(ENDPOINT.c.id)
    )
    return [_Receiver(i, frozenset(json.loads(e)), frozenset(json.loads(c))) for i, e, c in rows]


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
