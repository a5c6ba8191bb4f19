"""One attempt, word by word: time limits, what is read of an answer and kept, and what `Retry-After` says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import zlib
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from outbox_db import OutboxDb, event
from running_notifier import Daemon, Shop, hang, running
from watcher import sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def _attempt(db: OutboxDb, url: str, **values: Any) -> Any:
    """Send one event to a URL and return the attempt, whatever came of it."""
    await db.endpoint(url, **values)
    async with running(Daemon(db)) as daemon, asyncio.timeout(10):
        await daemon.publish(event())
        while not await db.attempts():  # noqa: ASYNC110 - what is awaited happens elsewhere
            await asyncio.sleep(0.01)
    return (await db.attempts())[0]


@contextlib.asynccontextmanager
async def _server(serve: Serve) -> AsyncIterator[str]:
    tasks: list[asyncio.Task[None]] = []
    ended: list[asyncio.Task[Any]] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.append(task)
        if this := asyncio.current_task():
            ended.append(this)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*ended)


def test_the_limits_are_those_of_the_contract() -> None:
    assert (5, 20, 4096) == (sending.CONNECT_SECONDS, sending.WHOLE_SECONDS, sending.ANSWER_BYTES)


async def test_a_host_that_does_not_take_the_connection_is_given_up(
    db: OutboxDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "CONNECT_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # its queue is full now: the kernel answers no further caller
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        row = await _attempt(db, f"http://127.0.0.1:{full.getsockname()[1]}/")

    assert (None, None, "no connection within 0.3 seconds") == (row.status, row.answer, row.error)


async def test_a_host_that_says_nothing_to_a_greeting_of_tls_has_not_connected(
    db: OutboxDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "CONNECT_SECONDS", 0.3)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _server(silent) as at:
        row = await _attempt(db, f"https://{at}/")

    assert "no connection within 0.3 seconds" == row.error


def _trickle(first: bytes, drop: bytes) -> Serve:
    """Return a server that never stops speaking, and never comes to an end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(100)
            writer.write(first)
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.02)

    return serve


@pytest.mark.parametrize(
    ("first", "drop", "status", "error"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", None, "no answer within 0.4 seconds", id="a header"),
        pytest.param(
            b"", b"HTTP/1.1 100 Continue\r\n\r\n", None, "no answer within 0.4 seconds", id="patience"
        ),
        pytest.param(
            b"HTTP/1.1 500 No\r\n\r\nbusy",
            b".",
            500,
            "the receiver answered 500, then: no answer within 0.4 seconds",
            id="the body of a failure",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nbusy", b".", 200, None, id="the body of a success"),
    ],
)
async def test_a_receiver_that_trickles_bytes_gets_the_whole_time_and_no_more(
    db: OutboxDb,
    monkeypatch: pytest.MonkeyPatch,
    first: bytes,
    drop: bytes,
    status: int | None,
    error: str | None,
) -> None:
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.4)
    async with _server(_trickle(first, drop)) as at:
        row = await _attempt(db, f"http://{at}/")

    assert (status, error) == (row.status, row.error)
    assert status is None or row.answer.startswith(b"busy.")


