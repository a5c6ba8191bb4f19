"""The events for those who cannot be called: page by page, or as a stream that resumes where it stopped.

Reads only what is committed; keeps nothing for a reader beyond where it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import told
from watcher.api import sse
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Event
from watcher.api.values import MAX_SEQ, PAGE, Limit, Page, Query, Seq, page
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from watcher.api.sse import Send
    from watcher.feed import Listener
    from watcher.feed_window import Told

routes = Routes()


class EventsQuery(Query):
    """`after` is a `seq`, 0 the beginning; `cursor` is `next` of the page before, and goes ahead of it."""

    after: Seq = 0
    cursor: Seq | None = None
    invoice_id: tuple[str, ...] = ()
    address_id: tuple[str, ...] = ()
    limit: Limit = PAGE


class StreamQuery(Query):
    """`after` is a `seq`; the header Last-Event-ID goes ahead of it. Without both the stream starts now."""

    after: Seq | None = None


@routes.add("GET", "/v1/events", query=EventsQuery, answer=Page[Event])
async def listing(call: Call) -> Answer:
    """List the events after a `seq`, oldest first: the same as the webhooks carry, kept at least 90 days."""
    query = call.query
    after = query.after if query.cursor is None else query.cursor
    wanted = told.EventFilter(invoice_id=query.invoice_id, address_id=query.address_id)
    async with call.context.store.read() as conn:
        _check_told(after, await told.last_seq(conn), "after" if query.cursor is None else "cursor")
        found = await told.events_after(conn, after, query.limit + 1, wanted)
    shown = found[: query.limit]
    return Answer(page(shown, str(shown[-1]["seq"]) if len(found) > query.limit else None))


@routes.add(
    "GET", "/v1/events/stream", query=StreamQuery, answer=Event, media="text/event-stream", errors=(429,)
)
async def stream(call: Call) -> web.StreamResponse:
    """Send the events as they happen, as server-sent events whose id is the `seq`."""
    context, caller, after = call.context, call.caller.id, await _start(call)
    key = None if caller == "local" else caller

    async def tell(send: Send) -> None:
        with context.feed.listen(after, key) as listener:
            await _follow(send, listener)

    return await sse.stream(context, call.request, caller, tell)


async def _start(call: Call) -> int:
    """Return the `seq` after which the reader wants to be told; Refused if no event can have it yet."""
    async with call.context.store.read() as conn:
        newest = await told.last_seq(conn)
    field, wanted = "after", call.query.after
    given = call.request.headers.getall("Last-Event-ID", [])
    if given:
        field, wanted = "Last-Event-ID", _seq(given)
    if wanted is None:
        return newest
    _check_told(wanted, newest, field)
    return int(wanted)


def _check_told(seq: int, newest: int, field: str) -> None:
    """Refuse a seq that no event has yet: whoever waits behind it would miss those up to it."""
    if seq > newest:
        message = f"no event has this seq yet: the newest is {newest}; was an older database restored?"
        raise Refused("invalid", message, field=field)


def _seq(given: Sequence[str]) -> int:
    text = given[0]
    if len(given) > 1 or not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SEQ))):
        raise Refused(
            "invalid", "must be a seq: the id of the last event that you have", field="Last-Event-ID"
        )
    return int(text)


async def _follow(send: Send, listener: Listener) -> None:
    """Send what is there, then what comes, until the reader, its key or the server ends it.

    The first block is no event, and sets the id: who breaks off before any event comes back to here.
    """
    await send(b"%bid: %d\n\n" % (sse.opening(), listener.after))
    while (found := await listener.next(sse.KEEP_ALIVE)) is not None:
        await send(b"".join(map(_block, found)) or sse.SILENCE)


def _block(one: Told) -> bytes:
    return b"id: %d\ndata: %s\n\n" % one
