"""A door in front of a real node: it can lead elsewhere, be slammed, or say that too much is asked."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from watcher.sandbox.node import Node

    Refusal = Callable[[Any], web.Response]


class Doorway:
    """Forwards requests and answers as they are; `refusal` answers instead, where it is set."""

    def __init__(self, node: Node) -> None:
        self.refusal: Refusal | None = None
        self.asked = 0
        self._node = URL(node.url)
        self._open: set[asyncio.Transport] = set()
        application = web.Application(client_max_size=2**28)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self.server = TestServer(application)

    @property
    def url(self) -> str:
        """The endpoint, with the credentials of the node that it led to at first."""
        address = self.server.make_url("/").with_user(self._node.user).with_password(self._node.password)
        return str(address).rstrip("/")

    async def lead_to(self, node: Node) -> None:
        """Lead to another node, and drop the connections, so that the client comes to it by new ones."""
        self._node = URL(node.url)
        for transport in self._open:
            transport.close()
        self._open.clear()
        await asyncio.sleep(0.05)  # the client notices

    async def _handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        if request.transport is not None:
            self._open.add(request.transport)
        body = await request.read()
        if self.refusal is not None:
            return self.refusal(json.loads(body) if body else None)
        address = self._node.with_path(request.path).with_query(request.query)
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, address, data=body, headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


@asynccontextmanager
async def opened(*nodes: Node) -> AsyncIterator[list[Doorway]]:
    """Yield a door in front of each of these nodes."""
    doors = [Doorway(node) for node in nodes]
    for door in doors:
        await door.server.start_server()
    try:
        yield doors
    finally:
        for door in doors:
            await door.server.close()
