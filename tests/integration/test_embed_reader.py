"""A named reader of events over a database alone: more of them than are read at once, wanted and not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outbox_db import NOW, event
from watcher.embed_consumer import BATCH, PASSED, Consumer
from watcher.model import EventType
from watcher.tables import CONSUMER

if TYPE_CHECKING:
    from collections.abc import Collection

    from outbox_db import OutboxDb


class _Stream:
    """Who reads."""


async def _read(db: OutboxDb, types: Collection[str] | None, most: int = 10_000) -> list[int]:
    """Read as a process of its own, acknowledge each event, and return their `seq`."""
    consumer, stream = Consumer(db.store, lambda: NOW, "gateway"), _Stream()
    consumer.claim(stream)
    found: list[int] = []
    while len(found) < most and (one := await consumer.next(stream, types, beginning=True)):
        found.append(one.seq)
        await consumer.acknowledge(one.seq)
    return found


@pytest.mark.parametrize("types", [None, {EventType.INVOICE_PAID.value}], ids=["all", "some"])
async def test_more_events_than_are_read_at_once_are_all_given_in_order(
    db: OutboxDb, types: Collection[str] | None
) -> None:
    kinds = [EventType.INVOICE_PAID, EventType.CHAIN_STALLED]
    seqs = await db.publish(*(event(kind=kinds[n % 2]) for n in range(5 * BATCH)))
    wanted = seqs if types is None else seqs[::2]

    assert wanted[:150] == await _read(db, types, 150)
    assert wanted[150:] == await _read(db, types)


async def test_a_reader_that_passes_over_much_does_not_pass_over_it_again_after_a_crash(db: OutboxDb) -> None:
    seqs = await db.publish(*(event(kind=EventType.CHAIN_STALLED) for _ in range(PASSED + 2)))
    for _ in range(2):
        consumer, stream = Consumer(db.store, lambda: NOW, "gateway"), _Stream()
        consumer.claim(stream)
        assert await consumer.next(stream, {"invoice.paid"}, beginning=True) is None
        await consumer.next(stream, {"invoice.paid"}, beginning=True)

    assert [seqs[-1]] == [row.seq for row in await db.rows(CONSUMER)]


async def test_the_next_iterator_of_a_name_is_given_what_the_one_before_left(db: OutboxDb) -> None:
    seqs = await db.publish(*(event() for _ in range(5)))
    consumer, first, second = Consumer(db.store, lambda: NOW, "gateway"), _Stream(), _Stream()
    consumer.claim(first)
    for _ in range(3):
        await consumer.next(first, None, beginning=True)
    await consumer.acknowledge(seqs[1])
    consumer.release()
    consumer.claim(second)

    given = [await consumer.next(second, None, beginning=True) for _ in range(5)]
    assert [seqs[0], *seqs[2:], None] == [one and one.seq for one in given]
