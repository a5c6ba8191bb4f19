"""The database under the ledger: large numbers, two writers, a full disk, a power cut."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from watcher.store import Store, sqlite_is_safe
from watcher.tables import DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from world import World

HUGE = 2**255
FULL = "database or disk is full"


async def paid(world: World, *amounts: int) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    for amount in amounts:
        chain.pay(invoice.address, amount)
    await world.mine()


async def test_h97_the_database_orders_amounts_as_numbers(world: World) -> None:
    await paid(world, 9, 10, HUGE, 2)

    async with world.store.read() as connection:
        largest = await connection.scalar(select(func.max(DEPOSIT.c.amount)))
        rows = await connection.scalars(select(DEPOSIT.c.amount).order_by(DEPOSIT.c.amount))
    assert HUGE == largest
    assert [2, 9, 10, HUGE] == list(rows)


async def test_h97_h98_the_sum_of_huge_amounts_is_exact(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    for amount in (HUGE, HUGE, 1):
        chain.pay(invoice.address, amount)
    await world.mine()

    (sums,) = (await invoice.record()).decision.options
    assert 2 * HUGE + 1 == sums.seen


async def test_h101_what_arrived_is_compared_as_it_is_whatever_the_sender_paid_for_it(world: World) -> None:
    """The sender's network fee left the sender's coins, not this output: one unit less is too little."""
    chain = world.add()
    await world.scan()
    exact, short = await world.invoice(), await world.invoice()
    chain.pay(exact.address, COIN)
    chain.pay(short.address, COIN - 1)
    await world.mine(2)

    assert ["paid", "partial"] == [await each.status() for each in (exact, short)]


@pytest.mark.parametrize("pragma", ["synchronous", "journal_mode", "foreign_keys"])
async def test_h118_every_connection_syncs_each_commit_to_the_disk(world: World, pragma: str) -> None:
    expected = {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}[pragma]

    async with world.store.read() as reader:
        read = await reader.scalar(text(f"PRAGMA {pragma}"))
    async with world.store.write() as writer:
        written = await writer.scalar(text(f"PRAGMA {pragma}"))
    assert (expected, expected) == (read, written)


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        pytest.param((3, 44, 5), False, id="below the first fix"),
        pytest.param((3, 44, 6), True, id="the first fix"),
        pytest.param((3, 45, 0), False, id="between two fixes"),
        pytest.param((3, 50, 6), False, id="below the second"),
        pytest.param((3, 50, 7), True, id="the second"),
        pytest.param((3, 51, 2), False, id="the last with the fault"),
        pytest.param((3, 51, 3), True, id="fixed"),
        pytest.param((4, 0, 0), True, id="later"),
    ],
)
def test_h119_a_version_that_corrupts_with_several_writers_is_known(
    version: tuple[int, ...], *, safe: bool
) -> None:
    assert safe is sqlite_is_safe(version)


async def test_h120_a_transaction_that_reads_first_and_then_writes_waits_for_its_turn(world: World) -> None:
    """A deferred transaction that turned into a writer would fail at once, whatever the busy timeout."""
    await paid(world, COIN)
    other = Store(world.path)
    begun = asyncio.Event()

    async def slow() -> None:
        async with other.write() as connection:
            begun.set()
            await asyncio.sleep(0.3)
            await connection.execute(text("UPDATE deposit SET maturity = 1"))

    try:
        task = asyncio.create_task(slow())
        await begun.wait()
        async with world.store.write() as connection:
            seen = await connection.scalar(select(DEPOSIT.c.maturity))
            await connection.execute(text("UPDATE deposit SET maturity = maturity + 1"))
        await task
    finally:
        await other.close()
    assert 1 == seen
    assert [2] == [row.maturity for row in await world.rows(DEPOSIT)]


async def test_h122_a_disk_that_is_full_half_records_nothing(world: World) -> None:
    """SQLite's own limit stands for the disk's: the same error at the same places."""
    chain = world.add()
    await world.scan()
    invoices = [await world.invoice() for _ in range(40)]
    before = await world.dump()
    for invoice in invoices:
        chain.pay(invoice.address, COIN)
    async with world.store.write() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages + 1}"))

    with pytest.raises(OperationalError, match=FULL):
        await world.scan()
    assert before == await world.dump()

    await world.restart()
    await world.mine(2)
    assert {"paid"} == {await invoice.status() for invoice in invoices}