async def test_an_exact_body_has_to_come_to_its_end(db: OutboxDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.3)
    async with _server(_trickle(b"HTTP/1.1 200 OK\r\n\r\nok", b"")) as at:
        row = await _attempt(db, f"http://{at}/", success_body="ok")

    assert (200, b"ok") == (row.status, row.answer)
    assert row.error.endswith("no answer within 0.3 seconds")


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 3_000_000])
async def test_of_an_answer_4_kib_are_kept(db: OutboxDb, shop: Shop, size: int) -> None:
    async def say(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    shop.otherwise = say
    row = await _attempt(db, shop.url)

    assert (200, None, b"x" * min(size, 4096)) == (row.status, row.error, row.answer)


def _deflated(raw: bytes) -> bytes:
    return zlib.compress(raw)


BROTLI = bytes.fromhex(
    "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500ba"
    "f77ffcffff837f02200e0b0074effff20f5e0fff04401c1600e8a0eb01"
)
"""50 MB of nothing, packed by Node's zlib."""


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        pytest.param("gzip", gzip.compress(b"\0" * 20_000_000), id="gzip"),
        pytest.param("deflate", _deflated(b"\0" * 20_000_000), id="deflate"),
        pytest.param("br", BROTLI, id="brotli"),
        pytest.param("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 20_000_000)), id="gzip twice"),
        pytest.param("gzip", b"not packed at all", id="a lie"),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_h132_what_is_packed_stays_packed(
    db: OutboxDb, shop: Shop, name: str, bomb: bytes, status: int
) -> None:
    async def explode(_: web.Request) -> web.Response:
        return web.Response(status=status, body=bomb, headers={"Content-Encoding": name})

    shop.otherwise = explode
    row = await _attempt(db, shop.url)

    assert (status, bomb[:4096]) == (row.status, row.answer)
    assert "identity" == shop.got[0][0]["accept-encoding"]


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_honoured_in_both_forms(db: OutboxDb, shop: Shop, form: str) -> None:
    daemon = Daemon(db)
    at = daemon.clock().astimezone(UTC).replace(microsecond=0)
    daemon.clock.now = at
    text = "5400" if form == "seconds" else format_datetime(at + timedelta(minutes=90), usegmt=True)

    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": text})

    shop.otherwise = busy
    await db.endpoint(shop.url)
    async with running(daemon):
        await daemon.publish(event())
        await daemon.settled("pending 1")

    assert [at + timedelta(minutes=90)] == [row.next_at for row in await db.deliveries()]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Sun, 22 Nov 99999999999999 12:00:00 GMT", id="a year that no clock has"),
        pytest.param("Sun, 22 Nov 2026 12:00:99999999999999999999 GMT", id="so many seconds"),
        pytest.param("Sun, 22 Nov 2026 12:00:00 +99999999999999999", id="a place that far east"),
        pytest.param("9" * 4000, id="a long time"),
    ],
)
async def test_no_retry_after_ends_the_notifier(db: OutboxDb, shop: Shop, text: str) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": text})

    shop.answers = [busy]
    await db.endpoint(shop.url)
    async with running(Daemon(db)) as daemon:
        await daemon.publish(event())
        await daemon.settled("pending 1")
        await daemon.publish(event())
        await daemon.settled("pending 1", "delivered 1")


async def test_a_url_that_nobody_can_read_is_a_failure_of_its_own_and_of_no_other(
    db: OutboxDb, shop: Shop
) -> None:
    """The API takes none; one may come from a database that an earlier version wrote."""
    for n, url in enumerate(
        ("http://[::1/", "http://shop.example:99999/", "", "unix:///run/x", "http://a:b/")
    ):
        await db.endpoint(url, id=f"whi_inv_{n}")
        await db.endpoint(url, id=f"whk_{n}")
    await db.endpoint(shop.url, id="whk_shop")
    async with running(Daemon(db)) as daemon:
        await daemon.publish(event())
        await daemon.settled(*["pending 1"] * 10, "delivered 1")

    assert ["the URL cannot be dialled"] * 10 == [row.error for row in await db.attempts() if row.error]


async def test_what_a_receiver_says_in_place_of_http_is_kept_as_one_line_without_control_characters(
    db: OutboxDb,
) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x1b[2J\x07\xe2\x80\xae gone\r\nreally\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    async with _server(rude) as at:
        row = await _attempt(db, f"http://{at}/")

    assert row.error.isprintable()
    assert row.error.startswith("the answer is not HTTP: ")


async def test_h137_why_there_was_no_answer_never_names_the_url(
    db: OutboxDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own words do, where a receiver closes before it has all of the event."""

    async def closes(request: aiohttp.ClientRequest, *_: Any) -> None:
        raise aiohttp.ClientOSError(None, f"Can not write request body for {request.url}")

    monkeypatch.setattr(aiohttp.ClientRequest, "send", closes)
    async with _server(lambda *_: asyncio.sleep(10)) as at:
        row = await _attempt(db, f"http://{at}/a-token")

    assert "ClientOSError: [Errno None] Can not write request body for the URL" == row.error


async def test_only_what_fails_makes_the_others_of_its_invoice_wait(db: OutboxDb, shop: Shop) -> None:
    shop.answers = [hang]
    await db.endpoint(shop.url)
    await db.invoice("inv_1")
    await db.invoice("inv_2")
    task = asyncio.create_task((daemon := Daemon(db)).notifier.run())
    await daemon.publish(event("inv_1", 1), event("inv_1", 2), event("inv_2", 1), event("inv_2", 2))
    await shop.until(3)
    await daemon.settled("pending 0", "pending 0", "delivered 1", "delivered 1")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert 3 == len(shop.got)
