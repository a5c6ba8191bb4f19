from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from outbox_db import SECRET, OutboxDb, event
from running_notifier import OWN_SECRET, Daemon, Shop, open_shop, running
from watcher import endpoints, lanes, sending, signing
from watcher.deliveries import redeliver
from watcher.secret import new_secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def test_a_webhook_arrives_signed_as_the_contract_says(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(shop.url)
    told = event()
    await daemon.publish(told)
    await daemon.settled("delivered 1")

    ((headers, body),) = shop.got
    assert told.body == body
    assert Webhook(SECRET).verify(body, headers)["type"] == "invoice.paid"
    assert {
        "webhook-id": told.id,
        "webhook-timestamp": str(int(daemon.clock().timestamp())),
        "content-type": "application/json",
        "user-agent": "deposit-watcher/1.2.3",
        "accept-encoding": "identity",
    }.items() <= headers.items()
    ((row,), samples) = await daemon.db.attempts(), daemon.metrics.registry
    assert (1, 200, None, b"ok") == (row.number, row.status, row.error, row.answer)
    assert samples.get_sample_value("watcher_deliveries_total", {"result": "ok"}) == 1
    assert daemon.beats > 0


async def test_every_retry_sends_the_same_bytes_under_the_same_id_at_its_own_time(
    daemon: Daemon, shop: Shop
) -> None:
    await daemon.db.endpoint(shop.url)
    shop.answers = [500, 404, 200]
    await daemon.publish(event())
    await daemon.settled("pending 1")
    daemon.advance(5)
    await daemon.settled("pending 2")
    daemon.advance(30)
    await daemon.settled("delivered 3")

    assert len({(headers["webhook-id"], body) for headers, body in shop.got}) == 1
    times = [int(headers["webhook-timestamp"]) for headers, _ in shop.got]
    assert [0, 5, 35] == [one - times[0] for one in times]
    for headers, body in shop.got:
        Webhook(SECRET).verify(body, headers)


async def test_h135_a_404_is_tried_again_until_the_delivery_is_dead_and_can_be_sent_again(
    daemon: Daemon, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PROBE_EVERY", 0.01)
    await daemon.db.endpoint(shop.url)
    shop.otherwise = 404
    await daemon.publish(event())
    for attempt in range(1, 11):
        await daemon.settled(f"pending {attempt}")
        (row,) = await daemon.db.deliveries()
        await asyncio.sleep(0)
        daemon.advance((row.next_at - daemon.clock()).total_seconds())
    await daemon.settled("dead 11")
    shop.otherwise = 200
    async with daemon.db.store.write() as conn:
        await redeliver(conn, row.id, daemon.clock())
    daemon.bus.published()
    await daemon.settled("delivered 1")

    assert (12, 1) == (len(shop.got), len(set(shop.ids)))


async def test_retry_after_is_honoured(daemon: Daemon, shop: Shop) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "90"})

    await daemon.db.endpoint(shop.url)
    shop.answers = [busy]
    await daemon.publish(event())
    await daemon.settled("pending 1")

    (row,) = await daemon.db.deliveries()
    assert daemon.clock() + timedelta(seconds=90) == row.next_at


async def test_the_events_of_each_invoice_arrive_in_order_and_one_at_a_time(
    daemon: Daemon, shop: Shop
) -> None:
    flying: Counter[str] = Counter()

    async def slow(request: web.Request) -> web.Response:
        invoice = (await request.json())["invoice"]
        flying[invoice] += 1
        assert flying[invoice] == 1
        await asyncio.sleep(0.01)
        flying[invoice] -= 1
        return web.Response()

    shop.otherwise = slow
    await daemon.db.endpoint(shop.url)
    invoices = [await daemon.db.invoice(f"inv_{n}") for n in range(8)]
    await daemon.publish(*(event(one, step) for step in range(1, 6) for one in invoices))
    await daemon.settled(*["delivered 1"] * 40)

    bodies = [json.loads(body) for _, body in shop.got]
    for one in invoices:
        assert [1, 2, 3, 4, 5] == [body["sequence"] for body in bodies if body["invoice"] == one]
    assert shop.most > 1


