"""Payment links as tests make, open and pay them over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api_server import Api, Reply

COIN = {"chain": "fake", "asset": "COIN"}
TOKEN = {"chain": "fake", "asset": "TOKEN"}
LIMITS = {"min": "5", "max": "100"}
UNIT = 10**8
"""Base units of a COIN."""


async def link(api: Api, **fields: Any) -> dict[str, Any]:
    """Make a link of 1 COIN unless `fields` say otherwise."""
    api.clock.advance(1)
    way = {} if "options" in fields else {**COIN, "amount": "1"}
    reply = await api.post("/v1/links", {**way, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def opened(api: Api, made: dict[str, Any], **said: Any) -> Reply:
    """Open a link as a payer does: without a key."""
    return await api.post(f"/pay/{made['id']}", said, None)


async def invoice(api: Api, made: dict[str, Any], **said: Any) -> dict[str, Any]:
    """Open a link and return the invoice as its payer sees it."""
    reply = await opened(api, made, **said)
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def shown(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    return dict((await api.get(f"/v1/links/{made['id']}")).json)


async def offer(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    return dict((await api.get(f"/pay/{made['id']}", None)).json)


async def paid(api: Api, one: dict[str, Any], units: int, **more: Any) -> None:
    api.chain.pay(one["options"][0]["address"], units, **more)
    api.clock.advance(1)
    api.chain.mine()
    await api.scan()


async def pass_deadline(api: Api) -> None:
    """Let an hour pass, and the chain prove it."""
    api.clock.advance(3700)
    api.chain.mine()
    await api.scan()


def said(reply: Reply) -> tuple[int, str, str | None]:
    error = reply.json["error"]
    return reply.status, error["code"], error.get("field")
