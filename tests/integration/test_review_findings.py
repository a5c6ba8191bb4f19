"""Ways in which money or a decision could be lost in silence, found by asking what else may happen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chains.base import Recovery
from watcher import troubles
from watcher.model import GapReason
from watcher.pace import Pace
from world import COIN

if TYPE_CHECKING:
    from chains.base import Reading, Watched
    from fake_chain import FakeChain
    from world import Made, World

BROUGHT = "fake112345678"


async def fail(world: World, name: str = "fake", times: int = 3) -> None:
    for _ in range(times):
        world.clock.advance(30)
        assert await world.scanners[name].turn() > 0


def while_reading(world: World) -> list[Made]:
    """Let an invoice be made between the next read and its absorption; the list holds it then."""
    adapter = world.adapters["fake"]
    read = adapter.read
    made: list[Made] = []

    async def read_and_make(first: int, last: int, watched: Watched) -> Reading:
        reading = await read(first, last, watched)
        if not made:
            made.append(await world.invoice())
        return reading

    adapter.read = read_and_make  # type: ignore[method-assign]
    return made


async def quarantined(world: World, height: int, blocks: int) -> FakeChain:
    """A chain with an invoice, of whose `blocks` one cannot be parsed."""
    chain = world.add()
    await world.scan()
    await world.invoice()
    chain.mine(blocks)
    world.adapters["fake"].unreadable = {chain.blocks[height].ref.hash}
    await fail(world)
    await world.scan()
    assert [GapReason.QUARANTINED] == [gap.reason for gap in await world.ledger.gaps("fake")]
    return chain


async def test_a_new_address_is_looked_for_although_a_quarantined_block_had_its_gaps_number(
    world: World,
) -> None:
    """SQLite gives the number of a closed gap to the next one; what rests for ever is the block, not that."""
    chain = await quarantined(world, 2, 3)
    chain.pay("fake100000001", COIN)
    chain.reorg(2)
    chain.mine()
    made = while_reading(world)
    await world.mine(2)

    assert "fake100000001" == made[0].address
    assert "paid" == await made[0].status()
    assert [] == await world.ledger.gaps("fake")


async def paid_behind_missing_blocks(world: World, missing: set[int]) -> Made:
    """A rescan from block 1 on; block 8 holds a payment that the first reading did not tell of."""
    chain = world.add(span=2)
    await world.mine(1)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    chain.mine(6, only=())
    chain.mine(3)
    adapter = world.adapters["fake"]
    adapter.chain, honest = FakeChainView(chain), chain
    await world.scan()
    adapter.chain = honest
    assert "pending" == await invoice.status()
    adapter.pruned = missing
    await world.actions().rescan("fake", 1, None)
    return invoice


class FakeChainView:
    """A chain as a node shows it that tells of no payment."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self.clock = chain.clock
        self.pool = chain.pool

    @property
    def blocks(self) -> list[object]:
        return [type(each)(each.ref, ()) for each in self._chain.blocks]


async def test_h35_blocks_behind_those_that_are_missing_are_read_again(world: World) -> None:
    invoice = await paid_behind_missing_blocks(world, {1, 2, 3, 4})
    for _ in range(4):
        await world.mine(apart=60)

    assert "paid" == await invoice.status()
    assert [(1, 4)] == [(gap.first, gap.last) for gap in await world.ledger.gaps("fake")]


async def test_h35_all_of_the_missing_blocks_are_searched_by_address(world: World) -> None:
    """A node without filters finds what is unspent, and proves nothing about the blocks."""
    invoice = await paid_behind_missing_blocks(world, set(range(1, 9)))
    adapter = world.adapters["fake"]
    adapter.findable = True
    recover = adapter.recover

    async def unproven(first: int, last: int, watched: Watched) -> Recovery:
        return Recovery((await recover(first, last, watched)).transfers)

    adapter.recover = unproven  # type: ignore[method-assign]
    for _ in range(5):
        await world.mine(apart=60)

    assert "paid" == await invoice.status()
    assert [(1, 8)] == [(gap.first, gap.last) for gap in await world.ledger.gaps("fake")]


async def test_an_alert_stands_as_long_as_any_of_its_blocks_was_not_read(world: World) -> None:
    chain = world.add()
    await world.scan()
    await world.invoice()
    chain.mine(5)
    adapter = world.adapters["fake"]
    adapter.pruned = {2, 3, 4}
    await fail(world)
    await world.scan()
    for height in (3, 2, 4):
        async with world.store.read() as connection:
            assert ["blocks_missing"] == [a["kind"] for a in await troubles.alerts(connection, "fake")]
        adapter.pruned -= {height}
        await world.actions().rescan("fake", height, height)
        await world.scan()

    async with world.store.read() as connection:
        assert [] == await troubles.alerts(connection, "fake")
    assert 2 == (await world.told()).count("chain.alert")


