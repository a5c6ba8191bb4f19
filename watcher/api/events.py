"""The events for those who cannot be called: page by page, or as a stream that resumes where it stopped.

Reads only what is committed; keeps nothing for a reader beyond where it stands.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from watcher import told
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Event
from watcher.api.values import MAX_SEQ, PAGE, Limit, Page, Query, Seq, page
from watcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiohttp.abc import AbstractStreamWriter

    from watcher.feed import Listener
    from watcher.feed_window import Told

routes = Routes()
log = structlog.get_logger()

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment shows proxies that the stream lives."""
PATIENCE = 30.0
"""Seconds that a reader may leave its buffers full before it is dropped; it resumes by its last id."""
SEND_BUFFER = 64 * 1024
"""Bytes that the system keeps for a reader; as many wait in the process, beside one piece of the feed."""
RETRY, SPREAD = 1000, 2000
"""Milliseconds after which a reader comes again, at least, and so many more: not all in one moment."""


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


@routes.add("GET", "/v1/events/stream", query=StreamQuery, media="text/event-stream", errors=(429,))
async def stream(call: Call) -> web.StreamResponse:
    """Send the events as they happen, as server-sent events whose id is the `seq`."""
    context, transport = call.context, call.request.transport
    if transport is None:
        raise ConnectionResetError
    key = call.caller.id
    after = await _start(call)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with (
        context.streams.room(key, transport),
        context.metrics.streams.track_inprogress(),
        context.feed.listen(after, None if key == "local" else key) as listener,
        _cut_unless_whole(transport),
    ):
        _limit_buffers(transport)
        writer = await response.prepare(call.request)
        if writer is not None:
            await _follow(writer, listener)
    return response


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


@contextmanager
def _cut_unless_whole(transport: asyncio.Transport) -> Iterator[None]:
    """Break the connection off where the stream did not end in order: nothing else may follow in it."""
    whole = False
    try:
        yield
        whole = True
    except ConnectionError:
        pass  # the reader went away
    except TimeoutError:
        log.info("stream.dropped", reason=f"its reader took nothing for {PATIENCE:g} s")
    finally:
        if not whole:
            transport.abort()


def _limit_buffers(transport: Any) -> None:
    """Keep what waits for a slow reader small, in the process and in the system."""
    transport.set_write_buffer_limits(high=SEND_BUFFER)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


async def _follow(writer: AbstractStreamWriter, listener: Listener) -> None:
    """Send what is there, then what comes, until the reader, its key or the server ends it.

    The first block is no event, and sets the id: who breaks off before any event comes back to here.
    """
    retry = RETRY + secrets.randbelow(SPREAD)
    await _send(writer, b": open\nretry: %d\nid: %d\n\n" % (retry, listener.after))
    while (found := await listener.next(KEEP_ALIVE)) is not None:
        await _send(writer, b"".join(map(_block, found)) or b": keep-alive\n\n")


def _block(one: Told) -> bytes:
    return b"id: %d\ndata: %s\n\n" % one


async def _send(writer: AbstractStreamWriter, data: bytes) -> None:
    """Write; TimeoutError if the reader leaves its buffers full for too long."""
    async with asyncio.timeout(PATIENCE):
        await writer.write(data)
        await writer.drain()
