"""An endpoint of the configuration gets another format while events wait for it: none of them is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from format_scene import told
from invoice_facts import CLOSED, PAID
from outbox_db import NOW, SECRET
from watcher import claims, endpoints, results
from watcher.ids import new_id
from watcher.model import EventType
from watcher.receivers import Configured, Rules
from watcher.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from outbox_db import OutboxDb
    from watcher.claims import Claim
    from watcher.model import Event

SHOP = "https://shop.example/hooks"
KEY = "merchant-secret"


@pytest.fixture(autouse=True)
async def _invoice(db: OutboxDb) -> None:
    await db.invoice("inv", "one")


async def _sync(db: OutboxDb, form: str, *events: str) -> None:
    one = Configured(
        url=SHOP, secrets=(SECRET if form == "standard" else KEY,), format=form, events=events or ("*",)
    )
    async with db.store.write() as conn:
        await endpoints.sync(conn, [one], Rules((), ("one",)), NOW)


async def _claim(db: OutboxDb) -> Sequence[Claim]:
    async with db.store.write() as conn:
        waiting = await claims.lanes(conn, NOW)
        return await claims.claim(conn, {lane.endpoint_id: 9 for lane in waiting}, 9, NOW)


async def _record(db: OutboxDb, one: Claim, at: datetime, error: str | None = None) -> None:
    async with db.store.write() as conn:
        await results.record(conn, [Result(one, at, NOW - NOW, error=error)], at, lambda: 0.5)


async def _sent(db: OutboxDb) -> list[tuple[str, Any]]:
    """Return the id and body of everything that waits, taken one after the other."""
    sent: list[tuple[str, Any]] = []
    while taken := await _claim(db):
        for one in taken:
            sent.append((one.message_id, json.loads(one.body)))
            await _record(db, one, NOW)
    return sent


def _event(kind: EventType) -> Event:
    facts = CLOSED if kind is EventType.INVOICE_UNDERPAID else PAID
    return replace(told(kind, facts, "p"), id=new_id("evt"))


async def test_what_waits_is_told_in_the_new_format_under_the_same_id(db: OutboxDb) -> None:
    await _sync(db, "standard")
    events = [_event(EventType.PAYMENT_CONFIRMED), _event(EventType.INVOICE_PAID)]
    await db.publish(*events)
    (taken,) = await _claim(db)
    await _record(db, taken, NOW, "it was not understood")
    await _sync(db, "oxapay")

    assert [(events[1].id, "Paid")] == [(id_, body["status"]) for id_, body in await _sent(db)]
    assert ["cancelled", "delivered"] == [row.state for row in await db.deliveries()]


async def test_an_event_that_takes_two_messages_in_the_new_format_gets_both_and_one_again_later(
    db: OutboxDb,
) -> None:
    await _sync(db, "standard")
    event = _event(EventType.INVOICE_UNDERPAID)
    await db.publish(event)
    for form, types in [
        ("btcpay", ["InvoiceExpired", "InvoiceExpiredPaidPartial"]),
        ("standard", ["invoice.underpaid"]),
        ("btcpay", ["InvoiceExpired", "InvoiceExpiredPaidPartial"]),
    ]:
        await _sync(db, form)
        waiting = [row for row in await db.deliveries() if row.state == "pending"]

        assert types == [json.loads(row.body or event.body)["type"] for row in waiting]
    assert [event.id, f"{event.id}.2"] == [id_ for id_, _ in await _sent(db)]


async def test_what_was_delivered_is_not_told_again_in_another_format(db: OutboxDb) -> None:
    await _sync(db, "standard")
    await db.publish(_event(EventType.INVOICE_PAID))
    assert 1 == len(await _sent(db))
    await _sync(db, "oxapay")

    assert [] == await _sent(db)
    assert ["delivered"] == [row.state for row in await db.deliveries()]


async def test_a_start_without_a_change_leaves_what_waits_as_it_is(db: OutboxDb) -> None:
    await _sync(db, "oxapay")
    await db.publish(_event(EventType.INVOICE_PAID))
    (taken,) = await _claim(db)
    await _record(db, taken, NOW, "busy")
    before = await db.deliveries()
    await _sync(db, "oxapay", "invoice.paid")

    assert before == await db.deliveries()
