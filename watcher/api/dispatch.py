"""Around every handler: finds the caller, checks the input, counts what is asked, and hands on the answer.

Knows no resource and decides nothing.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from watcher.api.access import authorise
from watcher.api.answers import answered, tagged
from watcher.api.context import Answer, Call
from watcher.api.remote import bucket, remote
from watcher.api.requests import read_body, read_idempotency, read_query
from watcher.api.values import Empty
from watcher.errors import Refused
from watcher.idempotency import claim, remember

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from aiohttp import web
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.api.context import ApiContext
    from watcher.api.limits import Limits
    from watcher.api.openapi import Route

    Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def endpoint(route: Route, context: ApiContext, limits: Limits, *, trusted: bool) -> Handle:
    """Return what aiohttp calls for a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await _count_stranger(request, route, context, limits)
        caller = await authorise(request, route, context, trusted=trusted)
        if route.scope:
            await limits.key(caller.id)
        check_path(request)
        query = read_query(request.query, route.query)
        body = await read_body(request, route.body or Empty)
        idempotency = None
        if route.repeatable:
            idempotency = read_idempotency(request, caller.id, body, context.clock)
        with _room(route, limits):
            answer = await route.handler(Call(context, caller, request, query, body, idempotency))
        if not isinstance(answer, Answer):
            return answer
        return tagged(request, answer) if route.tagged and answer.status == route.status else answered(answer)

    return handle


async def _count_stranger(request: web.Request, route: Route, context: ApiContext, limits: Limits) -> None:
    """Count who needs no key. /metrics is counted by itself: payers behind one proxy must not hide it."""
    if route.scope is None and not route.probe:
        caller = bucket(remote(request, context.settings.server.trusted_proxies))
        await limits.address(f"{caller} {route.path}" if route.path == "/metrics" else caller)


def _room(route: Route, limits: Limits) -> AbstractContextManager[None]:
    """Return a place for a request that has arrived whole; who probes or listens needs none."""
    return nullcontext() if route.probe or route.streams else limits.room()


def check_path(request: web.Request) -> None:
    """No identifier or name of ours has other characters, so that nothing stranger reaches the database."""
    if not all(part.isascii() and part.isprintable() for part in request.match_info.values()):
        raise Refused("not_found", "there is no such thing", status=404)


async def once(
    call: Call, status: int, effect: Callable[[AsyncConnection], Awaitable[Mapping[str, Any]]]
) -> Answer:
    """Run an effect and keep its answer in one transaction; Replay if it was answered before."""
    async with call.context.store.write("request") as conn:
        await claim(conn, call.idempotency)
        content = await effect(conn)
        await remember(conn, call.idempotency, status, content, call.context.clock())
    return Answer(content, status)
