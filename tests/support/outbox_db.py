"""A database with invoices, endpoints and events for tests of the outbox, without the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlmodel import SQLModel

from watcher import outbox, signing
from watcher.ids import new_id
from watcher.model import Event, EventType
from watcher.store import Store
from watcher.tables import ATTEMPT, DELIVERY, ENDPOINT, EVENT, INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Table

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class OutboxDb:
    """One store, and short ways to fill and read it."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)

    async def create(self) -> None:
        async with self.store.write() as conn:
            await conn.run_sync(SQLModel.metadata.create_all)

    async def invoice(self, invoice_id: str, *chains: str) -> str:
        async with self.store.write() as conn:
            await conn.execute(insert(INVOICE).values(_invoice(invoice_id)))
            for position, chain in enumerate(chains):
                await conn.execute(insert(OPTION).values(**_option(invoice_id, position, chain)))
        return invoice_id

    async def invoices(self, *ids: str) -> None:
        async with self.store.write() as conn:
            await conn.execute(insert(INVOICE), [_invoice(each) for each in ids])

    async def endpoint(self, url: str, **values: Any) -> str:
        endpoint_id = str(values.pop("id", new_id("whk")))
        lists = {name: json.dumps(values.pop(name, default)) for name, default in _LISTS.items()}
        row = {
            "managed": "api",
            "state": "active",
            "format": "standard",
            "secrets": signing.stored([SECRET]),
            "created_at": NOW,
        }
        async with self.store.write() as conn:
            await conn.execute(insert(ENDPOINT).values(id=endpoint_id, url=url, **row | lists | values))
        return endpoint_id

    async def publish(self, *events: Event, at: datetime = NOW) -> list[int]:
        async with self.store.write() as conn:
            return await outbox.publish(conn, events, at)

    async def split(self, seq: int, endpoint_id: str, body: bytes) -> None:
        """Give an event's delivery a second part, as another system's format does."""
        async with self.store.write() as conn:
            query = select(DELIVERY).where(DELIVERY.c.event_seq == seq, DELIVERY.c.endpoint_id == endpoint_id)
            first = (await conn.execute(query)).one()._asdict()
            second = first | {"id": new_id("dlv"), "part": 1, "body": body}
            await conn.execute(insert(DELIVERY).values(**second))

    async def rows(self, table: Table) -> Sequence[Any]:
        async with self.store.read() as conn:
            return (await conn.execute(select(table).order_by(*table.primary_key.columns))).all()

    async def deliveries(self) -> Sequence[Any]:
        """In the order of their events."""
        async with self.store.read() as conn:
            order = (DELIVERY.c.event_seq, DELIVERY.c.endpoint_id)
            return (await conn.execute(select(DELIVERY).order_by(*order))).all()

    async def endpoints(self) -> dict[str, Any]:
        return {row.id: row for row in await self.rows(ENDPOINT)}

    async def attempts(self) -> Sequence[Any]:
        return await self.rows(ATTEMPT)

    async def events(self) -> Sequence[Any]:
        return await self.rows(EVENT)


_LISTS: dict[str, list[str]] = {"events": ["*"], "chains": []}


def _invoice(invoice_id: str) -> dict[str, Any]:
    return {
        "id": invoice_id,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "monitor_until": NOW + timedelta(days=1),
        "fee_payer": "merchant",
        "late": "hold",
        "reminder_before": 0,
        "metadata_json": "{}",
        "status": "pending",
        "exceptions": "",
        "needs_action": False,
        "reverted": False,
        "sequence": 0,
        "decision": "{}",
    }


def _option(invoice_id: str, position: int, chain: str) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "position": position,
        "chain": chain,
        "asset": "COIN",
        "asset_id": "x",
        "decimals": 8,
        "address": f"address of {invoice_id} on {chain}",
        "amount": 1,
        "expected": 1,
        "minimum": 1,
        "confirmations": "1",
        "from_height": 0,
        "fee_percent": "0",
        "fee_fixed": 0,
        "dust": 0,
    }


def event(
    invoice_id: str | None = None,
    sequence: int | None = None,
    kind: EventType = EventType.INVOICE_PAID,
    *,
    chain: str | None = None,
) -> Event:
    """Return an event whose body tells which one it is."""
    text = json.dumps({"type": kind, "invoice": invoice_id, "sequence": sequence})
    return Event(
        id=new_id("evt"),
        type=kind,
        occurred_at=NOW,
        body=text.encode(),
        invoice_id=invoice_id,
        sequence=sequence,
        chain=chain,
    )
