"""How much a caller may send, how fast, and how much is done at once; and who is never kept waiting."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from watcher.api import protocol, requests
from watcher.api import server as server_module
from watcher.api.limits import Buckets
from watcher.api.requests import BODY_LIMIT
from watcher.api.server import listen, listen_unix
from watcher.apikeys import Scope
from watcher.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from api_server import Api, Reply

DEADLINE = 20.0


@asynccontextmanager
async def limited(api: Api, **server: Any) -> AsyncIterator[Api]:
    """Serve the same with other limits."""
    settings = api.context.settings.model_copy(update={"server": ServerSettings(**server)})
    runner = await listen(replace(api.context, settings=settings), "127.0.0.1", 0)
    try:
        yield replace(api, url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


@asynccontextmanager
async def operators(api: Api, path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the operator too, and open a session that reaches it."""
    runner = await listen_unix(api.context, path)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            yield session
    finally:
        await runner.cleanup()


async def until(status: int, ask: Callable[[], Any]) -> Reply:
    """Ask until the answer has that status."""
    async with asyncio.timeout(DEADLINE):
        while True:
            reply: Reply = await ask()
            if reply.status == status:
                return reply


def refusal(reply: Reply) -> tuple[int, str, str | None]:
    return reply.status, reply.json["error"]["code"], reply.headers.get("Retry-After")


async def raw(api: Api, data: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes; return status, headers and JSON of what comes until the connection ends."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


# --- rates


async def test_a_key_that_asks_too_fast_is_told_when_to_come_again(api: Api) -> None:
    async with limited(api, rate=3) as small:
        refused = await until(429, lambda: small.get("/v1/invoices"))
        other = await small.get("/v1/invoices", Scope.WRITE)
        public = await small.get("/healthz", None)
        again = await until(200, lambda: small.get("/v1/invoices"))

    assert (429, "rate_limited", "1") == refusal(refused)
    assert (200, 200, 200) == (other.status, public.status, again.status)


async def test_no_rate_is_no_limit(api: Api) -> None:
    async with limited(api, rate=0, public_rate=0) as free:
        replies = [await free.get("/v1/keys") for _ in range(60)]
        replies += [await free.get("/i/none", None) for _ in range(60)]

    assert {200, 404} == {reply.status for reply in replies}


async def test_a_rate_of_its_own_is_for_each_address_that_shows_no_key(api: Api) -> None:
    async with limited(api, public_rate=2) as small:
        refused = await until(429, lambda: small.get("/i/none", None))
        known = await small.get("/v1/invoices")
        again = await until(404, lambda: small.get("/i/none", None))

    assert (429, "rate_limited", "1") == refusal(refused)
    assert (200, 404) == (known.status, again.status)


async def test_callers_behind_a_trusted_proxy_are_told_apart(api: Api) -> None:
    def of(address: str) -> Callable[[], Any]:
        return lambda: small.get("/i/none", None, headers={"X-Forwarded-For": address})

    async with limited(api, public_rate=1, trusted_proxies=("127.0.0.0/8",)) as small:
        await until(429, of("2001:db8::1"))
        neighbour = await until(429, of("2001:db8::ffff"))
        others = [await of(address)() for address in ("2001:db8:0:1::1", "192.0.2.1", "192.0.2.2")]

    assert 429 == neighbour.status
    assert [404, 404, 404] == [reply.status for reply in others]


async def test_looking_for_paths_that_do_not_exist_is_slow_work(api: Api) -> None:
    async with limited(api, public_rate=2) as small:
        refused = await until(429, lambda: small.get("/.env", None))
        method = await until(429, lambda: small.call("PUT", "/v1/invoices", None))

    assert (429, "rate_limited", "1") == refusal(refused) == refusal(method)


async def test_probes_are_never_refused_and_payers_do_not_hide_the_measurements(api: Api) -> None:
    async with limited(api, public_rate=1) as small:
        await until(429, lambda: small.get("/i/none", None))
        metrics = await small.get("/metrics", None)
        probes = [await small.get(path, None) for path in ("/healthz", "/readyz") for _ in range(10)]

    assert {200} == {reply.status for reply in (metrics, *probes)}


async def test_the_callers_remembered_are_bounded_and_the_longest_idle_is_forgotten() -> None:
    buckets = Buckets(1, most=3)
    for caller in ("a", "b", "c"):
        assert await buckets.take(caller)
    assert not await buckets.take("a")

    assert await buckets.take("d")

    assert 3 == len(buckets)
    assert not await buckets.take("a")
    assert await buckets.take("b")


# --- how much at once


async def test_more_than_can_be_done_at_once_is_503_but_probes_streams_and_the_operator_pass(
    api: Api, tmp_path: Path
) -> None:
    async with (
        limited(api, concurrency=2) as small,
        operators(small, tmp_path / "api.sock") as operator,
        asyncio.TaskGroup() as group,
    ):
        async with api.context.store.write():  # whoever writes waits for the end of it
            waiting = [group.create_task(until(201, partial(_key, small, name))) for name in "ab"]
            refused = await until(503, lambda: small.get("/v1/invoices"))
            passed = [await small.get(path, None) for path in ("/healthz", "/readyz")]
            stream = await small.session.get(
                f"{small.url}/v1/events/stream", headers={"Authorization": f"Bearer {small.keys[Scope.READ]}"}
            )
            local = await operator.get("http://localhost/v1/invoices")
        made = [await task for task in waiting]
        after = await small.get("/v1/invoices")
        stream.close()

    assert (503, "busy", "1") == refusal(refused)
    assert [200, 200, 200, 200] == [*(reply.status for reply in passed), stream.status, local.status]
    assert [201, 201, 200] == [*(reply.status for reply in made), after.status]


async def test_more_connections_than_the_system_allows_are_ended_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "most_connections", lambda: 2)
    async with limited(api) as small:
        host, _, port = small.url.removeprefix("http://").partition(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        reader, third = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(ConnectionError):
                await _told_nothing(reader)
        for _, writer in (*opened, (reader, third)):
            writer.close()
        reply = await until(200, lambda: small.get("/healthz", None))

    assert 200 == reply.status


async def _key(api: Api, name: str) -> Reply:
    return await api.post("/v1/keys", {"name": name})


async def _told_nothing(reader: asyncio.StreamReader) -> None:
    if await reader.read() == b"":
        raise ConnectionResetError


# --- sizes and slowness


def post(api: Api, *headers: str, body: bytes = b"") -> bytes:
    key = f"Authorization: Bearer {api.keys[Scope.ADMIN]}"
    return "\r\n".join(["POST /v1/keys HTTP/1.1", "Host: a", key, *headers, "", ""]).encode() + body


@pytest.mark.parametrize("size", [BODY_LIMIT, BODY_LIMIT + 1], ids=["at", "above"])
async def test_a_body_that_says_no_length_may_have_64_kib_too(api: Api, size: int) -> None:
    body = b'{"name": "till"' + b"}".rjust(size - 15)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 1000):
            yield body[start : start + 1000]

    reply = await api.call("POST", "/v1/keys", data=chunks())

    assert (413 if size > BODY_LIMIT else 201) == reply.status


