"""The examples for reverse proxies, with the real programs where they are installed."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog

from api_server import serving
from reverse_proxy import NAME, PROXIES, proxied
from watcher.api.guessing import FAILURES
from watcher.api.server import listen
from watcher.apikeys import Scope
from watcher.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from api_server import Api
    from fake_chain import FakeChain
    from fake_clock import FakeClock

CLIENT, OTHER, FORGED = "127.0.0.2", "127.0.0.3", "198.51.100.66"
"""Addresses of the loopback that are not the proxy's, and one that somebody claims to have."""


def _installed(program: str) -> bool:
    return bool(shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin"))


@dataclass
class Site:
    """The API behind a proxy."""

    api: Api
    port: int

    async def get(
        self, path: str, *, key: str | None = None, at: str = CLIENT, headers: Any = (), **options: Any
    ) -> tuple[int, Any, bytes]:
        """Ask the proxy from an address."""
        connector = aiohttp.TCPConnector(local_addr=(at, 0), force_close=True)
        given = {**dict(headers), "Host": NAME} | ({"Authorization": f"Bearer {key}"} if key else {})
        method, url = options.pop("method", "GET"), f"https://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(
                method, yarl(url), headers=given, ssl=trusting(), server_hostname=NAME, **options
            ) as answer,
        ):
            return answer.status, answer.headers, await answer.read()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def yarl(url: str) -> Any:
    return aiohttp.client.URL(url, encoded=True)


@pytest.fixture(params=sorted(PROXIES))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, fake_chain: FakeChain
) -> AsyncIterator[Site]:
    if not _installed(request.param):
        pytest.skip(f"{request.param} is not installed here")
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(serving(tmp_path, clock, fake_chain))
        server = ServerSettings(trusted_proxies=("127.0.0.1/32",))
        settings = api.context.settings.model_copy(update={"server": server})
        runner = await listen(replace(api.context, settings=settings), "127.0.0.1", 0)
        stack.push_async_callback(runner.cleanup)
        folder = tmp_path / "proxy"
        folder.mkdir()
        yield Site(api, stack.enter_context(proxied(request.param, folder, runner.addresses[0][1])))


def test_the_examples_trust_the_proxy_and_no_other() -> None:
    server = ServerSettings(trusted_proxies=("127.0.0.1/32",))

    assert (ip_network("127.0.0.1/32"),) == server.trusted_proxies


async def test_the_example_serves_the_api_safely(site: Site) -> None:
    key = site.api.keys[Scope.ADMIN]
    with structlog.testing.capture_logs() as logs:
        status, headers, _ = await site.get(
            "/v1/keys",
            key=key,
            headers={"X-Forwarded-For": FORGED, "Forwarded": f"for={FORGED}", "X-Real-IP": FORGED},
        )
        large, _, _ = await site.get("/v1/keys", key=key, method="POST", data=b" " * 70_000)
        missing, unset, _ = await site.get("/v1/nothing", key=key)

    assert (200, 413, 404) == (status, large, missing)
    for each in (headers, unset):
        assert "max-age=31536000" == each["Strict-Transport-Security"]
        assert 1 == len(each.getall("X-Content-Type-Options"))
        assert each.get("Server") in {None, "nginx"}
    done = [entry for entry in logs if entry["event"] == "request.done"]
    assert {CLIENT} == {entry["address"] for entry in done}


async def test_the_example_keeps_measurements_inside(site: Site) -> None:
    for path in ("/metrics", "/metrics?a=b", "/%6detrics", "//metrics", "/./metrics", "/v1/../metrics"):
        status, _, body = await site.get(path)

        assert status in {400, 403, 404}, path
        assert b"watcher_" not in body
    assert 200 == (await site.get("/healthz"))[0]


async def test_the_example_passes_events_on_as_they_happen(site: Site) -> None:
    connector = aiohttp.TCPConnector(local_addr=(CLIENT, 0))
    headers = {"Host": NAME, "Authorization": f"Bearer {site.api.keys[Scope.READ]}"}
    url = f"https://127.0.0.1:{site.port}/v1/events/stream"
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url, headers=headers, ssl=trusting(), server_hostname=NAME) as answer,
    ):
        opened = await answer.content.readuntil(b"\n\n")
        made = await site.api.invoice()
        event = await answer.content.readuntil(b"\n\n")

    assert opened.startswith(b":")
    assert made["id"].encode() in event


async def test_behind_the_example_failures_are_those_of_the_caller(site: Site) -> None:
    wrong = f"dwk_{'A' * 43}"
    found = [
        (await site.get("/v1/keys", key=wrong, headers={"X-Forwarded-For": f"10.0.0.{n}"}))[0]
        for n in range(FAILURES + 1)
    ]
    other, _, _ = await site.get("/v1/keys", key=wrong, at=OTHER)

    assert [*[401] * FAILURES, 429] == found
    assert 401 == other


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="CL and TE"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="an unknown coding"),
        pytest.param(b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="a space before the colon"),
        pytest.param(b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n", id="two lengths"),
        pytest.param(b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="a folded header"),
    ],
)
async def test_through_the_example_nothing_is_smuggled(site: Site, framing: bytes) -> None:
    hidden = b"GET /pay/hidden HTTP/1.1\r\nHost: a\r\nX: "
    request = b"POST /healthz HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\n" + framing + hidden
    follow = b"GET /healthz HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\nConnection: close\r\n\r\n"
    for data in (request, follow):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.port, ssl=trusting(), server_hostname=NAME
        )
        writer.write(data)
        try:
            async with asyncio.timeout(1 if data is request else 20):
                answer = await reader.read()
        except TimeoutError:
            answer = b""
        writer.close()

    labels = {"method": "GET", "route": "/pay/{id}"}
    count = site.api.context.metrics.registry.get_sample_value
    answered = [count("watcher_api_requests_total", {**labels, "status": s}) for s in ("200", "404", "429")]
    assert b" 200 " in answer.splitlines()[0]
    assert [None, None, None] == answered
