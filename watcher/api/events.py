"""The events for those who cannot be called: page by page, or as a stream that resumes where it stopped.

Reads only what is committed; keeps nothing for a reader beyond where it stands.
"""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from watcher import apikeys, told
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Event
from watcher.api.values import PAGE, Limit, Page, Query, Seq, page
from watcher.errors import Refused

routes = Routes()

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment shows proxies that the stream lives."""
PATIENCE = 30.0
"""Seconds that a reader may leave its buffer full before it is dropped; it resumes by its last id."""
BATCH = 100
MAX_STREAMS = 200


class EventsQuery(Query):
    """`after` is a `seq`, 0 the beginning; `cursor` is `next` of the page before, and goes ahead of it."""

    after: Seq = 0
    cursor: Seq | None = None
    limit: Limit = PAGE


class StreamQuery(Query):
    """`after` is a `seq`; the header Last-Event-ID goes ahead of it. Without both the stream starts now."""

    after: Seq | None = None


@routes.add("GET", "/v1/events", query=EventsQuery, answer=Page[Event])
async def listing(call: Call) -> Answer:
    """List the events after a `seq`, oldest first: the same as the webhooks carry, kept at least 90 days."""
    query = call.query
    after = query.after if query.cursor is None else query.cursor
    async with call.context.store.read() as conn:
        found = await told.events_after(conn, after, query.limit + 1)
    shown = found[: query.limit]
    return Answer(page(shown, str(shown[-1]["seq"]) if len(found) > query.limit else None))


@routes.add("GET", "/v1/events/stream", query=StreamQuery, media="text/event-stream", errors=(429,))
async def stream(call: Call) -> web.StreamResponse:
    """Send the events as they happen, as server-sent events whose id is the `seq`."""
    life = call.context.life
    if life.streams >= MAX_STREAMS:
        raise Refused("too_many_streams", f"{MAX_STREAMS} streams are open already", status=429)
    after = await _start(call)
    headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    life.streams += 1
    try:
        await response.prepare(call.request)
        await _follow(call, response, after)
    except TimeoutError:
        _drop(call.request)
    except ConnectionError:
        pass  # the reader went away
    finally:
        life.streams -= 1
    return response


async def _start(call: Call) -> int:
    """Return the `seq` after which the reader wants to be told."""
    last = call.request.headers.get("Last-Event-ID")
    if last is not None:
        if not (last.isascii() and last.isdigit() and len(last) <= 18):  # noqa: PLR2004 - fits 64 bits
            raise Refused("invalid", "must be a seq", field="Last-Event-ID")
        return int(last)
    if call.query.after is not None:
        return int(call.query.after)
    async with call.context.store.read() as conn:
        return await told.last_seq(conn)


async def _follow(call: Call, response: web.StreamResponse, after: int) -> None:
    """Send what is there, then wait for more, until the reader, its key or the server ends it."""
    context = call.context
    await _send(response, b": open\n\n")
    while not context.life.closing:
        woken = context.bus.events.next()
        async with context.store.read() as conn:
            if call.caller.id != "local" and not await apikeys.alive(conn, call.caller.id):
                return
            found = await told.events_after(conn, after, BATCH)
        for event in found:
            await _send(response, b"id: %d\ndata: %s\n\n" % (event["seq"], msgspec.json.encode(event)))
            after = event["seq"]
        if not found and not context.life.closing and not await context.bus.events.wait(KEEP_ALIVE, woken):
            await _send(response, b": keep-alive\n\n")


async def _send(response: web.StreamResponse, data: bytes) -> None:
    """Write; TimeoutError if the reader leaves its buffer full for too long."""
    async with asyncio.timeout(PATIENCE):
        await response.write(data)


def _drop(request: web.Request) -> None:
    """Cut a reader off that does not read: nothing is lost, it resumes by its last id."""
    if request.transport is not None:
        request.transport.abort()
