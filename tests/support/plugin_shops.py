"""Two shops that do what the plugins of OxaPay and of BTCPay Server do, as real HTTP servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "merchant-secret"
"""The key of the issue's test vectors."""


@dataclass
class PluginShop(ABC):
    """Orders and their states. `got` holds (webhook-id, body) as they came, refused ones too."""

    key: str = KEY
    orders: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    got: list[tuple[str, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.got.append((request.headers["webhook-id"], raw))
        answer = web.Response(status=self.answers.pop(0)) if self.answers else self.judge(request, raw)
        self.notes.append(f"{answer.status} {answer.text}"[:200])
        return answer

    @abstractmethod
    def judge(self, request: web.Request, raw: bytes) -> web.Response:
        """Do what the plugin does, and answer as it does."""

    async def until(self, order: str, state: str, within: float = 30.0) -> None:
        """Wait until an order has a state."""
        async with asyncio.timeout(within):
            while self.orders.get(order) != state:  # noqa: ASYNC110 - what is awaited happens elsewhere
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[PluginShop]:
        app = web.Application()
        app.router.add_post("/callback", self.receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
        try:
            yield self
        finally:
            await runner.cleanup()


_STATES = {"Waiting": "pending", "Paying": "processing", "Paid": "completed", "Expired": "failed"}


class OxaPayShop(PluginShop):
    """Finds the order by `order_id`, compares `Paid` to the letter, and answers with all that it was sent."""

    def judge(self, request: web.Request, raw: bytes) -> web.Response:
        data = json.loads(raw)
        if data["type"] != "invoice":
            return web.Response(status=400, text="Invalid data.type")
        given = request.headers.get("HMAC", "")
        if not re.fullmatch(r"[a-f0-9]{128}", given):
            return web.Response(status=500, text="<p>Invalid HMAC header.</p>")
        if given != hmac.new(self.key.encode(), raw, hashlib.sha512).hexdigest():
            return web.Response(status=400, text="Invalid HMAC signature")
        if not data["order_id"] or not data["status"]:
            return web.Response(status=400, text="orderId is required")
        self.orders[data["order_id"]] = _STATES[data["status"]]
        return web.Response(text=f"Received payment callback: {_php(data)}OK")


class BtcPayShop(PluginShop):
    """Finds the order by `invoiceId`, and takes the types that it knows."""

    def judge(self, request: web.Request, raw: bytes) -> web.Response:
        wanted = "sha256=" + hmac.new(self.key.encode(), raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("BTCPay-Sig", "")):
            return web.Response(status=500, text="Webhook request validation failed.")
        data = json.loads(raw)
        if "invoiceId" not in data:
            return web.Response(status=500, text="No BTCPay invoiceId provided, aborting.")
        if data["invoiceId"] not in self.orders:
            return web.Response(text="No order found for this invoiceId.")
        state = self._state(data)
        if state:
            self.orders[data["invoiceId"]] = state
        return web.Response()

    def _state(self, data: dict[str, Any]) -> str | None:
        match data["type"]:
            case "InvoiceReceivedPayment" | "InvoicePaymentSettled":
                return "expired, paid partially" if data["afterExpiration"] else None
            case "InvoiceProcessing":
                return "processing"
            case "InvoiceInvalid":
                return "invalid"
            case "InvoiceExpired":
                return "expired, paid partially" if data["partiallyPaid"] else "expired"
            case "InvoiceSettled":
                return "settled, paid over" if data["overPaid"] else "settled"
        return None


def _php(value: Any) -> str:
    """Return JSON as PHP writes it: ASCII alone, and slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")
