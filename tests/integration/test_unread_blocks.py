"""Blocks that no endpoint can give: tried, noted as a gap, told, and read as soon as somebody can."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fake_chain import Credit
from watcher import troubles
from watcher.model import ChainState
from world import COIN

if TYPE_CHECKING:
    from world import Made, World

PAUSE = timedelta(hours=7)
"""Longer than blocks that are missing rest between two tries."""


async def fail(world: World, times: int = 3) -> None:
    for _ in range(times):
        world.clock.advance(30)
        assert await world.scanners["fake"].turn() > 0


async def shown(world: World) -> tuple[list[Any], list[Any]]:
    async with world.store.read() as conn:
        return await troubles.shown_gaps(conn, "fake"), await troubles.alerts(conn, "fake")


async def paid_in_a_pruned_block(world: World) -> Made:
    """A payment in block 3 of 5, of which blocks 2 to 4 are pruned before they were read."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    world.clock.advance(10)
    chain.mine(2, only=())
    chain.mine()
    chain.mine(2)
    world.adapters["fake"].pruned = {2, 3, 4}
    return invoice


async def test_h35_a_pruned_block_is_asked_for_again_before_anything_else(world: World) -> None:
    await paid_in_a_pruned_block(world)
    await fail(world)

    assert (0, world.chains["fake"].blocks[0].ref.hash) == await world.scanned()
    assert ([], []) == await shown(world)


async def test_a_node_that_is_ill_for_less_than_a_minute_leaves_no_gap(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    for _ in range(20):
        world.clock.advance(2)
        await world.scanners["fake"].turn()
    world.adapters["fake"].pruned = set()
    await world.mine()

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)


