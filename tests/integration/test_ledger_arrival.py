"""When a payment arrived: what was seen, what the blocks say, and how far that is believed (hazard 108)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from watcher.pace import Pace
from world import COIN

if TYPE_CHECKING:
    from world import World

HOUR = 3600.0


@pytest.mark.parametrize(
    ("block_time", "expected"),
    [
        pytest.param(-30, -30, id="a block a little before its sighting: when it was mined"),
        pytest.param(30, 0, id="a block of the future: when it was seen"),
        pytest.param(-2 * 86400, -7200, id="a block of the day before: no further back than drift allows"),
    ],
)
async def test_a_blocks_own_time_is_believed_only_as_far_as_the_chain_allows(
    world: World, block_time: float, expected: float
) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(expires_in=10 * 86400)
    seen = world.clock.advance(3 * 86400)
    await world.scan()
    chain.pay(invoice.address, COIN)
    world.clock.now = seen + timedelta(seconds=block_time)
    chain.mine()
    world.clock.now = seen
    await world.scan()

    (payment,) = (await invoice.record()).decision.payments
    assert seen + timedelta(seconds=expected) == payment.deposit.arrived_at


async def test_a_block_mined_before_the_invoice_by_its_own_clock_still_pays_it(world: World) -> None:
    """Nobody knew the address before: the block's clock is wrong, and the payment is not lost."""
    chain = world.add()
    await world.scan()
    now = world.clock.advance(600)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    world.clock.advance(-300)
    chain.mine(2)
    world.clock.now = now
    await world.scan()

    assert "paid" == await invoice.status()


async def test_a_payment_on_a_new_branch_is_as_old_as_its_block_there(world: World) -> None:
    """Mined before the deadline on a branch that wins after it: in time, though proven without it before."""
    chain = world.add(has_mempool=False, pace=Pace(1.0, 100, 0))
    world.adapters["fake"].clock_drift = timedelta(seconds=15)
    await world.mine(1)
    invoice = await world.invoice()
    world.clock.advance(HOUR - 100)
    chain.mine()
    fork = chain.head
    world.clock.advance(10)
    txid = chain.pay(invoice.address, COIN)
    chain.mine(only=[txid])
    other = chain.head
    chain.reorg(1, to_pool=False)
    world.clock.advance(200)
    chain.mine()
    await world.scan()
    assert "expired" == await invoice.status()

    chain.adopt(other.hash)
    world.clock.advance(1)
    chain.mine(3)
    await world.scan()

    assert fork.height + 1 == other.height
    assert "paid" == await invoice.status()


async def test_a_payment_on_a_branch_that_came_after_its_brought_address_is_not_taken_for_an_older_one(
    world: World,
) -> None:
    """Its block is no higher than the head was, and its block's clock lags: only the branch tells."""
    chain = world.add(has_mempool=False)
    await world.mine(3)
    world.clock.advance(30)
    invoice = await world.invoice(address="fake187654321")
    world.clock.advance(-20)
    txid = chain.pay(invoice.address, COIN)
    chain.reorg(2, {txid: 0})
    await world.scan()

    assert chain.blocks[2].ref.time < (await invoice.record()).invoice.created_at
    assert "paid" == (await invoice.status()).split()[0]


async def test_what_a_brought_address_received_on_the_same_branch_before_is_still_none_of_its_business(
    world: World,
) -> None:
    chain = world.add(has_mempool=False)
    await world.scan()
    chain.pay("fake187654321", COIN)
    chain.mine()
    world.clock.advance(30)
    invoice = await world.invoice(address="fake187654321")
    await world.mine(3)

    assert "pending" == await invoice.status()
