"""The ledger beside the invariants: addresses of the caller's own, the database's settings, conflicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from chains.base import ChainMoved
from fake_chain import Credit
from watcher.model import View
from world import COIN

if TYPE_CHECKING:
    from world import World


async def test_money_that_reached_an_own_address_before_the_invoice_does_not_count(world: World) -> None:
    chain = world.add()
    await world.scan()
    own = "fake177777777"
    before = chain.pay(own, COIN)
    await world.mine(3)
    chain.pay(own, COIN)
    world.clock.advance(60)
    invoice = await world.invoice(address=own)
    world.clock.advance(60)
    await world.scan()
    await world.actions().rescan("fake", 0, None)
    await world.mine(2)
    assert "pending" == await invoice.status()
    assert [] == await invoice.told()

    chain.reorg(5, keep={before: 0})
    await world.scan()
    assert "pending" == await invoice.status()
    chain.send([Credit(own, COIN)])
    await world.mine(2)
    assert "paid" == await invoice.status()


async def test_the_database_is_opened_as_its_promises_need_it(world: World) -> None:
    """Hazards 118 and 120: WAL, a full sync at each commit, foreign keys, and waiting for the other."""
    for opened in (world.store.read, world.store.write):
        async with opened() as conn:
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found = [(await conn.execute(text(f"PRAGMA {name}"))).scalar() for name in names]
        assert ["wal", 2, 1, 30000] == found


async def test_blocks_read_again_from_another_branch_are_not_recorded(world: World) -> None:
    """Blocks read again that are no longer those absorbed: read once more, nothing written."""
    world.add()
    await world.mine(1)
    await world.mine(2)
    view = await world.ledger.view("fake")
    assert isinstance(view, View)
    await world.actions().rescan("fake", 2, 3)
    (gap,) = await world.ledger.gaps("fake")

    with pytest.raises(ChainMoved, match="block 3 changed"):
        await world.ledger.absorb_again(gap, [replace(view.head, hash="other")], [], world.clock())


async def test_an_extended_invoice_is_open_again_and_takes_the_money_that_came_between(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    world.clock.advance(3600)
    await world.scan()
    world.clock.advance(60)
    chain.pay(invoice.address, COIN // 2)
    await world.scan()
    assert "expired late" == await invoice.status()

    await world.resolve(invoice, "extend", until=world.clock() + timedelta(hours=1))
    assert "partial" == await invoice.status()
    world.clock.advance(3600)
    await world.scan()

    assert "underpaid" == await invoice.status()
    expected = ["invoice.extended", "invoice.partially_paid", "invoice.underpaid"]
    assert expected == (await invoice.told())[-3:]


async def test_an_accepted_invoice_is_paid_and_stays_so_when_its_money_goes_away(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN // 2)
    world.clock.advance(3600)
    await world.scan()
    await world.resolve(invoice, "accept")
    assert "paid accepted" == await invoice.status()

    chain.drop(txid)
    await world.scan()

    assert "paid accepted" == await invoice.status()
    assert ["invoice.underpaid", "invoice.paid", "payment.replaced"] == (await invoice.told())[-3:]


async def test_money_to_a_cancelled_invoice_waits_for_the_merchant(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    await world.resolve(invoice, "cancel")
    world.clock.advance(5)
    chain.pay(invoice.address, COIN)
    await world.mine(2)
    assert "cancelled late" == await invoice.status()
    assert (await invoice.record()).decision.needs_action

    await world.resolve(invoice, "accept")

    assert "paid accepted" == await invoice.status()
    assert not (await invoice.record()).decision.needs_action
