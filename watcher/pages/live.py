"""Word to open pages of the dashboard that something changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from watcher import sessions, told
from watcher.api import sse
from watcher.apikeys import Scope
from watcher.pages.page import DASHBOARD, Pages

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.api.sse import Send
    from watcher.feed import Listener
    from watcher.pages.visit import Visit
    from watcher.sessions import Session

pages = Pages()

PAUSE = 0.25
"""Seconds between two words, at least: each page asks anew after one, whatever happened."""


@pages.add("GET", f"{DASHBOARD}/events", scope=Scope.READ, open_ended=True)
async def events(visit: Visit) -> web.StreamResponse:
    """Send `changed` whenever something did, until the session is over; what, the page asks for itself."""
    context, session = visit.context, visit.session
    if session is None:  # never: the scope asks for one
        raise ConnectionResetError
    async with context.store.read() as conn:
        newest = await told.last_seq(conn)

    async def tell(send: Send) -> None:
        with context.feed.listen(newest, session.key.id, quiet=True) as listener:
            await _follow(visit, session, listener, send)

    return await sse.stream(context, visit.request, session.key.id, tell)


async def _follow(visit: Visit, session: Session, listener: Listener, send: Send) -> None:
    await send(sse.opening() + b"\n")
    while (found := await listener.next(sse.KEEP_ALIVE)) is not None and await _lives(visit, session):
        changed, listener.nudged = found or listener.nudged, False
        await send(b"event: changed\ndata: %d\n\n" % listener.after if changed else sse.SILENCE)
        await asyncio.sleep(PAUSE)


async def _lives(visit: Visit, session: Session) -> bool:
    """Whether nobody signed out, and the session is not over."""
    async with visit.context.store.read() as conn:
        return await sessions.find(conn, session.token, visit.context.clock()) is not None
