"""A merchant's shop that receives webhooks on loopback, checks each signature and remembers everything."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret of Standard Webhooks' own test vector."""


class Shop:
    """Answers 200 unless `answer` says otherwise. `received` holds (webhook-id, body) in order of arrival."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answer: Callable[[], int] = lambda: 200
        self.says = ""
        """The words of every answer."""
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks"

    @property
    def thanks(self) -> str:
        """The page of the shop to which payers return."""
        return f"http://127.0.0.1:{self._port}/thanks"

    async def start(self) -> None:
        """Listen; on the same port again after a `stop`."""
        app = web.Application()
        app.router.add_post("/hooks", self._receive)
        app.router.add_get("/thanks", self._thank)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Vanish, as a shop does in the middle of the night."""
        if self._runner:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        status = self.answer()
        if status == 200:
            self.received.append((request.headers["webhook-id"], body))
        return web.Response(status=status, text=self.says)

    async def _thank(self, _: web.Request) -> web.Response:
        page = '<!doctype html><link rel="icon" href="data:,"><title>Shop</title><h1>Thank you</h1>'
        return web.Response(text=page, content_type="text/html")

    def events(self, invoice: str) -> list[dict[str, Any]]:
        """Return the events of an invoice, each id once, in the order of their first arrival."""
        once = dict(reversed(self.received))
        ordered = {id_: once[id_] for id_, _ in self.received}
        events = [json.loads(body) for body in ordered.values()]
        return [e for e in events if e["data"].get("invoice", {}).get("id") == invoice]

    def types(self, invoice: str) -> list[str]:
        return [e["type"] for e in self.events(invoice)]

    async def heard(self, invoice: str, type_: str, within: float = 30.0) -> dict[str, Any]:
        """Wait for an event and return its body."""
        async with asyncio.timeout(within):
            while True:
                for event in self.events(invoice):
                    if event["type"] == type_:
                        return event
                await asyncio.sleep(0.05)

    def assert_sound(self, invoice: str) -> None:
        """Every id has one body, and the sequence of the events has no hole and no repetition."""
        bodies: dict[str, set[bytes]] = {}
        for id_, body in self.received:
            bodies.setdefault(id_, set()).add(body)
        assert {1} == {len(each) for each in bodies.values()}
        sequences = sorted(e["data"]["sequence"] for e in self.events(invoice))
        assert list(range(1, len(sequences) + 1)) == sequences
