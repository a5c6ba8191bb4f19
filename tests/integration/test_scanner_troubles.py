"""What once lost, invented or repeated money on the fake chain: each is here in its smallest form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chains.base import NodeUnavailable
from fake_chain import Credit, FakeChain
from watcher.model import ChainState
from watcher.pace import Pace
from watcher.tables import DEPOSIT, GAP
from world import COIN

if TYPE_CHECKING:
    from world import World


@pytest.mark.parametrize("seen_in_the_mempool", [True, False])
async def test_replacement_on_the_winning_branch_is_not_counted_beside_what_it_replaces(
    world: World, *, seen_in_the_mempool: bool
) -> None:
    """own branch:  … - tx1          the other: … - tx2 - 20 more, read in pieces"""
    chain = world.add(span=5)
    await world.scan()
    made = await world.invoice(confirmations=2)
    spends = chain.pool[chain.pay(made.address, COIN)].spends
    if seen_in_the_mempool:
        await world.scan()
    await world.mine()

    chain.reorg(1, to_pool=False)
    chain.send([Credit(made.address, COIN)], spends=spends)
    chain.mine(21)
    await world.scan()

    assert "invoice.overpaid" not in await made.told()
    assert "paid" == await made.status()


async def test_node_that_fails_after_a_deep_reorganisation_and_returns_to_the_old_branch(
    world: World,
) -> None:
    chain = world.add(pace=Pace(1.0, 100, 0))
    chain.mine(20)
    await world.scan()
    chain.mine(3)
    await world.scan()
    old = chain.head.hash

    chain.reorg(8)
    world.adapters["fake"].faults.fail("read", NodeUnavailable("falters"), times=1)
    await world.scanners["fake"].turn()
    chain.adopt(old)
    chain.mine()
    await world.scan()

    assert chain.head.height == (await world.scanned())[0]


async def test_h71_another_network_under_the_same_name_halts_and_withdraws_nothing(world: World) -> None:
    chain = world.add()
    chain.mine(20)
    await world.scan()
    made = await world.invoice(confirmations=1)
    chain.pay(made.address, COIN)
    await world.mine(2)

    other = FakeChain(world.clock)
    other.mine(100)
    world.chains["fake"] = world.adapters["fake"].chain = other
    world.adapters["fake"].chain_id = "fake:2"
    await world.restart()
    await world.scanners["fake"].turn()
    status = world.scanners["fake"].status()

    assert ChainState.HALTED is status.state
    assert "fake:1" in (status.reason or "")
    assert "fake:2" in (status.reason or "")
    assert "paid" == await made.status()


async def test_h71_another_block_0_is_another_chain_whatever_id_it_claims(world: World) -> None:
    """A private chain started afresh on the same port, with the same chain id."""
    chain = world.add()
    await world.scan()
    made = await world.invoice(confirmations=1)
    chain.pay(made.address, COIN)
    await world.mine(2)

    other = FakeChain(world.clock)
    other.blocks[0] = replace(other.blocks[0], ref=replace(other.blocks[0].ref, hash="another"))
    other.pay(made.address, COIN)
    other.mine(100)
    world.chains["fake"] = world.adapters["fake"].chain = other
    await world.restart()
    await world.scanners["fake"].turn()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    assert "paid" == await made.status()


async def test_h71_chain_exchanged_between_two_looks_is_no_reorganisation(world: World) -> None:
    """No call fails meanwhile, and nothing was paid yet that could be taken back."""
    chain = world.add()
    chain.mine(5)
    await world.scan()
    made = await world.invoice(confirmations=1)

    other = FakeChain(world.clock)
    other.blocks[0] = replace(other.blocks[0], ref=replace(other.blocks[0].ref, hash="another"))
    other.pay(made.address, COIN)
    other.mine(100)
    world.chains["fake"] = world.adapters["fake"].chain = other
    await world.scanners["fake"].turn()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    assert "pending" == await made.status()


async def test_reorganisation_below_the_first_block_takes_no_payment_back_by_itself(world: World) -> None:
    chain = world.add()
    chain.mine(20)
    await world.scan()
    made = await world.invoice(confirmations=1)
    chain.pay(made.address, COIN)
    await world.mine(2)

    chain.reorg(8)
    await world.scan()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    assert "paid" == await made.status()


async def test_rescan_does_not_pay_an_invoice_with_money_older_than_it(world: World) -> None:
    """The key was in use before, by another program: its first address was paid long ago."""
    chain = world.add()
    chain.pay("fake100000000", COIN)
    chain.mine(5)
    await world.scan()
    world.clock.advance(1000)
    await world.mine(3)
    made = await world.invoice(confirmations=1)

    await world.mine(2)
    await world.actions().rescan("fake", 0, None)
    await world.scan()

    assert "fake100000000" == made.address
    assert "pending" == await made.status()


async def test_gap_ends_where_a_reorganisation_begins(world: World) -> None:
    """What stands above the fork is new, and read with every address; the rest is read again."""
    chain = world.add()
    chain.mine(20)
    await world.scan()
    await world.invoice()
    await world.actions().rescan("fake", 15, 20)
    await world.actions().rescan("fake", 18, 20)

    chain.reorg(4)
    scanner = world.scanners["fake"]
    await scanner.turn()
    gaps = [(row.first, row.last) for row in await world.rows(GAP)]
    await world.scan()

    assert [] == [gap for gap in gaps if gap[1] > 16]
    assert [] == await world.rows(GAP)
    assert ChainState.LIVE is scanner.status().state


async def test_paid_at_zero_confirmations_stays_paid_while_its_block_is_replaced(world: World) -> None:
    """The head moves while the mempool is read after the reorganisation: nothing may be concluded yet."""
    chain = world.add()
    await world.scan()
    made = await world.invoice(confirmations=0)
    chain.pay(made.address, COIN)
    await world.scan()
    await world.mine()

    chain.reorg(1)
    world.adapters["fake"].faults.before("mempool", lambda: chain.mine(1, only=[]))
    await world.scan()
    await world.scan()

    assert "invoice.reverted" not in await made.told()


async def test_lagging_endpoint_is_set_aside(world: World) -> None:
    chain = world.add()
    chain.mine(20)
    await world.scan()

    world.adapters["fake"].lag = 3
    await world.scanners["fake"].turn()

    assert ["the node is at block 17, behind 20 seen before"] == world.adapters["fake"].distrusted


async def test_slow_node_is_asked_for_fewer_blocks_at_a_time(world: World) -> None:
    chain = world.add(span=100)
    await world.scan()
    scanner = world.scanners["fake"]
    scanner._monotonic = iter(range(0, 100_000, 30)).__next__
    chain.mine(400)
    heights = []
    for _ in range(4):
        await scanner.turn()
        heights.append((await world.scanned())[0])

    assert [40, 60, 70, 75] == heights


async def test_block_absorbed_twice_leaves_nothing_to_look_at_again(world: World) -> None:
    chain = world.add()
    await world.scan()
    made = await world.invoice(confirmations=1)
    chain.pay(made.address, COIN)
    await world.mine(2)

    await world.actions().rescan("fake", 0, None)
    await world.scan()

    assert [True] == [row.settled for row in await world.rows(DEPOSIT)]


async def test_h6_head_of_one_endpoint_and_mempool_of_another_are_no_view(world: World) -> None:
    """Another endpoint, which never heard of the payment, takes over in the middle of a turn."""
    chain = world.add()
    await world.scan()
    made = await world.invoice(confirmations=1)
    chain.pay(made.address, COIN)
    await world.scan()
    told, pool, adapter = await made.told(), dict(chain.pool), world.adapters["fake"]

    def take_over() -> None:
        adapter.endpoint = 1
        chain.pool.clear()

    adapter.faults.before("mempool", take_over)
    await world.scanners["fake"].turn()

    assert ["payment.detected", "invoice.confirming"] == told == await made.told()

    adapter.endpoint = 0
    chain.pool.update(pool)
    await world.mine()
    assert [*told, "payment.confirmed", "invoice.paid"] == await made.told()
