"""Deadlines: an invoice ends by what its chains prove, never by a clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from world import COIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chains.base import Tip
    from world import World

HOUR = 3600.0
BOTH = [
    {"chain": "one", "asset": "COIN", "amount": "1"},
    {"chain": "two", "asset": "TOKEN", "amount": "30"},
]


async def test_an_invoice_expires_when_its_chain_proves_the_deadline(world: World) -> None:
    world.add()
    await world.scan()
    invoice = await world.invoice()

    world.clock.advance(HOUR - 1)
    await world.scan()
    assert "pending" == await invoice.status()
    world.clock.advance(1)
    await world.scan()

    assert "expired" == await invoice.status()
    assert ["invoice.expired"] == await invoice.told()


async def test_a_dead_chain_expires_nothing(world: World) -> None:
    """Invariant 7: for a day nothing is known, so nothing is concluded."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    chain.mine(2)
    world.adapters["fake"].faults.fail("*", times=None)
    for _ in range(24):
        world.clock.advance(HOUR)
        await world.scan()
    assert "pending" == await invoice.status()

    world.adapters["fake"].faults.heal()
    await world.scan()

    assert "paid" == await invoice.status()
    assert "invoice.expired" not in await invoice.told()


async def test_an_account_chain_without_new_blocks_expires_nothing(world: World) -> None:
    """Its head's own time is all that it proves."""
    chain = world.add(has_mempool=False)
    await world.scan()
    invoice = await world.invoice()
    world.clock.advance(2 * HOUR)
    await world.scan()
    assert "pending" == await invoice.status()

    chain.mine()
    await world.scan()

    assert "expired" == await invoice.status()


async def test_h106_h107_a_restart_across_the_deadline_catches_up_first(world: World) -> None:
    """Hazard 106: paid in a block before the deadline, while the daemon was down until long after it."""
    chain = world.add(span=2)
    await world.mine(1)
    invoice = await world.invoice()
    unpaid = await world.invoice()
    world.clock.advance(HOUR - 60)
    chain.pay(invoice.address, COIN)
    chain.mine(1)
    world.clock.advance(5 * HOUR)
    chain.mine(9)
    await world.restart()

    while not await world.scanners["fake"].turn():
        assert "invoice.expired" not in await world.told()

    assert ["paid", "expired"] == [await i.status() for i in (invoice, unpaid)]
    assert ["payment.detected", "payment.confirmed", "invoice.paid"] == [
        e for e in await invoice.told() if e != "invoice.confirming"
    ]


async def test_of_two_invoices_only_the_one_whose_chains_are_proven_expires(world: World) -> None:
    world.add("one")
    world.add("two")
    await world.scan()
    here = await world.invoice(chain="one")
    both = await world.invoice(options=BOTH)
    world.adapters["two"].faults.fail("*", times=None)

    world.clock.advance(HOUR)
    await world.scan()
    assert ["expired", "pending"] == [await i.status() for i in (here, both)]

    world.adapters["two"].faults.heal()
    await world.scan()
    assert ["expired", "expired"] == [await i.status() for i in (here, both)]


async def test_a_payment_in_a_block_of_the_chain_that_was_behind_is_in_time(world: World) -> None:
    world.add("one")
    two = world.add("two")
    await world.scan()
    both = await world.invoice(options=BOTH)
    world.adapters["two"].faults.fail("*", times=None)
    world.clock.advance(HOUR - 1)
    two.pay(both.addresses[1], 30_000_000, asset="TOKEN")
    two.mine(2)
    world.clock.advance(HOUR)
    await world.scan()

    world.adapters["two"].faults.heal()
    await world.scan()

    assert "paid" == await both.status()


