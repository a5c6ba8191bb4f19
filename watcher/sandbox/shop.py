"""A stub of a merchant's shop: takes webhooks, verifies them as a shop should, and shows what came.

Knows the webhook contract as any receiver does: through the standardwebhooks package.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from watcher.sandbox.node import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = 1000
"""Webhooks that are remembered, the newest."""


class Shop:
    """A server on loopback: POST / is for webhooks, GET / shows them as JSON, newest first."""

    def __init__(self, secret: str, say: Callable[[str], None]) -> None:
        """`say` is told one line for each webhook."""
        self._webhook = Webhook(secret)
        self._say = say
        self._received: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._runner: web.AppRunner | None = None

    async def open(self, port: int = 0) -> str:
        """Listen, and return where; port 0 takes a free one."""
        app = web.Application()
        app.router.add_post("/", self._take)
        app.router.add_get("/", self._show)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return f"http://{HOST}:{self._runner.addresses[0][1]}/"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self._say(f"{_now()} a webhook was refused: {error}")
            return web.Response(status=401, text="the signature does not fit")
        content = json.loads(body)
        self._received.appendleft({"received_at": _now(), "id": request.headers["webhook-id"], **content})
        self._say(f"{_now()} webhook {describe(content)}, signature verified")
        return web.Response(text="ok")

    async def _show(self, _: web.Request) -> web.Response:
        text = json.dumps({"received": len(self._received), "webhooks": [*self._received]}, indent=2)
        return web.Response(text=f"{text}\n", content_type="application/json")


def describe(content: dict[str, Any]) -> str:
    """Return what a webhook says, in a few words."""
    words = [content["type"]]
    data = content.get("data") or {}
    if invoice := data.get("invoice"):
        words.append(f"{invoice['id']} ({invoice['status']})")
    elif chain := data.get("chain"):
        words.append(str(chain))
    return " ".join(words)


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%SZ")