async def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_sent(api: Api) -> None:
    status, headers, answer = await raw(api, post(api, "Content-Length: 65537"))

    assert (413, "too_large", "close") == (status, answer["error"]["code"], headers["connection"])


@pytest.mark.parametrize(
    "headers", [("Content-Length: 10",), ("Transfer-Encoding: chunked",)], ids=["with a length", "chunked"]
)
async def test_a_body_that_never_ends_is_408_and_holds_no_place(
    api: Api, monkeypatch: pytest.MonkeyPatch, headers: tuple[str, ...]
) -> None:
    monkeypatch.setattr(requests, "BODY_PATIENCE", 0.5)
    async with limited(api, concurrency=1) as small:
        slow = asyncio.create_task(raw(small, post(small, *headers)))
        meanwhile = await small.get("/v1/invoices")
        status, found, answer = await slow

    assert 200 == meanwhile.status
    assert (408, "request_timeout", "close") == (status, answer["error"]["code"], found["connection"])


async def test_a_connection_that_never_asks_is_ended(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FIRST", 0.2)
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")

    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()
    writer.close()

    assert b"" == answer


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        pytest.param(400, "malformed_http", b"\x16\x03\x01\x00\xa5\r\n\r\n", id="TLS"),
        pytest.param(400, "malformed_http", b"FETCH /healthz HTTP/1.1\r\nHost: a\r\n\r\n", id="a method"),
        pytest.param(400, "malformed_http", b"GET /healthz HTTP/1.1\r\nHost a\r\n\r\n", id="a header"),
        pytest.param(
            414, "url_too_long", b"GET /?a=" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", id="a long query"
        ),
        pytest.param(
            431, "headers_too_large", b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", id="a long header"
        ),
        pytest.param(
            431, "headers_too_large", b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 65 + b"\r\n", id="many headers"
        ),
        pytest.param(
            417,
            "expectation_failed",
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nConnection: close\r\n\r\n",
            id="an expectation",
        ),
        pytest.param(
            405,
            "method_not_allowed",
            b"PROPFIND /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            id="a method of others",
        ),
    ],
)
async def test_what_never_reaches_a_route_is_refused_in_json_with_an_id(
    api: Api, status: int, code: str, request_: bytes
) -> None:
    found, headers, answer = await raw(api, request_)

    assert (status, code) == (found, answer["error"]["code"])
    assert headers["x-request-id"].startswith("req_")
    assert "application/json" == headers["content-type"]
    assert "server" not in headers
