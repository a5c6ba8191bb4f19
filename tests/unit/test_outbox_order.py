"""Which of an invoice's events may go to an endpoint, and how long a failing one holds back the others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from outbox_db import NOW, OutboxDb, event
from watcher import claims, results
from watcher.results import Result
from watcher.retry import HOLDING_ATTEMPTS, longest_hold
from watcher.tables import DELIVERY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from watcher.claims import Claim

SHOP = "https://shop.example/hooks"
DAY = timedelta(days=1)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[OutboxDb]:
    db = OutboxDb(tmp_path / "outbox.db")
    await db.create()
    await db.invoice("inv_1")
    yield db
    await db.store.close()


async def _due(db: OutboxDb, at: datetime) -> list[str]:
    async with db.store.read() as conn:
        return [lane.endpoint_id for lane in await claims.lanes(conn, at) if lane.due]


async def _claim(db: OutboxDb, at: datetime, room: int = 100) -> Sequence[Claim]:
    due = await _due(db, at)
    async with db.store.write() as conn:
        return await claims.claim(conn, dict.fromkeys(due, room), 100, at)


async def _fail(db: OutboxDb, done: Sequence[Claim], at: datetime, **values: Any) -> None:
    many = [Result(claim=one, at=at, duration=timedelta(0), error="busy", **values) for one in done]
    async with db.store.write() as conn:
        await results.record(conn, many, at, lambda: 0.5)


async def _succeed(db: OutboxDb, done: Sequence[Claim], at: datetime) -> None:
    many = [Result(claim=one, at=at, duration=timedelta(0), status=200) for one in done]
    async with db.store.write() as conn:
        await results.record(conn, many, at, lambda: 0.5)


async def test_h136_an_endpoint_whose_every_event_is_under_way_or_held_is_not_due(db: OutboxDb) -> None:
    for name in ("whk_a", "whk_b"):
        await db.endpoint(SHOP, id=name)
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    assert ["whk_a", "whk_b"] == await _due(db, NOW)
    async with db.store.write() as conn:
        await claims.claim(conn, {"whk_a": 9}, 9, NOW)

    assert ["whk_b"] == await _due(db, NOW)
    assert ["whk_a", "whk_b"] == await _due(db, NOW + claims.LEASE)


async def test_the_parts_of_one_event_go_one_after_the_other_before_the_next_event(db: OutboxDb) -> None:
    whk = await db.endpoint(SHOP)
    told, later = event("inv_1", 1), event("inv_1", 2)
    (seq, _) = await db.publish(told, later)
    await db.split(seq, whk, b"the second part")

    sent = []
    for _ in range(3):
        (one,) = await _claim(db, NOW)
        sent.append((one.message_id, one.body))
        await _succeed(db, [one], NOW)

    second = (f"{told.id}.2", b"the second part")
    assert [(told.id, told.body), second, (later.id, later.body)] == sent


async def test_a_part_that_fails_holds_back_the_next_part(db: OutboxDb) -> None:
    whk = await db.endpoint(SHOP)
    (seq,) = await db.publish(event("inv_1", 1))
    await db.split(seq, whk, b"the second part")
    await _fail(db, await _claim(db, NOW), NOW)

    assert [] == await _due(db, NOW)


async def test_a_wish_to_retry_later_does_not_lengthen_the_hold_on_later_events(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    await _fail(db, await _claim(db, NOW), NOW, status=503, retry_after=DAY)
    await db.publish(event("inv_1", 3), at=NOW)
    end = NOW + longest_hold(1)

    assert [] == await _due(db, end - timedelta(microseconds=1))
    assert [2] == [one.event_seq for one in await _claim(db, end)]
    assert [NOW + DAY] == [row.next_at for row in await db.deliveries() if row.event_seq == 1]


async def test_an_older_event_that_fails_does_not_shorten_the_wait_of_a_later_one(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    (first, _) = await db.publish(event("inv_1", 1), event("inv_1", 2))
    await _succeed(db, await _claim(db, NOW), NOW)
    await _fail(db, await _claim(db, NOW), NOW, status=429, retry_after=DAY)
    again = update(DELIVERY).where(DELIVERY.c.event_seq == first)
    async with db.store.write() as conn:
        await conn.execute(again.values(state="pending", attempts=0, next_at=NOW))
    await _fail(db, await _claim(db, NOW), NOW)

    assert [NOW + DAY] == [row.next_at for row in await db.deliveries() if row.event_seq != first]


async def test_each_wish_to_retry_later_holds_no_longer_than_the_schedule(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    at, held = NOW, []
    for attempt in range(1, HOLDING_ATTEMPTS + 1):
        async with db.store.write() as conn:
            await conn.execute(update(DELIVERY).where(DELIVERY.c.event_seq == 1).values(next_at=at))
        await _fail(db, await _claim(db, at), at, status=503, retry_after=DAY)
        end = at + longest_hold(attempt)
        held.append([bool(await _due(db, moment)) for moment in (end - timedelta(microseconds=1), end)])
        at += DAY

    assert [[False, True], [False, True], [True, True]] == held


async def test_an_invoice_with_many_overdue_events_does_not_use_up_the_room_of_others(db: OutboxDb) -> None:
    """Those that have passed their third attempt hold nothing, yet only one of an invoice may go."""
    await db.endpoint(SHOP)
    await db.publish(*(event("inv_1", n) for n in range(1, 21)), at=NOW - DAY)
    async with db.store.write() as conn:
        await conn.execute(update(DELIVERY).values(attempts=HOLDING_ATTEMPTS))
    await db.publish(*(event() for _ in range(4)))

    assert [1, 21, 22, 23, 24] == [one.event_seq for one in await _claim(db, NOW, room=5)]