async def test_an_invoice_at_an_address_once_watched_for_strays_does_not_wait_for_older_blocks(
    world: World,
) -> None:
    for name in ("here", "there"):
        world.add(name, namespace="fake", fingerprint=None)
    await world.scan()
    await world.invoice(address=BROUGHT)
    world.chains["there"].mine(3)
    world.adapters["there"].pruned = {2}
    await fail(world, "there")
    await world.scan()
    second = await world.invoice(chain="there", address=BROUGHT, expires_in=60)
    await world.mine(name="there", apart=3600)

    assert "expired" == await second.status()


@pytest.mark.parametrize("gap", [False, True], ids=["all is read", "a block is quarantined"])
async def test_h51_balances_are_compared_although_a_block_is_quarantined(world: World, *, gap: bool) -> None:
    pace = Pace(1.0, 100, 0, cross_check=10)
    chain = world.add(pace=pace)
    await world.scan()
    await world.invoice()
    await world.mine(2)
    if gap:
        chain.mine()
        world.adapters["fake"].unreadable = {chain.head.hash}
        await fail(world)
    await world.mine(10)
    chain.pay("fake100000000", COIN)
    adapter = world.adapters["fake"]
    read = adapter.read

    async def read_blind(first: int, last: int, watched: Watched) -> Reading:
        reading = await read(first, last, watched)
        return replace(reading, transfers=())

    adapter.read = read_blind  # type: ignore[method-assign]
    await world.mine(21)

    async with world.store.read() as connection:
        kinds = [each["kind"] for each in await troubles.alerts(connection, "fake")]
    assert "balance_disagreement" in kinds


async def test_a_node_that_gives_no_balances_is_not_asked_for_them_at_every_look(world: World) -> None:
    """A thousand addresses take minutes, and a limit of requests that they exceed is the blocks', too."""
    world.add(pace=Pace(1.0, 100, 0, cross_check=20))
    await world.scan()
    await world.invoice()
    await world.mine(20)
    faults = world.adapters["fake"].faults
    faults.fail("holdings", times=None)
    faults.calls["holdings"] = 0
    await world.mine(20)
    for _ in range(10):
        await world.mine(0)
        world.clock.advance(10)
        await world.scan()

    assert 1 == faults.calls["holdings"]
    assert "the balances were not compared" in str(world.scanners["fake"].status().reason)
    await world.mine(2)
    assert 2 == faults.calls["holdings"]


async def test_h8_a_rescan_after_a_deep_reorganisation_leaves_credits_below_it_as_they_are(
    world: World,
) -> None:
    """The wish reaches further down than the fork, into blocks that the node has pruned meanwhile."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.mine(3)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.mine(30)
    assert "paid" == await invoice.status()
    chain.reorg(15)
    await world.scan()
    world.adapters["fake"].pruned = set(range(1, 10))
    await world.actions().rescan("fake", 1, None)
    await world.scan()
    await fail(world, times=2)
    await world.mine(2)

    assert (chain.head.height, chain.head.hash) == await world.scanned()
    assert "paid" == await invoice.status()
    assert "invoice.reverted" not in await invoice.told()


async def test_what_another_kind_of_endpoint_names_otherwise_after_a_reorganisation_counts_once(
    world: World,
) -> None:
    """An unread block keeps what lost its place open: it must not stand beside its own new name."""
    chain = world.add(has_mempool=False)
    await world.scan()
    invoice = await world.invoice(amount="2")
    chain.mine()
    adapter = world.adapters["fake"]
    adapter.unreadable = {chain.head.hash}
    await fail(world)
    txid = chain.pay(invoice.address, COIN)
    await world.mine()
    assert "partial" == await invoice.status()
    read = adapter.read

    async def read_otherwise(first: int, last: int, watched: Watched) -> Reading:
        reading = await read(first, last, watched)
        named = tuple(replace(each, slot="log:0") for each in reading.transfers)
        return replace(reading, transfers=named)

    adapter.read = read_otherwise  # type: ignore[method-assign]
    chain.reorg(1, {txid: 0})
    await world.mine(2)

    assert "partial" == await invoice.status()
    assert ["mined 2"] == await world.standings()
    assert ["payment.detected", "invoice.partially_paid", "payment.confirmed"] == await invoice.told()
