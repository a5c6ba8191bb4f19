"""What claiming and publishing cost the database does not grow with what waits, or was ever sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from outbox_db import NOW, OutboxDb, event
from watcher import claims, results
from watcher.results import Result
from work import measured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from watcher.claims import Claim
    from work import Work


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[OutboxDb]:
    db = OutboxDb(tmp_path / "outbox.db")
    await db.create()
    await db.endpoint("https://shop.example/hooks", id="whk_shop")
    yield db
    await db.store.close()


async def _claimed(db: OutboxDb, limit: int) -> Sequence[Claim]:
    async with db.store.write() as conn:
        assert [lane.endpoint_id for lane in await claims.lanes(conn, NOW)] == ["whk_shop"]
        return await claims.claim(conn, {"whk_shop": limit}, limit, NOW)


async def _work(db: OutboxDb) -> Work:
    """Claim ten deliveries, and return what that took."""
    with measured(db.store) as work:
        assert 10 == len(await _claimed(db, 10))
    return work


async def test_a_claim_takes_no_more_work_however_many_invoices_wait(db: OutboxDb) -> None:
    ids = [f"inv_{n}" for n in range(1000)]
    await db.invoices(*ids)
    await db.publish(*(event(each, 1) for each in ids[:40]))
    few = await _work(db)
    await db.publish(*(event(each, 1) for each in ids[40:]))
    many = await _work(db)

    assert many.steps < 1.5 * few.steps


async def test_a_claim_takes_no_more_work_however_much_was_sent_of_the_same_invoice(db: OutboxDb) -> None:
    ids = [f"inv_{n}" for n in range(20)]
    await db.invoices(*ids)
    await db.publish(*(event(each, 1) for each in ids))
    few = await _work(db)
    async with db.store.write() as conn:
        await claims.release_all(conn)
    for sequence in range(2, 30):
        await _deliver(db)
        await db.publish(*(event(each, sequence) for each in ids))
    many = await _work(db)

    assert many.steps < 1.5 * few.steps


async def _deliver(db: OutboxDb) -> None:
    claimed = await _claimed(db, 100)
    ended = [Result(claim=each, at=NOW, duration=timedelta(0), status=200) for each in claimed]
    async with db.store.write() as conn:
        await results.record(conn, ended, NOW, lambda: 0.5)


async def test_many_events_take_no_more_statements_than_one(db: OutboxDb) -> None:
    await db.invoices("inv_1")
    with measured(db.store) as one:
        await db.publish(event("inv_1", 1))
    with measured(db.store) as many:
        await db.publish(*(event("inv_1", n) for n in range(2, 302)))

    assert len(one.statements) == len(many.statements)
