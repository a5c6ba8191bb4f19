"""Who may take back credits below the kept history: an operator's rescan, and nothing else that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from watcher.model import ChainState, GapReason
from watcher.pace import Pace
from watcher.tables import GAP
from world import COIN

if TYPE_CHECKING:
    from world import Made, World


async def halted(world: World) -> Made:
    """Ten blocks are kept; a payment at height 4 leaves the chain with a reorganisation of 13."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.mine(3)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.mine(12)
    assert "paid" == await invoice.status()
    chain.reorg(13, to_pool=False)
    return invoice


@pytest.mark.parametrize("reason", [reason for reason in GapReason if reason is not GapReason.RESCAN])
async def test_h8_blocks_that_wait_to_be_read_again_for_another_reason_are_no_consent(
    world: World, reason: GapReason
) -> None:
    invoice = await halted(world)
    row = {"chain": "fake", "first": 2, "last": 12, "after": 0, "upto": 1, "reason": reason.value}
    async with world.store.write() as connection:
        await connection.execute(insert(GAP).values(**row))

    await world.scan()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    assert "paid" == await invoice.status()


@pytest.mark.parametrize(
    ("first", "state", "status"),
    [
        pytest.param(5, ChainState.HALTED, "paid", id="above a credit that has to be taken back"),
        pytest.param(
            4, ChainState.HALTED, "paid", id="from the lowest such credit, where nothing older stands"
        ),
        pytest.param(1, ChainState.LIVE, "pending reverted", id="from before the first address"),
        pytest.param(0, ChainState.LIVE, "pending reverted", id="from the first block"),
    ],
)
async def test_h8_a_rescan_reaches_below_every_credit_that_has_to_be_taken_back(
    world: World, first: int, state: ChainState, status: str
) -> None:
    invoice = await halted(world)
    await world.scan()

    await world.actions().rescan("fake", first, None)
    await world.scan()

    assert (state, status) == (world.scanners["fake"].status().state, await invoice.status())
