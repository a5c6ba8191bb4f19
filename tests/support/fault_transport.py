"""Faults of the connection: the node's answer comes broken, refused, slowly or not at all. P7 to P10."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from fault_proxy import FaultProxy, Reply, Transport

HTML = b"<html><body><h1>200 OK</h1>Welcome to the gateway</body></html>"
_DRIP = 0.02
"""Seconds between two bytes: a time-out between bytes alone would wait for ever."""


def in_turn(*ways: Transport) -> Transport:
    """Fail in another of these ways each time."""

    async def send(proxy: FaultProxy, request: web.Request, reply: Reply) -> web.StreamResponse:
        assert proxy.fault is not None
        return await ways[(proxy.hits[proxy.fault.resource] - 1) % len(ways)](proxy, request, reply)

    return send


async def truncated(_: FaultProxy, __: web.Request, reply: Reply) -> web.StreamResponse:
    """Half of the answer, as if it were all."""
    return web.Response(body=reply.body[: len(reply.body) // 2], content_type=reply.kind)


async def html(_: FaultProxy, __: web.Request, ___: Reply) -> web.StreamResponse:
    return web.Response(body=HTML, content_type="text/html")


async def too_many(_: FaultProxy, __: web.Request, ___: Reply) -> web.StreamResponse:
    return web.Response(status=429, headers={"Retry-After": "1"}, text="slow down")


async def unavailable(_: FaultProxy, __: web.Request, ___: Reply) -> web.StreamResponse:
    return web.Response(status=503, text="Work queue depth exceeded")


async def limited(_: FaultProxy, request: web.Request, ___: Reply) -> web.StreamResponse:
    """EIP-1474's "limit exceeded" to all that was asked."""
    return await _refused(request, -32005, "limit exceeded", 200)


async def warming_up(_: FaultProxy, request: web.Request, ___: Reply) -> web.StreamResponse:
    """Bitcoin Core while it starts."""
    return await _refused(request, -28, "Loading block index...", 500)


async def hang(proxy: FaultProxy, _: web.Request, reply: Reply) -> web.StreamResponse:
    await proxy.healed.wait()
    return web.Response(body=reply.body, content_type=reply.kind)


async def drip(proxy: FaultProxy, request: web.Request, reply: Reply) -> web.StreamResponse:
    """One byte at a time."""
    response = web.StreamResponse(headers={"Content-Type": reply.kind})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        for byte in reply.body:
            await response.write(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(proxy.healed.wait(), _DRIP)
                break
    return response


async def reset(_: FaultProxy, request: web.Request, reply: Reply) -> web.StreamResponse:
    """The node did what was asked, and nobody heard of it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(body=reply.body)


async def _refused(request: web.Request, code: int, message: str, status: int) -> web.Response:
    if request.method == "GET":
        return web.Response(status=503, text=message)
    asked = json.loads(await request.read())
    error = {"code": code, "message": message}
    if isinstance(asked, list):
        return web.json_response([{"jsonrpc": "2.0", "id": each["id"], "error": error} for each in asked])
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error}, status=status)
