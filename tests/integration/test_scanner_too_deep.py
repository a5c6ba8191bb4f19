"""Reorganisations deeper than the blocks that are kept: the chain halts, and a rescan recovers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from watcher.model import ChainState
from watcher.pace import Pace
from world import COIN

if TYPE_CHECKING:
    from world import Made, World


async def deep(world: World) -> Made:
    """A payment at height 4 of a chain of which ten blocks are kept, 12 blocks deep."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.mine(3)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.mine(12)
    assert "paid" == await invoice.status()
    return invoice


async def test_a_reorganisation_deeper_than_the_history_halts_and_withdraws_nothing(world: World) -> None:
    invoice = await deep(world)
    before = await world.dump()

    world.chains["fake"].reorg(13, to_pool=False)
    pause = await world.scanners["fake"].turn()

    assert 30.0 == pause
    status = world.scanners["fake"].status()
    assert ChainState.HALTED is status.state
    assert "watcher rescan fake --from HEIGHT, with a HEIGHT of 1 or less" in str(status.reason)
    after = await world.dump()
    assert before["deposit"] == after["deposit"]
    assert before["block"] == after["block"]
    assert "paid" == await invoice.status()
    assert ["chain.stalled"] == [e for e in await world.told() if e.startswith("chain.")]


async def test_a_rescan_recovers_from_a_reorganisation_deeper_than_the_history(world: World) -> None:
    invoice = await deep(world)
    world.chains["fake"].reorg(13, to_pool=False)
    await world.scan()

    await world.actions().rescan("fake", 1, None)
    await world.scan()

    head = world.chains["fake"].head
    assert (head.height, head.hash) == await world.scanned()
    assert "pending reverted" == await invoice.status()
    assert ChainState.LIVE is world.scanners["fake"].status().state
    assert ["chain.stalled", "chain.recovered"] == [e for e in await world.told() if e.startswith("chain.")]
    assert [] == await world.ledger.gaps("fake")


async def test_a_rescan_that_does_not_reach_the_fork_keeps_it_halted(world: World) -> None:
    await deep(world)
    world.chains["fake"].reorg(13, to_pool=False)
    await world.actions().rescan("fake", 8, None)

    await world.scan()

    assert ChainState.HALTED is world.scanners["fake"].status().state


@pytest.mark.parametrize("depth", [1, 3])
async def test_the_very_first_block_may_be_reorganised_away(world: World, depth: int) -> None:
    """Followed from a head that leaves the chain: nothing was read below it, so no credit can be wrong."""
    chain = world.add()
    chain.mine(5)
    await world.scan()
    assert 5 == (await world.scanned())[0]
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)

    chain.reorg(depth, keep={txid: 0})
    await world.mine(2)

    assert ChainState.LIVE is world.scanners["fake"].status().state
    assert "paid" == await invoice.status()


async def test_a_chain_followed_for_long_halts_even_where_nothing_was_ever_paid(world: World) -> None:
    """Its full history is gone: that is no accident of the start, and somebody has to look."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.scan()
    await world.mine(20)
    before = await world.scanned()

    chain.reorg(12)
    await world.scan()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    assert before == await world.scanned()
