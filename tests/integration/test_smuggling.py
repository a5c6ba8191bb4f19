"""Bytes that two readers could read differently: refused, and what follows them is taken for no request.

A proxy in front decides where a request ends, and so do we: where both could disagree, a stranger would put a
request of theirs into somebody else's connection. With aiohttp's parser in C, and with the one in Python.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import http_parser, web_protocol

from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api

PARSERS = {"C": http_parser.HttpRequestParser, "Python": http_parser.HttpRequestParserPy}
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
"""The request that nobody is to be tricked into answering."""


@pytest.fixture(params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(web_protocol, "HttpRequestParser", PARSERS[request.param])
    return str(request.param)


def test_both_parsers_are_here() -> None:
    assert 2 == len(set(PARSERS.values()))


async def exchange(api: Api, data: bytes, *, end: bool = False) -> bytes:
    """Send bytes and read until the server closes. `end`: say that no more will come."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    if end:
        writer.write_eof()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def hidden(api: Api) -> float:
    """How often the hidden request was answered."""
    labels = {"method": "GET", "route": "/healthz", "status": "200"}
    return api.context.metrics.registry.get_sample_value("watcher_api_requests_total", labels) or 0


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST /v1/keys HTTP/1.1", b"Host: a", *headers, b"", body))


def get(*headers: bytes, line: bytes = b"GET /v1/keys HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(HIDDEN)
AMBIGUOUS = {
    "a length and chunks": post(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=CHUNKS + HIDDEN),
    "chunks and a length": post(b"Transfer-Encoding: chunked", b"Content-Length: 12", body=CHUNKS),
    "two lengths": post(b"Content-Length: 2", LENGTH, body=b"{}"),
    "a list of lengths": post(b"Content-Length: 2, 2", body=b"{}"),
    "a length with a sign": post(b"Content-Length: +2", body=b"{}"),
    "a negative length": post(b"Content-Length: -2", body=b"{}"),
    "a length in hex": post(b"Content-Length: 0x2", body=b"{}"),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b"{}12345678"),
    "a length in other digits": post(b"Content-Length: \xef\xbc\x92", body=b"{}"),
    "an empty length": post(b"Content-Length: ", body=b"{}"),
    "a length beyond all numbers": post(b"Content-Length: " + b"9" * 40, body=b"{}"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", body=CHUNKS),
    "chunks, then something": post(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
    "chunks twice": post(b"Transfer-Encoding: chunked, chunked", body=CHUNKS),
    "chunks on two lines": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS),
    "a hidden coding": post(b"Transfer-Encoding: \x0bchunked", body=CHUNKS),
    "a coding in quotes": post(b'Transfer-Encoding: "chunked"', body=CHUNKS),
    "a space before the colon": post(b"Transfer-Encoding : chunked", body=CHUNKS),
    "a tab before the colon": post(b"Content-Length\t: 2", body=b"{}"),
    "a folded header": post(b"X: a\r\n Transfer-Encoding: chunked", body=CHUNKS),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked", body=CHUNKS),
    "a space in front of the first header": get(host=b" Host: a\r\n"),
    "no name": get(b": a"),
    "no colon": get(b"abc"),
    "a space in a name": get(b"Content Length: 2"),
    "NUL in a name": get(b"X\0Y: a"),
    "NUL in a value": get(b"X: a\0b"),
    "a bare CR in a value": get(b"X: a\rTransfer-Encoding: chunked"),
    "a bare LF in a value": get(b"X: a\nTransfer-Encoding: chunked"),
    "bare LF everywhere": b"POST /v1/keys HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}" + HIDDEN,
    "bare CR everywhere": b"GET /v1/keys HTTP/1.1\rHost: a\r\r" + HIDDEN,
    "a character outside ASCII in a name": get(b"\xef\xbc\xb8: a"),
    "a chunk of endless size": post(b"Transfer-Encoding: chunked", body=b"F" * 17 + b"\r\n{}\r\n0\r\n\r\n"),
    "a chunk of negative size": post(b"Transfer-Encoding: chunked", body=b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size with 0x": post(b"Transfer-Encoding: chunked", body=b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size with a space": post(b"Transfer-Encoding: chunked", body=b"2 \r\n{}\r\n0\r\n\r\n"),
    "a chunk's size with a sign": post(b"Transfer-Encoding: chunked", body=b"+2\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(b"Transfer-Encoding: chunked", body=b"1\r\n{}\r\n0\r\n\r\n"),
    "a chunk after LF": post(b"Transfer-Encoding: chunked", body=b"2\n{}\n0\n\n"),
    "LF in a chunk's extension": post(b"Transfer-Encoding: chunked", body=b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    "no host": get(host=b""),
    "two hosts": get(b"Host: b"),
    "a list of hosts": get(host=b"Host: a, b\r\n"),
    "an empty line as a host": get(host=b"Host: a b\r\n"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": get(line=b"GET /v1/keys HTTP/9.9"),
    "a long version": get(line=b"GET /v1/keys HTTP/1.10"),
    "lower case": get(line=b"GET /v1/keys http/1.1"),
    "a method with a space": get(line=b"GE T /v1/keys HTTP/1.1"),
    "a method with control characters": get(line=b"G\x01ET /v1/keys HTTP/1.1"),
    "a tab for a space": get(line=b"GET\t/v1/keys\tHTTP/1.1"),
    "a path with a space": get(line=b"GET /v1/ke ys HTTP/1.1"),
    "a path with NUL": get(line=b"GET /v1/\0keys HTTP/1.1"),
    "no path": get(line=b"GET  HTTP/1.1"),
    "CONNECT": get(line=b"CONNECT evil.example:443 HTTP/1.1", host=b"Host: evil.example:443\r\n"),
    "a request after NULs": b"\0\0\0\0" + HIDDEN,
}


def statuses_in(answer: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/\d\.\d (\d\d\d) ", answer)]


def judge(answer: bytes) -> str:
    """Whether one refusal came, and nothing else."""
    found = statuses_in(answer)
    return "refused" if len(found) == 1 and 400 <= found[0] < 500 else answer.decode("latin-1")


@pytest.mark.usefixtures("parser")
async def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(api: Api) -> None:
    answers = await asyncio.gather(*(exchange(api, request + HIDDEN) for request in AMBIGUOUS.values()))

    assert dict.fromkeys(AMBIGUOUS, "refused") == dict(zip(AMBIGUOUS, map(judge, answers), strict=True))
    assert 0 == hidden(api)


def keyed(api: Api, request: bytes) -> bytes:
    key = api.keys[Scope.ADMIN].encode()
    return request.replace(b"\r\n", b"\r\nAuthorization: Bearer " + key + b"\r\n", 1)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        pytest.param(get(), [200, 200], id="one after the other"),
        pytest.param(get(line=b"GET http://evil/v1/keys HTTP/1.1"), [200, 200], id="an absolute address"),
        pytest.param(get(b"Content-Length: 3") + b"abc", [400, 200], id="a GET with a body"),
        pytest.param(get(LENGTH) + HIDDEN, [400, 200], id="a GET with a request as its body"),
        pytest.param(
            post(b"Transfer-Encoding: chunked", body=b"2;a=b\r\n{}\r\n0\r\nX: a\r\n\r\n"),
            [422, 200], id="chunks with an extension and a trailer",
        ),
        pytest.param(
            post(b"Transfer-Encoding: Chunked", body=CHUNKS), [422, 200], id="chunks in capitals",
        ),
        pytest.param(get(line=b"TRACE /v1/keys HTTP/1.1"), [405, 200], id="TRACE"),
        pytest.param(get(line=b"OPTIONS * HTTP/1.1"), [404, 200], id="OPTIONS for all"),
        pytest.param(
            get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
            [200], id="an upgrade to HTTP/2",
        ),
        pytest.param(
            get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: MTIzNDU2Nzg5MA=="),
            [200], id="an upgrade to a web socket",
        ),
    ],
)  # fmt: skip
async def test_what_can_be_read_in_one_way_only_is_answered_and_what_follows_is_the_next_request(
    api: Api, request_: bytes, statuses: list[int]
) -> None:
    answer = await exchange(api, keyed(api, request_) + HIDDEN.replace(b"Host", b"Connection: close\r\nHost"))

    assert statuses == statuses_in(answer)
    assert len(statuses) - 1 == hidden(api)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post(b"Content-Length: 1000000", body=b"{}" + HIDDEN), id="announced"),
        pytest.param(
            post(b"Content-Length: 1000000", b"Expect: 100-continue"), id="announced, waiting for a word"
        ),
        pytest.param(
            post(b"Transfer-Encoding: chunked", body=b"FFFFF\r\n" + b"a" * 70_000), id="in one chunk"
        ),
        pytest.param(
            post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n" * 70_000), id="in many small chunks"
        ),
    ],
)
async def test_a_body_that_is_too_large_is_refused_and_the_rest_of_it_is_no_request(
    api: Api, request_: bytes
) -> None:
    answer = await exchange(api, keyed(api, request_), end=True)

    assert statuses_in(answer) in ([413], [100, 413], [])  # none: the rest was still on its way
    assert 0 == hidden(api)
