"""What the simulator found: each bug's smallest reproduction."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import web

from outbox_db import OutboxDb, event
from running_notifier import Daemon, open_shop, running
from watcher.claims import LEASE
from watcher.drafts_merchant import RefundDraft, SentDraft
from watcher.model import ChainState
from watcher.pace import Pace
from world import COIN

if TYPE_CHECKING:
    from pathlib import Path

    from world import World


async def test_h109_h115_a_clock_that_jumps_past_a_lease_does_not_end_the_notifier(tmp_path: Path) -> None:
    """A machine that slept in the middle of a send: the delivery is claimed again while it is under way."""
    db = OutboxDb(tmp_path / "notifier.db")
    await db.create()
    let_go = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response()

    async with open_shop() as shop, running(Daemon(db)) as daemon:
        shop.otherwise = wait
        await db.endpoint(shop.url)
        await daemon.publish(event())
        await shop.until(1)
        daemon.advance(LEASE.total_seconds() + 1)
        await shop.until(2)
        let_go.set()
        await daemon.settled("delivered 1")

        await daemon.publish(event(sequence=2))
        await daemon.settled("delivered 1", "delivered 1")
    await db.store.close()

    assert 3 == len(shop.got)


async def test_h8_a_rescan_as_advised_misses_nothing_that_only_the_new_branch_pays(world: World) -> None:
    """The branches part below the kept blocks, and the new one pays in between: nobody knows where."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.mine(3)
    invoice = await world.invoice()
    await world.mine(14)
    txid = chain.pay(invoice.address, COIN)
    chain.reorg(14, keep={txid: 1})
    await world.scan()
    assert ChainState.HALTED is world.scanners["fake"].status().state

    await world.actions().rescan("fake", 7, None)
    await world.scan()
    assert ChainState.HALTED is world.scanners["fake"].status().state

    advised = re.search(r"HEIGHT of (\d+) or less", str(world.scanners["fake"].status().reason))
    assert advised is not None
    await world.actions().rescan("fake", int(advised[1]), None)
    await world.scan()
    assert "paid" == await invoice.status()


async def test_h8_credits_that_stand_say_from_where_a_rescan_is_enough(world: World) -> None:
    """What is recorded in a block that both branches have proves all below it."""
    chain = world.add(pace=Pace(1.0, 10, 0))
    await world.mine(3)
    first, second = await world.invoice(), await world.invoice()
    chain.pay(first.address, COIN)
    await world.mine(14)
    txid = chain.pay(second.address, COIN)
    chain.reorg(12, keep={txid: 0})
    await world.scan()
    assert "with a HEIGHT of 5 or less" in str(world.scanners["fake"].status().reason)

    await world.actions().rescan("fake", 5, None)
    await world.scan()
    assert ["paid", "paid"] == [await first.status(), await second.status()]


async def test_h65_a_refund_below_the_dust_limit_is_seen_all_the_same(world: World) -> None:
    """What nobody saw for a day counts as not sent, and would be sent once more."""
    chain = world.add(dust=1000)
    await world.mine(2)
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.mine(3)
    draft = RefundDraft(address="fake100000777", amount="0.000005")
    refund = await world.refunds().refund(invoice.id, draft, "local")
    txid = chain.pay("fake100000777", 500)

    await world.refunds().sent(invoice.id, refund["id"], SentDraft(txid=txid), "local")
    await world.mine(3)

    shown = await world.refunds().show(invoice.id, refund["id"])
    assert "confirmed" == shown["state"]