async def test_an_invoices_own_url_is_signed_with_the_secret_of_the_configuration(
    daemon: Daemon, shop: Shop
) -> None:
    await daemon.db.invoice("inv_1")
    async with daemon.db.store.write() as conn:
        await endpoints.add_own(conn, "inv_1", shop.url, daemon.clock())
    await daemon.publish(event("inv_1", 1))
    await daemon.settled("delivered 1")

    ((headers, body),) = shop.got
    Webhook(OWN_SECRET).verify(body, headers)


async def test_h134_both_secrets_sign_while_one_is_being_rotated(daemon: Daemon, shop: Shop) -> None:
    new = new_secret()
    column = signing.rotated(signing.stored([SECRET]), new, daemon.clock(), timedelta(hours=1))
    await daemon.db.endpoint(shop.url, secrets=column)
    await daemon.publish(event())
    await daemon.settled("delivered 1")

    ((headers, body),) = shop.got
    for secret in (new, SECRET):
        Webhook(secret).verify(body, headers)


async def test_410_disables_the_endpoint(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(shop.url)
    shop.answers = [410]
    await daemon.publish(event())
    await daemon.settled("pending 1", "pending 0")  # the second one is webhook.disabled
    daemon.advance(3600)
    await asyncio.sleep(0.05)

    assert len(shop.got) == 1
    assert ["invoice.paid", "webhook.disabled"] == [row.type for row in await daemon.db.events()]


async def _failure(daemon: Daemon, url: str, **values: Any) -> Any:
    """Send one event to a URL that will fail, and return the attempt."""
    await daemon.db.endpoint(url, **values)
    await daemon.publish(event())
    await daemon.settled("pending 1")
    return (await daemon.db.attempts())[0]


async def test_h130_a_redirect_is_a_failure_and_is_not_followed(daemon: Daemon, shop: Shop) -> None:
    async with open_shop() as canary:

        async def away(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(canary.url)

        shop.otherwise = away
        row = await _failure(daemon, shop.url)

        assert (307, "the receiver answered 307; redirects are not followed") == (row.status, row.error)
        assert canary.got == []


async def test_h132_a_compressed_bomb_is_neither_unpacked_nor_read_to_its_end(
    daemon: Daemon, shop: Shop
) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def explode(_: web.Request) -> web.Response:
        return web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})

    shop.otherwise = explode
    row = await _failure(daemon, shop.url)

    assert bomb[:4096] == row.answer


async def test_an_answer_without_an_end_still_counts_by_its_status(
    db: OutboxDb, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.3)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b".")
                await asyncio.sleep(0.05)
        return response

    shop.otherwise = drip
    await db.endpoint(shop.url)
    async with running(Daemon(db)) as daemon:
        await daemon.publish(event())
        await daemon.settled("delivered 1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"ok", None, id="the body that was agreed"),
        pytest.param(b"ok\n", "the answer is not 'ok'", id="another body"),
        pytest.param(b"", "the answer is not 'ok'", id="none"),
    ],
)
async def test_success_can_be_an_exact_body(
    daemon: Daemon, shop: Shop, answer: bytes, error: str | None
) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(body=answer)

    shop.otherwise = say
    await daemon.db.endpoint(shop.url, success_body="ok")
    await daemon.publish(event())
    await daemon.settled("pending 1" if error else "delivered 1")

    assert [error] == [row.error for row in await daemon.db.attempts()]


async def test_a_closed_port_is_a_failure_that_says_so(daemon: Daemon, unused_tcp_port: int) -> None:
    row = await _failure(daemon, f"http://127.0.0.1:{unused_tcp_port}/")

    assert row.status is None
    assert row.error.startswith("cannot connect to 127.0.0.1")


