"""DESIGN's invariants 1 to 5, each by its number: amounts, credits, transactions, cursor, batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from chains.base import BlockRef, Reading
from watcher import decisions_saved
from watcher.ledger import LedgerConflict
from watcher.model import Batch
from watcher.tables import DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from chains.base import Watched
    from world import Made, World

LARGEST = 2**256 - 1


async def running(world: World) -> Made:
    """Return an invoice on a chain of a few blocks."""
    world.add()
    await world.mine(3)
    return await world.invoice()


def batches(world: World) -> list[Batch]:
    """Return the batches that the ledger is given from now on."""
    seen: list[Batch] = []
    absorb = world.ledger.absorb

    async def noting(batch: Batch, **options: object) -> int:
        seen.append(batch)
        return await absorb(batch, **options)  # type: ignore[arg-type]

    world.ledger.absorb = noting  # type: ignore[method-assign, assignment]
    return seen


@pytest.mark.parametrize("amount", [1, 2**63 - 1, 2**63, 2**64 + 1, 2**255, LARGEST])
async def test_h96_invariant_1_amounts_are_exact_from_the_node_to_the_body(world: World, amount: int) -> None:
    """Hazards 67 and 95 to 98: a token without a limit, through database, decision and webhook."""
    chain = world.add()
    await world.scan()
    whole, fraction = divmod(amount, COIN)
    invoice = await world.invoice(amount=f"{whole}.{fraction:08d}")
    chain.pay(invoice.address, amount)
    await world.mine(2)

    (row,) = await world.rows(DEPOSIT)
    assert amount == row.amount
    async with world.store.read() as conn:
        kept = (await conn.execute(text("SELECT amount, typeof(amount) FROM deposit"))).one()
    assert (str(amount).zfill(78), "text") == tuple(kept)
    assert "paid" == await invoice.status()
    (option,) = (await invoice.events())[-1]["data"]["invoice"]["options"]
    assert f"{whole}.{fraction:08d}".rstrip("0").rstrip(".") == option["confirmed"]


async def test_invariant_1_the_database_refuses_an_amount_of_another_width(world: World) -> None:
    await running(world)
    async with world.store.write() as conn:
        with pytest.raises(IntegrityError, match="amount_width"):
            await conn.execute(
                text(
                    "INSERT INTO deposit (id, chain, txid, slot, asset, address, amount, standing, spends,"
                    " maturity, arrived_at, settled) VALUES ('p', 'fake', 't', 's', 'COIN', 'a', 5, 'mined',"
                    " '[]', 0, 0, 0)"
                )
            )


async def test_invariant_2_reading_a_block_again_changes_nothing(world: World) -> None:
    """The very batch that brought the payment, twice more: the same rows, and no event."""
    invoice = await running(world)
    seen = batches(world)
    world.chains["fake"].pay(invoice.address, COIN, COIN // 2)
    await world.mine(1)
    before, drift = await world.dump(), world.adapters["fake"].clock_drift

    for _ in range(2):
        assert 0 == await world.ledger.absorb(seen[-1], drift=drift, history=100)

    assert before == await world.dump()
    assert "confirming overpaid" == await invoice.status()
    await world.mine(1)
    assert "paid overpaid" == await invoice.status()


async def test_invariant_2_a_credit_is_unique_by_chain_transaction_and_slot(world: World) -> None:
    """Hazard 26: two outputs of one transaction are two credits; one credit cannot be written twice."""
    invoice = await running(world)
    world.chains["fake"].pay(invoice.address, COIN // 2, COIN // 2)
    await world.mine(2)
    assert "paid" == await invoice.status()
    row = dict((await world.rows(DEPOSIT))[0]._mapping)

    async with world.store.write() as conn:
        with pytest.raises(IntegrityError, match=r"deposit\.chain, deposit\.txid, deposit\.slot"):
            await conn.execute(insert(DEPOSIT).values(**{**row, "id": "pay_other"}))


async def test_invariant_3_absorb_is_one_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the last step leaves nothing of the first: no deposit, no block, no cursor, no event."""
    invoice = await running(world)
    before = await world.dump()
    world.chains["fake"].pay(invoice.address, COIN)
    world.chains["fake"].mine(2)

    async def broken(*_: object, **__: object) -> int:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(decisions_saved.outbox, "publish", broken)
        with pytest.raises(RuntimeError, match="power"):
            await world.scan()
    assert before == await world.dump()

    await world.restart()
    await world.scan()
    assert "paid" == await invoice.status()


@pytest.mark.parametrize(
    "base",
    [
        pytest.param(BlockRef(2, "another", "x", None), id="another branch"),  # type: ignore[arg-type]
        pytest.param(BlockRef(99, "future", "x", None), id="a block above the cursor"),  # type: ignore[arg-type]
        pytest.param(None, id="the first batch again"),
    ],
)
async def test_invariant_3_a_batch_builds_on_what_was_absorbed(world: World, base: BlockRef | None) -> None:
    await running(world)
    before = await world.dump()
    view = await world.ledger.view("fake")
    assert view is not None
    batch = Batch("fake", base, (), (), {}, None, view, world.clock(), 0)

    with pytest.raises(LedgerConflict, match="fake"):
        await world.ledger.absorb(batch, drift=world.adapters["fake"].clock_drift, history=100)

    assert before == await world.dump()


async def test_invariant_4_an_incomplete_answer_is_not_absorbed(world: World) -> None:
    """A node that leaves out a block has answered nothing. More in test_scanner.py."""
    invoice = await running(world)
    adapter, chain = world.adapters["fake"], world.chains["fake"]
    chain.pay(invoice.address, COIN)
    chain.mine(3)
    read, before = adapter.read, await world.scanned()

    async def short(first: int, last: int, watched: Watched) -> Reading:
        whole = await read(first, last, watched)
        return Reading(whole.blocks[1:], (), {})

    adapter.read = short  # type: ignore[method-assign]
    await world.scan()
    assert before == await world.scanned()

    del adapter.read
    await world.scan()
    assert "paid" == await invoice.status()


@pytest.mark.parametrize("end", ["base", "head"])
async def test_invariant_5_both_ends_are_read_again_before_a_batch_is_absorbed(
    world: World, end: str
) -> None:
    """P13: the answer to the read came from another branch than the blocks around it."""
    invoice = await running(world)
    adapter, chain = world.adapters["fake"], world.chains["fake"]
    chain.pay(invoice.address, COIN)
    chain.mine(2)
    before, block = await world.scanned(), adapter.block
    height = {"base": 3, "head": 5}[end]

    async def other(asked: int) -> BlockRef | None:
        found = await block(asked)
        return replace(found, hash="of another branch") if found and asked == height else found

    adapter.faults.before("mempool", lambda: setattr(adapter, "block", other))
    await world.scanners["fake"].turn()
    assert before == await world.scanned()

    del adapter.block
    await world.scan()
    assert "paid" == await invoice.status()


async def test_invariant_5_blocks_that_do_not_follow_each_other_are_discarded(world: World) -> None:
    invoice = await running(world)
    adapter, chain = world.adapters["fake"], world.chains["fake"]
    chain.pay(invoice.address, COIN)
    chain.mine(3)
    read, before = adapter.read, await world.scanned()

    async def mixed(first: int, last: int, watched: Watched) -> Reading:
        whole = await read(first, last, watched)
        middle = replace(whole.blocks[1], hash="of another branch")
        return Reading((whole.blocks[0], middle, *whole.blocks[2:]), whole.transfers, whole.spent)

    adapter.read = mixed  # type: ignore[method-assign]
    assert 0.0 == await world.scanners["fake"].turn()

    assert before == await world.scanned()
