"""Ways around the guard that are no addresses: proxies, connections kept, other services, the nodes' URLs."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from api_server import SECRET
from chains.rpc import Rpc
from egress_canaries import OUTSIDE, canaries, signpost
from fake_clock import FakeClock
from running_notifier import open_shop
from watcher.claims import Claim
from watcher.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from api_server import Api

ALLOWED = (ip_network(f"{OUTSIDE}/32"),)
LOOPBACK = (ip_network("127.0.0.0/8"),)
ADDRESSES = {"webhook_url", "return_url", "url"}
"""Fields of requests that hold an address: `return_url` is a link for payers, the guard judges the others."""


def sender(allow: Sequence[Any]) -> Sender:
    return Sender("1", allow, [SECRET], FakeClock())


def claim(url: str, body: bytes = b"{}") -> Claim:
    return Claim("clm", "dlv", "evt", 1, 0, None, 0, body, "whk", url, "standard", "[]", None)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """It would dial in our place, and no address that it dials is seen here."""
    async with canaries(OUTSIDE) as (proxy,), canaries(OUTSIDE) as (target,), sender(ALLOWED) as subject:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{OUTSIDE}:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://{OUTSIDE}:{proxy.port}")
        await subject.send(claim(f"{scheme}://{OUTSIDE}:{target.port}/"))
        await asyncio.sleep(0)

        assert (0, 1) == (proxy.accepted, target.accepted)


async def test_a_password_that_the_machine_keeps_for_a_host_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {OUTSIDE} login shop password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with signpost(["/"]) as post, sender(ALLOWED) as subject:
        await subject.send(claim(post.url(200, 0)))

        assert ["authorization" in head.lower() for head in post.heads] == [False]


async def test_a_service_that_an_answer_names_for_later_is_not_asked() -> None:
    async with canaries("127.0.0.1") as (canary,):
        inside = f"127.0.0.1:{canary.port}"
        async with signpost([f"http://{inside}/"]) as post, sender(ALLOWED) as subject:
            post.alternative = inside
            results = [await subject.send(claim(post.url(status, 0))) for status in (200, 401, 201, 200)]
        await asyncio.sleep(0)

        assert [200, 401, 201, 200] == [one.status for one in results]
        assert (0, 4) == (canary.accepted, len(post.heads))


async def test_a_kept_connection_serves_those_alone_who_may_dial_it() -> None:
    """Networks that were allowed before a restart are dialled no more, whatever was open."""
    async with signpost(["/"]) as post:
        async with sender(ALLOWED) as before, sender(()) as after:
            first = await before.send(claim(post.url(200, 0)))
            second = await after.send(claim(post.url(200, 0)))
            third = await before.send(claim(post.url(200, 0)))

        assert [None, None] == [first.error, third.error]
        assert str(second.error).startswith(f"blocked: {OUTSIDE} is a private address")
        assert 1 == post.connections


async def test_two_endpoints_of_one_host_share_a_connection_but_no_cookies() -> None:
    async def bake(request: web.Request) -> web.Response:
        seen.append(request.headers.get("cookie"))
        return web.Response(headers={"Set-Cookie": "shop=1; Path=/"})

    seen: list[str | None] = []
    async with open_shop() as shop, sender(LOOPBACK) as subject:
        shop.otherwise = bake
        for path in ("/a", "/b"):
            await subject.send(claim(shop.url + path))

    assert [None, None] == seen


async def test_the_nodes_of_the_configuration_are_dialled_wherever_they_are() -> None:
    """The guard stands before webhooks alone: `allow_private` is empty here."""

    async def node(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": "here"})

    async def anything(_: object) -> None:
        return None

    async with open_shop() as server, sender(()) as subject:
        server.otherwise = node
        rpc = Rpc([server.url], anything)
        async with rpc.node() as one:
            answer = await one.call("m", [], of=str)
        await rpc.close()
        refused = await subject.send(claim(server.url))

        assert ("here", 1) == (answer, len(server.got))
        assert str(refused.error).startswith("blocked: 127.0.0.1")


async def test_no_request_can_name_a_node_or_any_address_but_a_webhooks(api: Api) -> None:
    openapi = (await api.get("/openapi.json")).json
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for path in openapi["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    fields = {name for body in bodies for name in _fields(body, openapi)}

    words = ("url", "uri", "rpc", "host", "node", "proxy", "server", "callback")
    assert ADDRESSES == {name for name in fields if any(word in name for word in words)}


def _fields(schema: Any, openapi: Any) -> Iterator[str]:
    """Yield the names of all fields of a request's body, at any depth."""
    match schema:
        case {"$ref": str() as ref}:
            yield from _fields(openapi["components"]["schemas"][ref.rpartition("/")[2]], openapi)
        case dict():
            yield from schema.get("properties", {})
            for inner in schema.values():
                yield from _fields(inner, openapi)
        case list():
            for inner in schema:
                yield from _fields(inner, openapi)
