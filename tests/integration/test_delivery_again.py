"""Sending again what was sent: the same ids and bytes, in order, and nothing twice at a time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from outbox_db import OutboxDb, event
from running_notifier import LOOPBACK, OWN_SECRET, Daemon, Shop, hang, running
from watcher import endpoints, outbox
from watcher.deliveries import redeliver
from watcher.receivers import Rules
from watcher.replay import Span, replay

if TYPE_CHECKING:
    from pathlib import Path

RULES = Rules(LOOPBACK, ())


async def _replay(daemon: Daemon, endpoint_id: str, **span: Any) -> int:
    wanted = Span(**{"after": daemon.clock() - timedelta(days=1), **span})
    async with daemon.db.store.write() as conn:
        count = await replay(conn, endpoint_id, wanted, daemon.clock())
    daemon.bus.published()
    return count


async def test_a_replay_repeats_ids_and_bytes_in_the_order_of_each_invoice(
    daemon: Daemon, shop: Shop
) -> None:
    invoices = [await daemon.db.invoice(f"inv_{n}") for n in range(4)]
    await daemon.db.endpoint(shop.url, id="whk_1")
    await daemon.publish(*(event(one, step) for step in (1, 2, 3) for one in invoices))
    await daemon.settled(*["delivered 1"] * 12)
    before = dict(zip(shop.ids, (body for _, body in shop.got), strict=True))
    shop.got.clear()
    assert 12 == await _replay(daemon, "whk_1")
    await shop.until(12)
    await daemon.settled(*["delivered 1"] * 12)

    assert before == dict(zip(shop.ids, (body for _, body in shop.got), strict=True))
    bodies = [json.loads(body) for _, body in shop.got]
    for one in invoices:
        assert [1, 2, 3] == [body["sequence"] for body in bodies if body["invoice"] == one]


async def test_a_replay_of_what_failed_is_one_more_delivery_with_a_schedule_of_its_own(
    daemon: Daemon, shop: Shop
) -> None:
    await daemon.db.endpoint(shop.url, id="whk_1")
    shop.otherwise = 500
    await daemon.publish(event())
    await daemon.settled("pending 1")
    daemon.advance(5)
    await daemon.settled("pending 2")
    assert 0 == await _replay(daemon, "whk_1", state="dead")
    assert 1 == await _replay(daemon, "whk_1", state="pending")
    await daemon.settled("pending 1")

    (row,) = await daemon.db.deliveries()
    assert daemon.clock() + timedelta(seconds=5) == row.next_at
    assert [1, 2, 3] == [one.number for one in await daemon.db.attempts()]


@pytest.mark.parametrize("way", ["replay", "redeliver"])
async def test_what_is_under_way_is_left_to_its_sender(daemon: Daemon, shop: Shop, way: str) -> None:
    ready, go = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        ready.set()
        await go.wait()
        return web.Response()

    shop.answers = [wait]
    await daemon.db.endpoint(shop.url, id="whk_1")
    await daemon.publish(event())
    await ready.wait()
    (row,) = await daemon.db.deliveries()
    for _ in range(3):
        if way == "replay":
            assert 0 == await _replay(daemon, "whk_1")
        else:
            async with daemon.db.store.write() as conn:
                await redeliver(conn, row.id, daemon.clock())
            daemon.bus.published()
    go.set()
    await daemon.settled("delivered 1")

    assert 1 == len(shop.got)


async def test_a_replay_asked_for_twice_is_sent_once(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(shop.url, id="whk_1")
    await daemon.publish(event(), event())
    await daemon.settled("delivered 1", "delivered 1")
    async with daemon.db.store.write() as conn:
        for _ in range(2):
            await replay(conn, "whk_1", Span(after=daemon.clock()), daemon.clock())
    daemon.bus.published()
    await shop.until(4)
    await daemon.settled("delivered 1", "delivered 1")

    assert 4 == len(shop.got)


async def test_a_replay_to_one_endpoint_is_none_to_another(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(f"{shop.url}/1", id="whk_1")
    await daemon.db.endpoint(f"{shop.url}/2", id="whk_2")
    await daemon.publish(event())
    await daemon.settled("delivered 1", "delivered 1")
    await _replay(daemon, "whk_2")
    await shop.until(3)

    assert ["/hooks/1", "/hooks/2", "/hooks/2"] == sorted(shop.paths)


async def test_an_invoices_own_url_can_be_tested_and_replayed_like_any_other(
    daemon: Daemon, shop: Shop
) -> None:
    await daemon.db.invoice("inv_1")
    own = outbox.own_endpoint("inv_1")
    async with daemon.db.store.write() as conn:
        await endpoints.add_own(conn, "inv_1", shop.url, daemon.clock())
    await daemon.publish(event("inv_1", 1))
    await daemon.settled("delivered 1")
    assert 1 == await _replay(daemon, own)
    await shop.until(2)
    async with daemon.db.store.write() as conn:
        await endpoints.test(conn, own, daemon.clock())
    daemon.bus.published()
    await shop.until(3)

    types = [Webhook(OWN_SECRET).verify(body, headers)["type"] for headers, body in shop.got]
    assert ["invoice.paid", "invoice.paid", "webhook.test"] == types


async def test_a_test_waits_for_no_event_and_no_event_for_a_test(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.invoice("inv_1")
    await daemon.db.endpoint(shop.url, id="whk_1")
    shop.answers = [503]
    await daemon.publish(event("inv_1", 1), event("inv_1", 2))
    await daemon.settled("pending 1", "pending 0")
    async with daemon.db.store.write() as conn:
        await endpoints.test(conn, "whk_1", daemon.clock())
    daemon.bus.published()
    await daemon.settled("pending 1", "pending 0", "delivered 1")


async def test_h112_a_replay_that_dies_with_its_process_goes_on_under_the_same_ids(
    tmp_path: Path, shop: Shop
) -> None:
    db = OutboxDb(tmp_path / "dies.db")
    await db.create()
    await db.endpoint(shop.url, id="whk_1")
    async with running(Daemon(db)) as first:
        await first.publish(*(event() for _ in range(5)))
        await first.settled(*["delivered 1"] * 5)
    shop.otherwise = hang
    second = Daemon(db)
    task = asyncio.create_task(second.notifier.run())
    await _replay(second, "whk_1")
    await shop.until(6)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    shop.otherwise = 200
    async with running(Daemon(db)) as third:
        await third.settled(*["delivered 1"] * 5)
    await db.store.close()

    assert 5 == len(set(shop.ids))
