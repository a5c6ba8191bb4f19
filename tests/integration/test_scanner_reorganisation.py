"""Reorganisations, followed through scanner, ledger and matcher.

In the drawings a letter is a block, `p` stands below the block that holds the payment, and the lower branch
is the one that won:  A--B--C   becomes   A--B--C
                         p                    \\--D--E
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import ChainMoved
from watcher.model import ChainState
from watcher.pace import Pace
from world import COIN

if TYPE_CHECKING:
    from world import Made, World

DEPTHS = [pytest.param(1, id="depth 1"), pytest.param(10, id="depth 10")]
PAID = ["payment.detected", "payment.confirmed", "invoice.paid"]
TAKEN_BACK = ["payment.reverted", "invoice.reverted"]


async def paid(world: World, depth: int) -> tuple[Made, str]:
    """Pay one coin; the payment's block is `depth` blocks deep, and as many confirmations are asked for."""
    chain = world.add()
    await world.mine(3)
    invoice = await world.invoice(confirmations=depth)
    txid = chain.pay(invoice.address, COIN)
    await world.mine(depth)
    assert "paid" == await invoice.status()
    assert PAID == await invoice.told()
    return invoice, txid


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_dropped_payment_is_taken_back(world: World, depth: int) -> None:
    """A--B--…--C        becomes  A--D--…--E--F
    p (in B)                      (p is nowhere)
    """
    invoice, _ = await paid(world, depth)

    world.chains["fake"].reorg(depth, to_pool=False)
    await world.scan()

    assert "pending reverted" == await invoice.status()
    assert PAID + TAKEN_BACK == await invoice.told()
    assert ["reorganised"] == await world.standings()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_payment_that_returns_to_the_mempool_is_confirming_and_paid_again(
    world: World, depth: int
) -> None:
    invoice, _ = await paid(world, depth)

    world.chains["fake"].reorg(depth)
    await world.scan()
    assert "confirming reverted" == await invoice.status()
    assert ["mempool"] == await world.standings()

    await world.mine(depth)

    assert "paid reverted" == await invoice.status()
    assert [*PAID, *TAKEN_BACK, "payment.confirmed", "invoice.paid"] == await invoice.told()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_payment_moved_to_another_block_as_deep_tells_nothing(world: World, depth: int) -> None:
    """A--B--…--C   becomes  A--D--…--E--F
    p (in B)                 p (in D, same height)
    """
    invoice, txid = await paid(world, depth)

    world.chains["fake"].reorg(depth, keep={txid: 0})
    await world.scan()

    assert "paid" == await invoice.status()
    assert PAID == await invoice.told()
    (payment,) = (await invoice.record()).decision.payments
    assert world.chains["fake"].blocks[4].ref == payment.deposit.block


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_payment_moved_to_the_top_confirms_anew_and_counts_once(world: World, depth: int) -> None:
    """Hazard 3: the same transaction in another block is the same payment, and its confirmations restart."""
    invoice, txid = await paid(world, depth + 1)

    world.chains["fake"].reorg(depth + 1, keep={txid: depth + 1})
    await world.scan()

    assert "confirming reverted" == await invoice.status()
    (payment,) = (await invoice.record()).decision.payments
    assert 1 == payment.confirmations

    await world.mine(depth + 1)
    assert "paid reverted" == await invoice.status()
    assert 1 == len(await world.standings())


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_doubled_payment_is_two_payments(world: World, depth: int) -> None:
    """On the new branch another transaction pays as well: both are told, none is counted twice."""
    invoice, txid = await paid(world, depth)
    chain = world.chains["fake"]
    second = chain.pay(invoice.address, COIN)

    chain.reorg(depth, keep={txid: 0, second: 0})
    await world.scan()

    assert "paid overpaid" == await invoice.status()
    assert 2 == len(await world.standings())
    events = await invoice.told()
    assert 2 == events.count("payment.confirmed")
    assert 1 == events.count("invoice.paid")
    assert 1 == events.count("invoice.overpaid")


async def test_the_old_branch_wins_again_and_everything_is_as_before(world: World) -> None:
    """A--B--C, then A--D--E--F, then A--B--C--G--H."""
    invoice, _ = await paid(world, 2)
    chain = world.chains["fake"]
    old = chain.head

    chain.reorg(2, to_pool=False)
    await world.scan()
    assert "pending reverted" == await invoice.status()
    chain.adopt(old.hash)
    await world.mine(2)

    assert "paid reverted" == await invoice.status()
    assert ["mined 4"] == await world.standings()
    assert [*PAID, *TAKEN_BACK, "payment.confirmed", "invoice.paid"] == await invoice.told()


