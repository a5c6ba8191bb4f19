"""An invoice as its payer may see it, told again whenever it changes, to open pages.

What is sent is the JSON of `GET /i/{id}`; its `id` says whether a page shows just that already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.api import sse
from watcher.api.openapi import Routes
from watcher.api.remote import bucket, remote
from watcher.api.schema_links import PayersInvoice
from watcher.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.api.context import Call
    from watcher.api.sse import Send
    from watcher.payer_feed import Listener

routes = Routes()

FIRST = 10.0
"""Seconds in which an invoice is read first."""


@routes.add("GET", "/i/{id}/events", answer=PayersInvoice, media="text/event-stream")
async def stream(call: Call) -> web.StreamResponse:
    """Send an invoice as its payer may see it, as server-sent events: at once, and whenever it changes."""
    context = call.context
    address = bucket(remote(call.request, context.settings.server.trusted_proxies))
    with context.payer_feed.listen(call.id) as listener:
        waiting = [await _first(call, listener)]

        async def tell(send: Send) -> None:
            await send(sse.opening())
            await send(waiting.pop())  # nothing keeps an old state once it was sent
            while (found := await listener.next(sse.KEEP_ALIVE)) is not None:
                await send(found[0].block if found else sse.SILENCE)

        return await sse.stream(context, call.request, address, tell, payer=True)


async def _first(call: Call, listener: Listener) -> bytes:
    """Return the invoice as it is now; Refused if there is none."""
    found = await listener.next(FIRST)
    if found:
        return found[0].block
    if call.context.payer_feed.is_unknown(call.id):
        raise Refused("not_found", f"there is no invoice {call.id}", status=404)
    raise Refused("busy", "the invoice cannot be read now", status=503)
