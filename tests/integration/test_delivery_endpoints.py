"""An endpoint's life while things are under way: given up, changed, disabled, removed; and its neighbours."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from sqlalchemy import update

from outbox_db import NOW, OutboxDb, event
from running_notifier import LOOPBACK, Daemon, Shop, hang, running
from watcher import claims, endpoints, lanes, outbox, results
from watcher.model import EventType
from watcher.receivers import EndpointPatch, Rules
from watcher.retry import DELAYS
from watcher.tables import AUDIT, DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    Change = Callable[[AsyncConnection], Awaitable[Any]]

RULES = Rules(LOOPBACK, ())
GONE = "the receiver answered 410 Gone"


async def _change(daemon: Daemon, change: Change) -> None:
    async with daemon.db.store.write() as conn:
        await change(conn)
    daemon.bus.published()


def _patch(endpoint_id: str, **values: Any) -> Change:
    return lambda conn: endpoints.patch(conn, endpoint_id, EndpointPatch(**values), RULES)


async def _own(daemon: Daemon, invoice: str, url: str) -> str:
    await daemon.db.invoice(invoice)
    async with daemon.db.store.write() as conn:
        await endpoints.add_own(conn, invoice, url, daemon.clock())
    return outbox.own_endpoint(invoice)


def _while_under_way(answer: int, ready: asyncio.Event, go: asyncio.Event) -> Any:
    async def take(_: web.Request) -> web.Response:
        ready.set()
        await go.wait()
        return web.Response(status=answer)

    return take


# Given up


async def test_410_from_an_invoices_own_url_stops_that_one_alone(daemon: Daemon, shop: Shop) -> None:
    first, second = [await _own(daemon, one, shop.url) for one in ("inv_1", "inv_2")]
    await daemon.db.endpoint(shop.url, id="whk_shop")

    async def gone_for_one(request: web.Request) -> web.Response:
        own = (await request.json()).get("invoice") == "inv_1" and "whk" not in str(request.url)
        return web.Response(status=410 if own and not stopped else 200)

    stopped: list[bool] = []
    shop.otherwise = gone_for_one
    async with daemon.db.store.write() as conn:
        await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == "whk_shop").values(url=f"{shop.url}/whk"))
    await daemon.publish(event("inv_1", 1), event("inv_2", 1))
    await daemon.settled("pending 1", "delivered 1", "delivered 1", "delivered 1", "delivered 1")
    await daemon.publish(event("inv_1", 2), event("inv_2", 2))
    await daemon.settled(
        *("pending 1", "delivered 1", "delivered 1", "delivered 1", "delivered 1"),
        *("pending 0", "delivered 1", "delivered 1", "delivered 1"),
    )

    rows = await daemon.db.endpoints()
    assert ("disabled", GONE) == (rows[first].state, rows[first].disabled_reason)
    assert {"active"} == {rows[one].state for one in (second, "whk_shop")}
    (news,) = [
        json.loads(one.body)["data"] for one in await daemon.db.events() if one.type == "webhook.disabled"
    ]
    assert ({"id": first, "url": shop.url}, GONE) == (news["webhook"], news["reason"])

    stopped.append(True)
    await _change(daemon, _patch(first, state="active"))
    await daemon.settled(*["delivered 1"] * 9)


@pytest.mark.parametrize("status", [410, 500])
async def test_giving_an_endpoint_up_is_on_record_with_what_gave_it_up(db: OutboxDb, status: int) -> None:
    """The event, the state and the entry stand together or not at all."""
    await db.endpoint("https://gone.example/", id="whk_gone", failing_since=NOW - timedelta(days=5))
    await db.publish(event())
    async with db.store.write() as conn:
        taken = await claims.claim(conn, {"whk_gone": 1}, 1, NOW)
    told = [results.Result(claim=taken[0], at=NOW, duration=timedelta(0), status=status, error="no")]
    with suppress(ConnectionError):
        async with db.store.write() as conn:
            await results.record(conn, told, NOW, lambda: 0.5)
            raise ConnectionError
    assert (0, "active") == (len(await db.rows(AUDIT)), (await db.endpoints())["whk_gone"].state)
    for _ in range(2):
        async with db.store.write() as conn:
            await results.record(conn, told, NOW, lambda: 0.5)

    reason = GONE if status == 410 else "every attempt of five days failed"
    (entry,) = await db.rows(AUDIT)
    assert ("system", "webhook.disable", "whk_gone", reason, NOW) == (
        *(entry.actor, entry.action, entry.subject, entry.reason),
        entry.at,
    )
    assert ("disabled", reason) == ((row := (await db.endpoints())["whk_gone"]).state, row.disabled_reason)
    assert ["invoice.paid", "webhook.disabled"] == [one.type for one in await db.events()]


# Changed while something is under way


@pytest.mark.parametrize("status", [410, 500])
async def test_an_answer_from_an_earlier_url_says_nothing_about_the_new_one(
    daemon: Daemon, shop: Shop, status: int
) -> None:
    ready, go = asyncio.Event(), asyncio.Event()
    await daemon.db.endpoint(shop.url, id="whk_1")
    shop.answers = [_while_under_way(status, ready, go)]
    await daemon.publish(event())
    await ready.wait()
    await _change(daemon, _patch("whk_1", url=f"{shop.url}/new"))
    go.set()
    await daemon.settled("pending 1")

    row = (await daemon.db.endpoints())["whk_1"]
    assert ("active", None) == (row.state, row.failing_since)
    daemon.advance(6)
    await daemon.settled("delivered 2")
    assert [status, 200] == [one.status for one in await daemon.db.attempts()]


async def test_another_url_is_sent_what_waits_at_once_in_order_and_with_a_schedule_of_its_own(
    daemon: Daemon, shop: Shop, unused_tcp_port: int
) -> None:
    await daemon.db.invoice("inv_1")
    await daemon.db.endpoint(f"http://127.0.0.1:{unused_tcp_port}/", id="whk_1")
    told = [event("inv_1", 1), event("inv_1", 2)]
    await daemon.publish(*told)
    await daemon.settled("pending 1", "pending 0")
    assert (await daemon.db.endpoints())["whk_1"].failing_since is not None
    await _change(daemon, _patch("whk_1", description="the same"))
    await _change(daemon, _patch("whk_1", url=shop.url))
    await daemon.settled("delivered 1", "delivered 1")

    assert [one.id for one in told] == shop.ids
    assert (await daemon.db.endpoints())["whk_1"].failing_since is None


async def test_another_url_does_not_enable_an_endpoint_that_is_disabled(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint("http://127.0.0.1:1/", id="whk_1", state="disabled")
    await daemon.publish(event())
    await _change(daemon, _patch("whk_1", url=shop.url))
    await asyncio.sleep(0.1)

    assert ([], "disabled") == (shop.got, (await daemon.db.endpoints())["whk_1"].state)


@pytest.mark.parametrize("change", [{"url": True}, {"state": "active"}], ids=["moved", "enabled again"])
async def test_the_last_attempt_under_way_is_not_the_last_of_an_endpoint_that_begins_again(
    daemon: Daemon, shop: Shop, change: dict[str, Any]
) -> None:
    ready, go = asyncio.Event(), asyncio.Event()
    await daemon.db.endpoint(shop.url, id="whk_1", state="disabled")
    shop.answers = [_while_under_way(500, ready, go)]
    await daemon.publish(event())
    async with daemon.db.store.write() as conn:
        await conn.execute(update(DELIVERY).values(attempts=len(DELAYS)))
        await conn.execute(update(ENDPOINT).values(state="active"))
    daemon.bus.published()
    await ready.wait()
    if "state" in change:
        await _change(daemon, _patch("whk_1", state="disabled"))
    await _change(daemon, _patch("whk_1", **change | ({"url": f"{shop.url}/new"} if "url" in change else {})))
    go.set()
    await daemon.settled("pending 1")
    daemon.advance(6)

    await daemon.settled("delivered 2")


@pytest.mark.parametrize(("status", "state"), [(200, "delivered 1"), (500, "pending 1")])
async def test_what_was_under_way_to_a_disabled_endpoint_ends_and_nothing_follows(
    daemon: Daemon, shop: Shop, status: int, state: str
) -> None:
    ready, go = asyncio.Event(), asyncio.Event()
    await daemon.db.invoice("inv_1")
    await daemon.db.endpoint(shop.url, id="whk_1")
    shop.answers = [_while_under_way(status, ready, go)]
    await daemon.publish(event("inv_1", 1), event("inv_1", 2))
    await ready.wait()
    await _change(daemon, _patch("whk_1", state="disabled"))
    go.set()
    await daemon.settled(state, "pending 0")
    daemon.advance(3600)
    await asyncio.sleep(0.1)
    assert 1 == len(shop.got)

    await _change(daemon, _patch("whk_1", state="active"))
    await daemon.settled("delivered 1", "delivered 1")
    assert [*dict.fromkeys(shop.ids)] == [one.id for one in await daemon.db.events()]


@pytest.mark.parametrize(
    ("status", "state"), [(200, "delivered 1"), (500, "cancelled 1"), (410, "cancelled 1")]
)
async def test_what_came_of_a_send_to_an_endpoint_removed_meanwhile_is_on_record_and_not_repeated(
    daemon: Daemon, shop: Shop, status: int, state: str
) -> None:
    ready, go = asyncio.Event(), asyncio.Event()
    await daemon.db.invoice("inv_1")
    await daemon.db.endpoint(shop.url, id="whk_1")
    shop.answers = [_while_under_way(status, ready, go)]
    await daemon.publish(event("inv_1", 1), event("inv_1", 2))
    await ready.wait()
    await _change(daemon, lambda conn: endpoints.remove(conn, "whk_1"))
    go.set()
    await daemon.settled(state, "cancelled 0")
    daemon.advance(3600)
    await asyncio.sleep(0.1)

    assert [status] == [one.status for one in await daemon.db.attempts()]
    assert (1, "removed") == (len(shop.got), (await daemon.db.endpoints())["whk_1"].state)
    assert {(None, None)} == {
        (one.claim, one.next_at)
        for one in await daemon.db.deliveries()
        if one.attempts == 0 or one.next_at is None
    }


async def test_a_send_to_a_removed_endpoint_that_died_with_its_process_is_not_repeated(
    db: OutboxDb, shop: Shop
) -> None:
    await db.endpoint(shop.url, id="whk_1")
    await db.publish(event())
    async with db.store.write() as conn:
        await claims.claim(conn, {"whk_1": 1}, 1, NOW)
        await endpoints.remove(conn, "whk_1")
    async with running(Daemon(db)) as daemon:
        await daemon.settled("cancelled 0")
        await asyncio.sleep(0.1)

    assert ([], [None]) == (shop.got, [one.claim for one in await db.deliveries()])


# Neighbours: two endpoints of one host


@pytest.mark.parametrize("dead", ["refuses", "hangs"])
async def test_h136_a_dead_endpoint_delays_no_other_at_the_same_host(
    db: OutboxDb, shop: Shop, dead: str
) -> None:
    """Each has room and a breaker of its own: 200 events wait for the neighbour all the while."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/good":
            return web.Response()
        return await hang(request) if dead == "hangs" else web.Response(status=503)

    shop.otherwise = answer
    base = shop.url.removesuffix("/hooks")
    await db.endpoint(f"{base}/dead", id="whk_1", events=["invoice.*"])
    await db.endpoint(f"{base}/good", id="whk_2", events=["chain.*"])
    daemon = Daemon(db)
    task = asyncio.create_task(daemon.notifier.run())
    await daemon.publish(*(event() for _ in range(200)))
    await shop.until(lanes.BREAKS_AFTER if dead == "refuses" else lanes.FIRST)
    for number in range(1, 6):
        await daemon.publish(event(kind=EventType.CHAIN_STALLED))
        async with asyncio.timeout(10):
            while shop.paths.count("/good") < number:  # noqa: ASYNC110 - the same as in `until`
                await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    failed = [one for one in await db.deliveries() if one.endpoint_id == "whk_1"]
    assert 190 <= len([one for one in failed if one.attempts == 0])


async def test_h136_a_dead_endpoint_is_probed_once_a_second(db: OutboxDb, shop: Shop) -> None:
    shop.otherwise = 503
    await db.endpoint(shop.url, id="whk_1")
    async with running(Daemon(db)) as daemon:
        await daemon.publish(*(event() for _ in range(100)))
        await shop.until(lanes.BREAKS_AFTER)
        began = time.monotonic()
        await shop.until(lanes.BREAKS_AFTER + lanes.FIRST + 1)
        probes = (time.monotonic() - began) / lanes.PROBE_EVERY

    assert len(shop.got) <= lanes.BREAKS_AFTER + lanes.FIRST + 1 + probes
    assert 100 == len([one for one in await db.rows(DELIVERY) if one.state == "pending"])


async def test_both_endpoints_of_one_host_get_every_event(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(f"{shop.url}/a", id="whk_1")
    await daemon.db.endpoint(f"{shop.url}/b", id="whk_2")
    await daemon.publish(*(event() for _ in range(10)))
    await daemon.settled(*["delivered 1"] * 20)

    assert {2} == {shop.ids.count(one) for one in set(shop.ids)}
    assert (10, 10) == (shop.paths.count("/hooks/a"), shop.paths.count("/hooks/b"))