async def test_a_reorganisation_in_the_middle_of_a_read_leaves_one_consistent_view(world: World) -> None:
    """Hazard 6: the batch that saw two branches is discarded, and the chain is read again at once."""
    chain = world.add()
    await world.mine(3)
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    chain.mine(2)
    world.adapters["fake"].faults.before("mempool", lambda: chain.reorg(2, keep={txid: 2}))

    await world.scan()

    assert (chain.head.height, chain.head.hash) == await world.scanned()
    assert "confirming" == await invoice.status()
    assert ["payment.detected", "invoice.confirming"] == await invoice.told()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_reorganisation_during_catch_up_is_followed(world: World, depth: int) -> None:
    """The daemon was down for 60 blocks; the chain reorganises between two pieces of the catch-up.

    2--…--18--…--62   becomes   2--…--x--…--63, forked below 18
          p, q                        q
    """
    chain = world.add(span=16)
    await world.mine(2)
    invoice = await world.invoice(expires_in=86400)
    chain.mine(15)
    lost, kept = chain.pay(invoice.address, COIN // 2), chain.pay(invoice.address, COIN // 4)
    chain.mine(45, only=[lost, kept])
    assert 0.0 == await world.scanners["fake"].turn()
    assert (18, chain.blocks[18].ref.hash) == await world.scanned()
    chain.reorg(44 + depth, keep={kept: 0}, to_pool=False)

    await world.scan()

    assert (chain.head.height, chain.head.hash) == await world.scanned()
    assert "partial" == await invoice.status()
    assert [f"mined {19 - depth}", "reorganised"] == await world.standings()
    (option,) = (await invoice.record()).decision.options
    assert COIN // 4 == option.confirmed


async def test_a_reorganisation_longer_than_one_read_is_read_in_one_piece(world: World) -> None:
    """The payment only moved: nothing may claim in between that it was gone."""
    chain = world.add(span=4)
    await world.mine(1)
    invoice = await world.invoice(confirmations=1)
    txid = chain.pay(invoice.address, COIN)
    await world.mine(12)
    before = await invoice.told()

    chain.reorg(12, keep={txid: 11})
    await world.scan()

    assert "paid" == await invoice.status()
    assert before == await invoice.told()


# --- a lower head, and a chain that never holds still


@pytest.mark.parametrize("lag", [1, 5, 400])
async def test_a_lagging_node_is_no_reorganisation(world: World, lag: int) -> None:
    """Hazard 7: behind a load balancer the head goes back; nothing is undone, told or proven by that."""
    invoice, _ = await paid(world, 2)
    before = await world.dump()
    world.adapters["fake"].lag = lag

    await world.scan()
    assert ChainState.STALLED is world.scanners["fake"].status().state
    assert before == await world.dump()

    world.adapters["fake"].lag = 0
    await world.scan()
    assert ChainState.LIVE is world.scanners["fake"].status().state
    assert "paid" == await invoice.status()


async def test_two_backends_in_turns_never_lose_a_payment(world: World) -> None:
    """P2: every other answer comes from a node that is some blocks behind."""
    chain, adapter = world.add(), world.adapters["fake"]
    await world.mine(3)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    for number in range(12):
        adapter.lag = 3 * (number % 2)
        await world.mine()
    adapter.lag = 0
    await world.scan()

    assert "paid" == await invoice.status()
    assert PAID == [e for e in await invoice.told() if e != "invoice.confirming"]


async def test_a_chain_that_never_holds_still_counts_as_stalled(world: World) -> None:
    """It is read again at once a few times; then the shop is told, as if the node were down."""
    world.add(pace=Pace(5.0, 100, stalled_after=60))
    await world.mine(3)
    world.adapters["fake"].faults.fail("tip", ChainMoved("two branches in turns"), times=None)
    world.clock.advance(61)

    pauses = [await world.scanners["fake"].turn() for _ in range(12)]

    assert [0.0] * 9 + [1.0] * 3 == pauses
    assert ChainState.STALLED is world.scanners["fake"].status().state
    assert ["chain.stalled"] == await world.told()