async def test_h35_a_pruned_gap_is_recorded_and_told_and_the_chain_goes_on(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    await fail(world)
    await world.scan()

    gaps, alerts = await shown(world)
    assert [(2, 4, "missing", [invoice.id])] == [
        (g["from"], g["to"], g["reason"], g["open_invoices"]) for g in gaps
    ]
    assert ["blocks_missing"] == [a["kind"] for a in alerts]
    assert "blocks 2 to 4 are not read, no deadline passes" in alerts[0]["detail"]
    assert 5 == (await world.scanned())[0]
    assert ["chain.alert"] == [e for e in await world.told() if e.startswith("chain.")]
    assert ChainState.LIVE is world.scanners["fake"].status().state
    assert "blocks 2 to 4 have to be read again" in str(world.scanners["fake"].status().reason)


async def test_h35_nothing_expires_over_blocks_that_nobody_read(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    await fail(world)
    await world.scan()
    world.clock.advance(7200)
    await world.mine()

    assert "pending" == await invoice.status()


async def test_h35_what_left_the_mempool_may_be_in_a_block_that_nobody_read(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.scan()
    chain.mine()
    world.adapters["fake"].pruned = {1}
    await fail(world)
    await world.mine(3)

    assert ["mempool"] == await world.standings()
    assert "confirming" == await invoice.status()

    world.adapters["fake"].pruned = set()
    world.clock.advance(PAUSE.total_seconds())
    await world.mine()
    assert "paid" == await invoice.status()


async def test_h35_an_endpoint_that_has_the_blocks_closes_the_gap(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    await fail(world)
    await world.scan()
    world.adapters["fake"].pruned = set()
    world.clock.advance(PAUSE.total_seconds())
    await world.mine()

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)
    alerts = [e for e in await world.told() if e == "chain.alert"]
    assert ["chain.alert", "chain.alert"] == alerts


async def test_h35_a_pruned_gap_is_recovered_by_address(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    world.adapters["fake"].findable = True
    await fail(world)
    await world.scan()

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)
    assert ["mined 3"] == await world.standings()


async def test_a_deadline_that_waited_for_a_gap_passes_once_it_is_closed(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(expires_in=60)
    chain.mine(2)
    world.adapters["fake"].pruned = {1}
    await fail(world)
    await world.scan()
    world.clock.advance(3600)
    await world.mine()
    assert "pending" == await invoice.status()

    world.adapters["fake"].pruned = set()
    world.clock.advance(PAUSE.total_seconds())
    await world.mine()
    assert "expired" == await invoice.status()


async def test_the_invoices_that_wait_for_unread_blocks_say_so(world: World) -> None:
    invoice = await paid_in_a_pruned_block(world)
    await fail(world)
    await world.scan()
    later = await world.invoice()

    async with world.store.read() as conn:
        waiting, free = [await troubles.unread_for(conn, each.id) for each in (invoice, later)]
    assert [("fake", 2, 4, "missing", "block 2 is pruned")] == [tuple(each.values()) for each in waiting]
    assert [] == free


async def test_an_invoice_made_after_the_gap_waits_for_nothing(world: World) -> None:
    await paid_in_a_pruned_block(world)
    await fail(world)
    await world.scan()
    later = await world.invoice(expires_in=60)
    world.clock.advance(3600)
    await world.mine()

    assert "expired" == await later.status()


async def unreadable(world: World) -> Made:
    """A payment in block 2 of 3, which cannot be parsed."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    world.clock.advance(10)
    chain.mine(1, only=())
    chain.mine()
    chain.mine()
    world.adapters["fake"].unreadable = {chain.blocks[2].ref.hash}
    return invoice


async def test_a_block_that_cannot_be_parsed_is_retried_then_quarantined_with_an_alert(world: World) -> None:
    invoice = await unreadable(world)
    await fail(world)
    assert 0 == (await world.scanned())[0]
    await world.scan()

    gaps, alerts = await shown(world)
    assert 3 == (await world.scanned())[0]
    assert [(2, 2, "quarantined")] == [(g["from"], g["to"], g["reason"]) for g in gaps]
    assert ["block_quarantined"] == [a["kind"] for a in alerts]
    assert "watcher rescan fake --from 2 --to 2" in alerts[0]["detail"]
    assert "pending" == await invoice.status()


async def test_a_quarantined_block_is_not_asked_for_again_by_itself(world: World) -> None:
    await unreadable(world)
    await fail(world)
    await world.scan()
    before = world.adapters["fake"].faults.calls["read"]
    world.clock.advance(7200)
    await world.scan()

    assert before == world.adapters["fake"].faults.calls["read"]


async def test_a_quarantined_block_is_replayed_on_command(world: World) -> None:
    invoice = await unreadable(world)
    await fail(world)
    await world.scan()
    await world.actions().rescan("fake", 1, None)
    await world.scan()
    assert [(2, 2)] == [(g.first, g.last) for g in await world.ledger.gaps("fake")]

    world.adapters["fake"].unreadable = set()
    await world.actions().rescan("fake", 2, 2)
    await world.scan()

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)


async def test_a_quarantined_block_is_tried_again_at_the_next_start(world: World) -> None:
    invoice = await unreadable(world)
    await fail(world)
    await world.scan()
    world.adapters["fake"].unreadable = set()
    await world.restart()
    await world.scan()

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)


@pytest.mark.parametrize("crash", [False, True], ids=["running", "restarted"])
async def test_a_reorganisation_that_takes_an_unread_block_away_closes_its_gap(
    world: World, *, crash: bool
) -> None:
    invoice = await unreadable(world)
    chain = world.chains["fake"]
    await fail(world)
    await world.scan()
    if crash:
        await world.restart()
    chain.reorg(2)
    await world.mine(2)

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)


async def test_a_reorganisation_before_the_last_try_leaves_nothing_behind(world: World) -> None:
    invoice = await unreadable(world)
    await fail(world)
    world.chains["fake"].reorg(3)
    await world.mine(2)

    assert "paid" == await invoice.status()
    assert ([], []) == await shown(world)


async def test_a_conflict_is_seen_although_blocks_are_unread(world: World) -> None:
    """What spends the same coins in a block that was read replaces a payment, whatever is missing."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    chain.mine(1, only=())
    world.adapters["fake"].pruned = {1}
    await fail(world)
    await world.scan()
    chain.replace(txid, Credit("fake199999999", COIN))
    await world.mine()

    assert "pending reverted" == await invoice.status()
