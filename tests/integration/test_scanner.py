"""Following a chain: what a read covers, what a failing node stops, and what the shop is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable
from watcher.model import ChainState
from watcher.pace import Pace
from watcher.tables import DEPOSIT, EVENT
from world import COIN

if TYPE_CHECKING:
    from chains.base import ChainError
    from world import World

METHODS = ("open", "tip", "block", "read", "mempool")


async def test_the_first_scan_begins_at_the_head(world: World) -> None:
    chain = world.add()
    chain.mine(30)

    await world.scan()

    assert (30, chain.head.hash) == await world.scanned()
    assert [(30, chain.head.hash)] == await world.ledger.kept("fake")


async def test_the_first_scan_begins_at_the_configured_height(world: World) -> None:
    chain = world.add(pace=Pace(1.0, 100, 0, start_height=10), span=4)
    chain.mine(30)

    await world.scan()

    assert (30, chain.head.hash) == await world.scanned()
    assert 10 == (await world.ledger.kept("fake"))[0][0]


async def test_a_start_above_the_head_begins_at_the_head(world: World) -> None:
    world.add(pace=Pace(1.0, 100, 0, start_height=10**6)).mine(3)

    await world.scan()

    assert 3 == (await world.scanned())[0]


async def test_only_the_newest_blocks_are_kept(world: World) -> None:
    world.add(pace=Pace(1.0, 10, 0))
    await world.scan()

    await world.mine(25)

    assert list(range(15, 26)) == [height for height, _ in await world.ledger.kept("fake")]


async def test_catch_up_after_downtime_leaves_no_gap(world: World) -> None:
    """A thousand blocks while the daemon was down, a payment in every fiftieth."""
    chain = world.add(span=64)
    await world.mine(1)
    invoice = await world.invoice(amount="20", expires_in=86400)
    for _ in range(20):
        chain.pay(invoice.address, COIN)
        chain.mine(50)
    await world.restart()

    await world.scan()

    assert "paid" == await invoice.status()
    assert 20 == await world.count(DEPOSIT)
    assert 16 <= world.adapters["fake"].faults.calls["read"] <= 17


async def test_what_is_known_is_not_written_again(world: World) -> None:
    """Polling an idle chain writes nothing but, now and then, the moment until which it is proven."""
    chain = world.add()
    await world.mine(2)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN // 2)
    await world.scan()
    await world.scan()
    before = (await world.dump(), await world.ledger.view("fake"))

    for _ in range(5):
        world.clock.advance(1)
        await world.scan()

    assert before == (await world.dump(), await world.ledger.view("fake"))
    world.clock.advance(10)
    await world.scan()
    view = await world.ledger.view("fake")
    assert view is not None
    assert world.clock() == view.as_of


# --- invariant 4: the cursor never passes what is not proven


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NodeUnavailable("HTTP 503"), id="unavailable"),
        pytest.param(ChainMoved("block 3 changed"), id="moved"),
        pytest.param(NodeMisbehaved("another genesis"), id="misbehaved"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
async def test_invariant_4_the_cursor_never_passes_a_failing_read(
    world: World, method: str, error: ChainError
) -> None:
    chain = world.add()
    await world.mine(2)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    chain.mine(3)
    await world.restart()
    before, faults = await world.dump(), world.adapters["fake"].faults
    faults.fail(method, error, times=None)

    for _ in range(3):
        await world.scanners["fake"].turn()
    unproven = await world.dump()
    faults.heal()
    await world.scan()

    alarm = [] if not isinstance(error, NodeMisbehaved) else ["chain.stalled"]
    assert alarm == [e["type"] for e in unproven["event"][len(before["event"]) :]]
    for table in ("address", "block", "deposit", "invoice"):
        assert before[table] == unproven[table], table
    assert (chain.head.height, chain.head.hash) == await world.scanned()
    assert "paid" == await invoice.status()


async def test_a_failing_read_in_the_middle_of_a_catch_up_resumes_where_it_stopped(world: World) -> None:
    chain = world.add(span=8)
    await world.mine(1)
    invoice = await world.invoice(expires_in=86400)
    chain.mine(20)
    chain.pay(invoice.address, COIN)
    chain.mine(20)
    await world.scanners["fake"].turn()
    world.adapters["fake"].faults.fail("read", times=2)

    pauses = [await world.scanners["fake"].turn() for _ in range(3)]

    assert [1.0, 2.0, 0.0] == pauses
    assert 9 + 2 == (await world.scanned())[0], "the span was halved twice"
    await world.scan()
    assert "paid" == await invoice.status()


async def test_a_node_that_asks_to_wait_is_given_that_time(world: World) -> None:
    world.add()
    await world.scan()
    world.adapters["fake"].faults.fail("tip", NodeUnavailable("HTTP 429", retry_after=17.0))

    assert 17.0 == await world.scanners["fake"].turn()


async def test_the_node_is_proven_anew_after_an_outage(world: World) -> None:
    world.add()
    await world.scan()
    world.adapters["fake"].faults.fail("tip")

    await world.scanners["fake"].turn()
    await world.scan()

    assert 2 == world.adapters["fake"].opened


# --- what the shop is told of a chain


async def test_a_stall_and_a_recovery_are_told_once_each(world: World) -> None:
    world.add(pace=Pace(1.0, 100, stalled_after=60))
    await world.scan()
    faults = world.adapters["fake"].faults
    faults.fail("*", times=None)
    for _ in range(10):
        world.clock.advance(20)
        await world.scan()
    assert ["chain.stalled"] == await world.told()

    faults.heal()
    for _ in range(3):
        await world.scan()

    assert ["chain.stalled", "chain.recovered"] == await world.told()


async def test_a_short_outage_is_not_told(world: World) -> None:
    world.add(pace=Pace(1.0, 100, stalled_after=60))
    await world.scan()
    world.adapters["fake"].faults.fail("*", times=2)
    for _ in range(3):
        world.clock.advance(20)
        await world.scan()

    assert [] == await world.told()


async def test_a_stall_is_told_once_over_a_restart(world: World) -> None:
    world.add(pace=Pace(1.0, 100, stalled_after=60))
    await world.scan()
    world.adapters["fake"].faults.fail("*", times=None)
    world.clock.advance(61)
    await world.scan()

    await world.restart()
    for _ in range(3):
        world.clock.advance(61)
        await world.scan()
    assert ["chain.stalled"] == await world.told()

    await world.restart()
    world.adapters["fake"].faults.heal()
    await world.scan()
    await world.restart()
    await world.scan()
    assert ["chain.stalled", "chain.recovered"] == await world.told()


async def test_a_head_that_stays_old_is_a_stall_as_soon_as_it_is_too_old(world: World) -> None:
    """The node answers, but has heard of no block for longer than the operator allows."""
    chain = world.add(pace=Pace(1.0, 100, stalled_after=60), has_mempool=False)
    await world.scan()

    world.clock.advance(61)
    await world.scan()
    assert ChainState.STALLED is world.scanners["fake"].status().state
    assert ["chain.stalled"] == await world.told()

    chain.mine()
    await world.scan()
    assert ChainState.LIVE is world.scanners["fake"].status().state
    assert ["chain.stalled", "chain.recovered"] == await world.told()


async def test_a_node_of_another_chain_halts_at_once_and_is_told(world: World) -> None:
    """Hazard 71."""
    world.add()
    await world.scan()
    world.adapters["fake"].faults.fail("tip", NodeMisbehaved("chain id 5, expected 1"))

    assert 30.0 == await world.scanners["fake"].turn()

    assert ChainState.HALTED is world.scanners["fake"].status().state
    (event,) = await world.rows(EVENT)
    assert ("chain.stalled", "fake") == (event.type, event.chain)
    assert b"chain id 5, expected 1" in event.body


async def test_one_chains_trouble_delays_no_other(world: World) -> None:
    world.add("dead")
    alive = world.add("alive")
    await world.scan()
    world.adapters["dead"].faults.fail("*", times=None)
    invoice = await world.invoice(chain="alive")
    alive.pay(invoice.address, COIN)
    alive.mine(2)

    await world.scan()

    assert "paid" == await invoice.status()
    assert ChainState.STALLED is world.scanners["dead"].status().state


async def test_what_is_behind_is_reported_in_blocks(world: World) -> None:
    chain = world.add(span=4)
    await world.scan()
    chain.mine(10)

    seen = []
    while not await world.scanners["fake"].turn():
        status = world.scanners["fake"].status()
        seen.append((status.state.value, status.lag_blocks))

    assert [("catching_up", 6), ("live", 2)] == seen
    assert ("live", 0) == (
        world.scanners["fake"].status().state.value,
        world.scanners["fake"].status().lag_blocks,
    )


async def test_an_unexpected_exception_escapes_and_ends_the_process(world: World) -> None:
    """Invariant 13: only what is no ChainError; the supervisor starts the process anew."""
    world.add()
    await world.scan()
    world.adapters["fake"].faults.before("tip", lambda: {}["a fault of ours"])

    with pytest.raises(KeyError):
        await world.scanners["fake"].turn()
