"""The headers that protect whoever reads an answer: on every one, whatever it is the answer to."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from watcher import actions as actions_module
from watcher.api.requests import BODY_LIMIT
from watcher.api.scopes import SCOPES
from watcher.api.server import ROUTES, listen_unix
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from api_server import Api

STRICT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
LINK = {"chain": "fake", "asset": "COIN", "amount": "1"}
ELSEWHERE = {"headers": {"Origin": "https://evil.example"}}
KEPT = ("no-store", "private, no-cache")
PUBLIC = re.compile(r"(?i)Server|X-Powered-By|Via|Access-Control-.*|Set-Cookie|Strict-Transport-Security")
"""What no answer of ours has: the software's name, doors to other sites, cookies, what a proxy decides."""


def assert_strict(headers: Mapping[str, str]) -> None:
    assert STRICT == {name: headers.get(name) for name in STRICT}
    assert headers.get("Cache-Control") in KEPT
    assert re.fullmatch(r"[!-~]{1,128}", headers.get("X-Request-Id", ""))
    assert [] == [name for name in headers if PUBLIC.fullmatch(name)]


async def raw(api: Api, request: bytes) -> tuple[int, dict[str, str]]:
    """Send bytes and read the head of the first answer."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    first, *lines = head.strip().splitlines()
    return int(first.split()[1]), {name: value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize(("method", "path"), SCOPES, ids=[" ".join(route) for route in SCOPES])
async def test_every_route_answers_with_strict_headers_whoever_asks(api: Api, method: str, path: str) -> None:
    where = re.sub(r"{\w+}", "none", path) + ("?after=wrong" if path.endswith("/stream") else "")
    for scope in (None, Scope.READ, Scope.ADMIN):
        assert_strict((await api.call(method, where, scope)).headers)
    assert_strict((await api.call("PUT", where)).headers)


@pytest.mark.parametrize(
    ("status", "method", "path", "options"),
    [
        pytest.param(404, "GET", "/v1/nothing", {}, id="no such path"),
        pytest.param(404, "GET", "/", {}, id="the root"),
        pytest.param(404, "GET", "/favicon.ico", {}, id="what browsers ask for"),
        pytest.param(404, "GET", "/v1/invoices/%C3%A9", {}, id="no identifier"),
        pytest.param(405, "OPTIONS", "/v1/invoices", ELSEWHERE, id="CORS"),
        pytest.param(405, "HEAD", "/v1/invoices", {}, id="HEAD"),
        pytest.param(405, "TRACE", "/v1/invoices", {}, id="TRACE"),
        pytest.param(400, "POST", "/v1/keys", {"data": b"{"}, id="no JSON"),
        pytest.param(422, "POST", "/v1/keys", {"data": b"[]"}, id="invalid"),
        pytest.param(413, "POST", "/v1/keys", {"data": b" " * (BODY_LIMIT + 1)}, id="too large"),
        pytest.param(417, "POST", "/v1/keys", {"headers": {"Expect": "200-maybe"}}, id="expectation"),
        pytest.param(200, "GET", "/v1/keys", ELSEWHERE, id="a stranger's page"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_as_strict(
    api: Api, status: int, method: str, path: str, options: dict[str, Any]
) -> None:
    reply = await api.call(method, path, **options)

    assert status == reply.status
    assert_strict(reply.headers)


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        pytest.param(400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(400, b"GET /healthz\r\n\r\n", id="HTTP/0.9"),
        pytest.param(414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="a long address"),
        pytest.param(
            431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", id="a long header"
        ),
        pytest.param(431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 200 + b"\r\n", id="many headers"),
    ],
)
async def test_what_is_no_request_is_as_strict(api: Api, status: int, request_: bytes) -> None:
    found, headers = await raw(api, request_)

    assert status == found
    assert_strict(headers)
    assert "close" == headers.get("Connection", "close")  # HTTP/1.0 has no need to say it


async def test_a_bug_is_as_strict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(actions_module.Actions, "rescan", broken)
    reply = await api.post("/v1/chains/fake/rescan", {"from": 1})

    assert 500 == reply.status
    assert_strict(reply.headers)


async def test_what_did_not_change_is_as_strict(api: Api) -> None:
    id_ = (await api.invoice())["id"]
    first = await api.get(f"/v1/invoices/{id_}")
    again = await api.get(f"/v1/invoices/{id_}", headers={"If-None-Match": first.headers["ETag"]})

    assert (200, 304) == (first.status, again.status)
    assert_strict(first.headers)
    assert_strict(again.headers)


async def test_a_repetition_is_as_strict(api: Api) -> None:
    replies = [await api.post("/v1/links", LINK, headers={"Idempotency-Key": "once"}) for _ in range(2)]

    assert [(201, None), (201, "true")] == [
        (reply.status, reply.headers.get("Idempotent-Replay")) for reply in replies
    ]
    for reply in replies:
        assert_strict(reply.headers)


@pytest.mark.parametrize("path", [r.path for r in ROUTES if r.path.endswith(("/stream", "/export"))])
async def test_a_stream_is_as_strict(api: Api, path: str) -> None:
    key = api.keys[Scope.READ].encode()
    request = b"GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (path.encode(), key)

    status, headers = await raw(api, request)

    assert 200 == status
    assert_strict(headers)


async def test_the_unix_socket_is_as_strict(api: Api, tmp_path: Path) -> None:
    runner = await listen_unix(api.context, tmp_path / "api.sock")
    try:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "api.sock"))
        writer.write(b"GET /v1/keys HTTP/1.1\r\nHost: watcher\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
    finally:
        await runner.cleanup()

    assert_strict(dict(line.split(": ", 1) for line in head.strip().splitlines()[1:]))
