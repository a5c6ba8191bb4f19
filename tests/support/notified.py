"""The API with its notifier running, and the names by which receivers on this machine are reached."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from running_notifier import LOOPBACK
from watcher.notifier import Notifier, NotifierOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_server import Api
    from dashboard import Dashboard


@asynccontextmanager
async def notifying(api: Api) -> AsyncIterator[Notifier]:
    """Send what is due, on the clock of the API, until the end of the block."""
    context = api.context
    notifier = Notifier(
        context.store,
        context.bus,
        NotifierOptions(allow_private=LOOPBACK, version="0.0.0"),
        context.metrics,
        clock=api.clock,
        random=lambda: 0.5,
        heartbeat=lambda: None,
    )
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        notifier.stop()
        await task


def by_name(url: str) -> str:
    """Return a URL as the API takes it: a name, which is judged only when it is dialled."""
    return url.replace("127.0.0.1", "localhost")


async def hook(api: Api, url: str = "https://shop.example/hooks", **fields: Any) -> dict[str, Any]:
    """Add an endpoint."""
    reply = await api.post("/v1/webhooks", {"url": url, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def settled(api: Api, delivery_id: str, state: str) -> dict[str, Any]:
    """Wait until a delivery has this state, or is tried and waits again ("pending")."""
    async with asyncio.timeout(30):
        while True:
            found = (await api.get(f"/v1/deliveries/{delivery_id}")).json
            if found["state"] == state and found["attempts"]:
                return dict(found)
            await asyncio.sleep(0.02)


async def once(dashboard: Dashboard, path: str) -> str:
    """Return the key of a form that is answered only once."""
    page = (await dashboard.get(path)).body.decode()
    found = re.search(r'name="once" value="([^"]+)"', page)
    assert found, page
    return found[1]


def alert(page: bytes) -> str:
    """Return what a page says went wrong."""
    found = re.search(r'role="alert"[^>]*>([^<]*)<', page.decode())
    return found[1] if found else ""


async def page(dashboard: Dashboard, path: str) -> str:
    """Return a page as people read it."""
    reply = await dashboard.get(path)
    assert reply.status == 200, reply.body
    return html.unescape(reply.body.decode())


async def delivery(api: Api) -> dict[str, Any]:
    """Return the newest delivery."""
    return dict((await api.get("/v1/deliveries")).json["data"][0])


async def set_all(api: Api, table: Any, **values: Any) -> None:
    """Give every row of a table these values."""
    async with api.context.store.write() as conn:
        await conn.execute(update(table).values(**values))


def place(delivery_id: str) -> str:
    """Return where the dashboard shows a delivery."""
    return f"/dashboard/deliveries/{delivery_id}"
