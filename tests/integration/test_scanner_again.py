"""Blocks to be read again: for addresses made while they were read, and for an operator's rescan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chains.base import NodeUnavailable
from fake_chain import Credit
from watcher.model import ChainState
from watcher.tables import DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from chains.base import Reading, Watched
    from world import Made, World

FIRST = "fake100000000"
"""The first address below the key."""


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


def pruned(world: World, upto: int) -> None:
    """Let the node have no blocks up to this height any more."""
    adapter = world.adapters["fake"]
    read = adapter.read

    async def read_unpruned(first: int, last: int, watched: Watched) -> Reading:
        if first <= upto:
            raise NodeUnavailable(f"block {first} is pruned")
        return await read(first, last, watched)

    adapter.read = read_unpruned  # type: ignore[method-assign]


async def test_a_payment_in_blocks_read_before_its_address_was_known_is_found(world: World) -> None:
    """Invoice and payment come between the look at the addresses and the end of the read."""
    chain = world.add()
    await world.mine(2)
    made = while_reading(world)
    chain.pay(FIRST, COIN)
    chain.mine(2)

    await world.scanners["fake"].turn()

    assert FIRST == made[0].address
    assert "paid" == await made[0].status()
    assert [] == await world.ledger.gaps("fake")


async def test_an_invoice_is_not_expired_before_its_blocks_were_read_again(world: World) -> None:
    """The deadline passes while the node cannot give the blocks again; then the payment in them is found."""
    chain, faults = world.add(), world.adapters["fake"].faults
    await world.mine(2)
    made = while_reading(world)
    chain.pay(FIRST, COIN)
    chain.mine(2)
    faults.before("read", lambda: None)
    faults.fail("read")

    await world.scanners["fake"].turn()
    (gap,) = await world.ledger.gaps("fake")
    assert (3, 4) == (gap.first, gap.last)
    other = await world.invoice()
    pruned(world, 4)
    await world.mine(1, apart=7200)
    assert ["pending", "expired"] == [await i.status() for i in (made[0], other)]

    del world.adapters["fake"].read
    await world.mine(1, apart=60)
    assert "paid" == await made[0].status()


async def test_an_unpaid_invoice_expires_once_its_blocks_were_read_again(world: World) -> None:
    chain, faults = world.add(), world.adapters["fake"].faults
    await world.mine(2)
    made = while_reading(world)
    chain.mine(2)
    faults.before("read", lambda: None)
    faults.fail("read")
    await world.scanners["fake"].turn()
    pruned(world, 4)
    await world.mine(1, apart=7200)
    assert "pending" == await made[0].status()

    del world.adapters["fake"].read
    await world.mine(1, apart=60)

    assert "expired" == await made[0].status()
    assert 0 == await world.count(DEPOSIT)


async def test_blocks_that_cannot_be_read_again_hold_back_only_their_own_invoice(world: World) -> None:
    """A pruned block in an operator's rescan neither stops the chain nor the blocks of a new invoice."""
    chain = world.add()
    await world.mine(6)
    old = await world.invoice()
    await world.actions().rescan("fake", 1, 2)
    pruned(world, 2)
    await world.actions().rescan("fake", 4, 5)
    chain.pay(old.address, COIN)
    await world.mine(2)

    assert "paid" == await old.status()
    assert [(1, 2)] == [(g.first, g.last) for g in await world.ledger.gaps("fake")]
    status = world.scanners["fake"].status()
    assert (ChainState.LIVE, "blocks 1 to 2 have to be read again: block 1 is pruned") == (
        status.state,
        status.reason,
    )


async def test_a_rescan_finds_what_a_broken_node_hid_and_changes_nothing_twice(world: World) -> None:
    """P3: the node answered with empty blocks; a second reading puts it right, a third says nothing new."""
    chain, adapter = world.add(span=2), world.adapters["fake"]
    await world.mine(2)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    chain.mine(6)
    hidden = chain.blocks[3]
    chain.blocks[3] = type(hidden)(hidden.ref, ())
    await world.scan()
    assert "pending" == await invoice.status()
    chain.blocks[3] = hidden

    await world.actions().rescan("fake", 1, None)
    await world.scan()
    assert "paid" == await invoice.status()
    before = await world.dump()
    await world.actions().rescan("fake", 1, None)
    await world.scan()

    assert before == await world.dump()
    assert adapter.faults.calls["read"] > 3


async def test_a_rescan_corrects_an_amount_that_was_read_wrong(world: World) -> None:
    """The same block and the same credit, but a node that tells it right this time."""
    chain = world.add()
    await world.mine(2)
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    chain.mine(2)
    right = chain.blocks[3]
    wrong = replace(right.transactions[0], credits=(Credit(invoice.address, COIN // 2),))
    chain.blocks[3] = replace(right, transactions=(wrong,))
    await world.scan()
    assert (txid, "partial") == (wrong.txid, await invoice.status())
    chain.blocks[3] = right

    await world.actions().rescan("fake", 3, 3)
    await world.scan()

    assert "paid" == await invoice.status()
    assert 1 == await world.count(DEPOSIT)