async def test_a_name_that_cannot_exist_is_a_failure_and_no_crash(daemon: Daemon) -> None:
    row = await _failure(daemon, "http://a..b/")

    assert row.error == "the URL cannot be dialled"


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [
        pytest.param(b"", "without an answer", id="closes at once"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP", id="another protocol"),
        pytest.param(
            b"HTTP/1.1 500 No\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", "not HTTP", id="endless header"
        ),
        pytest.param(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nshort", "Payload", id="body breaks off"),
        pytest.param(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", id="broken chunks"),
    ],
)
async def test_a_receiver_that_speaks_nonsense_is_a_failure_and_no_crash(
    daemon: Daemon, bytes_: bytes, words: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(bytes_)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        row = await _failure(daemon, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert words in row.error
    assert "\n" not in row.error


async def test_a_silent_receiver_is_given_up_in_time(
    db: OutboxDb, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.2)

    async def sleep(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    shop.otherwise = sleep
    async with running(Daemon(db)) as daemon:
        row = await _failure(daemon, shop.url)

    assert row.error == "no answer within 0.2 seconds"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_h128_h129_the_guard_judges_the_address_that_is_dialled(
    db: OutboxDb, shop: Shop, host: str
) -> None:
    async with running(Daemon(db, allow=())) as daemon:
        row = await _failure(daemon, shop.url.replace("127.0.0.1", host))

    assert "is a private address; allow it in [webhooks] allow_private" in row.error
    assert "blocked: " in row.error
    assert shop.got == []


async def test_stopping_lets_a_send_under_way_end_and_writes_it_down(db: OutboxDb, shop: Shop) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    shop.otherwise = slow
    await db.endpoint(shop.url)
    async with running(Daemon(db)) as daemon:
        await daemon.publish(event())
        await shop.until(1)

    assert [("delivered", None)] == [(row.state, row.claim) for row in await db.deliveries()]


async def test_a_cancelled_notifier_loses_nothing(db: OutboxDb, shop: Shop) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    shop.answers = [hang]
    await db.endpoint(shop.url)
    first = Daemon(db)
    task = asyncio.create_task(first.notifier.run())
    await first.publish(event())
    await shop.until(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with running(Daemon(db)) as second:
        await second.settled("delivered 1")

    assert (2, 1) == (len(shop.got), len(set(shop.ids)))


async def test_an_unexpected_exception_ends_the_notifier(db: OutboxDb, shop: Shop) -> None:
    """Invariant 13."""
    await db.endpoint(shop.url, secrets="not JSON")
    daemon = Daemon(db)
    await daemon.publish(event())
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(10):
            await daemon.notifier.run()

    assert [ValueError] == [type(one).__base__ for one in raised.value.exceptions]


async def test_what_is_published_without_a_wake_up_is_found_by_polling(daemon: Daemon, shop: Shop) -> None:
    await daemon.db.endpoint(shop.url)
    await asyncio.sleep(0.1)
    await daemon.db.publish(event(), at=daemon.clock())
    await daemon.settled("delivered 1")


_CHILD = """
import asyncio, random, sys
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from watcher.bus import Bus
from watcher.metrics import Metrics
from watcher.model import EventType
from watcher.notifier import Notifier, NotifierOptions
from watcher.store import Store

options = NotifierOptions(allow_private=(ip_network("127.0.0.0/8"),), version="0")
notifier = Notifier(
    Store(Path(sys.argv[1])), Bus(), options, Metrics(),
    clock=lambda: datetime.now(UTC), random=random.random, heartbeat=lambda: None,
)
asyncio.run(notifier.run())
"""


async def test_h112_nothing_is_lost_and_nothing_gets_a_second_id_when_the_sender_is_killed(
    db: OutboxDb, shop: Shop
) -> None:
    invoices = [await db.invoice(f"inv_{n}") for n in range(100)]
    await db.endpoint(shop.url)
    told = [event(one, step) for step in range(1, 4) for one in invoices]
    await db.publish(*told, at=datetime.now(UTC))
    for kill_after in (40, 120, 210, None):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, str(db.store.path), stdout=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(60):
                while len(set(shop.ids)) < (kill_after or len(told)):
                    assert child.returncode is None
                    await asyncio.sleep(0.005)
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()

    assert {one.id for one in told} == set(shop.ids)
    bodies = {one.id: one.body for one in told}
    assert all(bodies[headers["webhook-id"]] == body for headers, body in shop.got)
    firsts = list(dict.fromkeys(shop.ids))
    for one in invoices:
        mine = [t.id for t in told if t.invoice_id == one]
        assert mine == sorted(mine, key=firsts.index)