async def test_half_and_half_on_two_chains_is_paid(world: World) -> None:
    one, two = world.add("one"), world.add("two")
    await world.scan()
    invoice = await world.invoice(options=BOTH)

    one.pay(invoice.addresses[0], COIN // 2)
    two.pay(invoice.addresses[1], 15_000_000, asset="TOKEN")
    one.mine(2)
    await world.scan()
    assert "confirming" == await invoice.status()
    two.mine(2)
    await world.scan()

    assert "paid" == await invoice.status()


async def test_seen_before_the_deadline_and_mined_after_it_is_in_time(world: World) -> None:
    """Hazard 105."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    world.clock.advance(HOUR - 1)
    chain.pay(invoice.address, COIN)
    await world.scan()

    await world.mine(3, apart=HOUR)

    assert "paid" == await invoice.status()
    assert "invoice.expired" not in await invoice.told()


@pytest.mark.parametrize(
    ("late", "expected", "events"),
    [
        pytest.param("hold", "expired late", ["invoice.late_payment"], id="held"),
        pytest.param("accept", "paid late", ["invoice.paid"], id="accepted"),
    ],
)
async def test_late_money_does_what_the_invoice_says(
    world: World, late: str, expected: str, events: list[str]
) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(late=late)
    world.clock.advance(HOUR)
    await world.scan()
    world.clock.advance(1)
    chain.pay(invoice.address, COIN)
    chain.mine(2)
    await world.scan()

    assert expected == await invoice.status()
    told = ["invoice.expired", "payment.detected", "payment.confirmed", *events]
    assert told == await invoice.told()
    assert (late == "hold") is (await invoice.record()).decision.needs_action


async def test_money_years_later_is_still_told(world: World) -> None:
    """Invariant 10: an address is never forgotten."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    world.clock.advance(3 * 365 * 24 * HOUR)
    await world.scan()
    chain.pay(invoice.address, COIN)
    await world.restart()
    await world.scan()

    assert "expired late" == await invoice.status()
    assert "invoice.late_payment" == (await invoice.told())[-1]


# --- what is proven stays proven


async def test_a_node_that_is_cut_off_reopens_nothing(world: World) -> None:
    """Without peers its head is all that it proves, which is less than was proven before."""
    chain, adapter = world.add(), world.adapters["fake"]
    await world.mine(1)
    invoice = await world.invoice()
    world.clock.advance(HOUR)
    await world.scan()
    assert "expired" == await invoice.status()

    tip = adapter.tip
    adapter.tip = lambda: _cut_off(tip)  # type: ignore[method-assign]
    world.clock.advance(1)
    chain.pay(invoice.address, COIN // 2)
    await world.scan()

    assert "expired late" == await invoice.status()
    assert world.clock() == (await invoice.record()).decision.payments[0].deposit.arrived_at


async def _cut_off(tip: Callable[[], Awaitable[Tip]]) -> Tip:
    known = await tip()
    return replace(known, as_of=known.head.time)


async def test_h109_a_clock_that_was_wrong_for_a_while_leaves_no_mark(world: World) -> None:
    """Hazard 109: it ran a day ahead, and was set right."""
    world.add()
    await world.scan()
    world.clock.advance(24 * HOUR)
    await world.scan()
    world.clock.advance(-24 * HOUR)
    await world.scan()

    invoice = await world.invoice()
    world.clock.advance(60)
    await world.scan()

    assert "pending" == await invoice.status()


@pytest.mark.parametrize(
    ("paid", "told", "after"),
    [
        pytest.param(0, "expired", "underpaid", id="expired"),
        pytest.param(COIN // 4, "underpaid", "underpaid", id="underpaid"),
    ],
)
async def test_a_deadline_that_was_told_stays_passed_on_a_branch_that_ends_before_it(
    world: World, paid: int, told: str, after: str
) -> None:
    """A part that the other branch holds in time is taken into account; nothing is told twice."""
    chain = world.add(has_mempool=False)
    await world.scan()
    invoice = await world.invoice(expires_in=60)
    if paid:
        chain.pay(invoice.address, paid)
    await world.mine()
    old = chain.head
    world.clock.advance(120)
    await world.mine(2)
    assert told == await invoice.status()

    chain.rollback(2)
    world.clock.advance(-100)
    part = chain.pay(invoice.address, COIN // 4)
    chain.mine(3, only=[part])
    await world.scan()
    assert old.height + 3 == (await world.scanned())[0]
    assert after == (await invoice.status()).split()[0]

    world.clock.advance(200)
    await world.mine(2)
    assert after == (await invoice.status()).split()[0]
    outcomes = [type_ for type_ in await invoice.told() if type_ in ("invoice.expired", "invoice.underpaid")]
    assert len(outcomes) == len(set(outcomes))
