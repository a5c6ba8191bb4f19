"""Around every handler: finds the caller, checks the input, and turns each outcome into JSON.

Knows no resource and decides nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.exc import OperationalError

from watcher import apikeys
from watcher.api.context import Answer, Call, Caller
from watcher.api.requests import BODY_LIMIT, read_body, read_idempotency, read_query
from watcher.api.values import Empty
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.idempotency import Replay, claim, remember
from watcher.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.api.context import ApiContext
    from watcher.api.openapi import Route

    Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()

LOCAL = Caller("local", "local", Scope.ADMIN)
"""Whoever may open the Unix socket owns the database file: no key could keep them out."""

NOBODY = Caller("", "", Scope.READ)
"""Whoever calls what needs no key."""

_FAULTS = {
    404: ("not_found", "there is no such path"),
    405: ("method_not_allowed", "this path does not take that method"),
    413: ("too_large", f"the body is larger than {BODY_LIMIT} bytes"),
}


def endpoint(route: Route, context: ApiContext, *, trusted: bool) -> Handle:
    """Return what aiohttp calls for a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await _authorise(request, route, context, trusted=trusted)
        _check_path(request)
        query = read_query(request.query, route.query)
        body = await read_body(request, route.body) if route.body else Empty()
        idempotency = None
        if route.repeatable:
            idempotency = read_idempotency(request, caller.id, body, context.clock)
        answer = await route.handler(Call(context, caller, request, query, body, idempotency))
        return _json(answer.content, answer.status) if isinstance(answer, Answer) else answer

    return handle


async def _authorise(request: web.Request, route: Route, context: ApiContext, *, trusted: bool) -> Caller:
    """Return who calls; Refused with 401 without a valid key, with 403 when its scope is too small."""
    if trusted:
        return LOCAL
    if route.scope is None:
        return NOBODY
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Refused("unauthorized", "send the API key as Authorization: Bearer KEY", status=401)
    async with context.store.read() as conn:
        key = await apikeys.verify(conn, secret.strip())
    if key is None:
        raise Refused("unauthorized", "this API key is wrong or was revoked", status=401)
    if not key.scope.includes(route.scope):
        message = f"this needs a key of scope {route.scope}; {key.name} has {key.scope}"
        raise Refused("forbidden", message, status=403)
    return Caller(key.id, key.name, key.scope)


def _check_path(request: web.Request) -> None:
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


def guard(context: ApiContext) -> Any:
    """Return the outermost middleware: a request id, one log line, and an answer in JSON whatever happens."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handle) -> web.StreamResponse:
        id_, started = new_id("req"), time.monotonic()
        response = await _answered(request, handler, id_)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "unknown"
        context.metrics.requests.labels(_method(request), path, response.status).inc()
        if not response.prepared:
            response.headers["X-Request-Id"] = id_
        ms = round((time.monotonic() - started) * 1000)
        log.info("request.done", id=id_, method=_method(request), path=path, status=response.status, ms=ms)
        return response

    return middleware


def _method(request: web.Request) -> str:
    """Only methods that HTTP knows: whatever else a client invents must not grow the metrics."""
    return (
        request.method if request.method in {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"} else "OTHER"
    )


async def _answered(request: web.Request, handle: Handle, id_: str) -> web.StreamResponse:
    try:
        return await _stored(request, handle, id_)
    except Refused as refused:
        return problem(refused)
    except Replay as replay:
        headers = {"Idempotent-Replay": "true"}
        stored = replay.stored
        return web.Response(
            body=stored.body, status=stored.status, content_type="application/json", headers=headers
        )
    except web.HTTPException as error:
        code, message = _FAULTS.get(error.status, ("invalid", error.reason))
        response = problem(Refused(code, message, status=error.status))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.RequestPayloadError:
        return problem(Refused("malformed_json", "the body cannot be decoded", status=400))
    except Exception:
        # One request's bug must neither show itself to a stranger nor stop the scanners beside it.
        log.exception("request.failed", id=id_, method=request.method, path=request.path)
        return problem(Refused("internal", f"something went wrong here; see the log for {id_}", status=500))


async def _stored(request: web.Request, handle: Handle, id_: str) -> web.StreamResponse:
    """Refused with 503 when the disk is full, read-only or failing: that passes, and is no bug."""
    try:
        return await handle(request)
    except OperationalError as error:
        reason = str(error.orig)
        log.error("request.storage", id=id_, method=request.method, path=request.path, reason=reason)  # noqa: TRY400 - SQLite's words say it all
        message = f"the database cannot be written now: {reason}"
        raise Refused("storage_unavailable", message, status=503) from None


def problem(refused: Refused) -> web.Response:
    """Return an error as every client reads it."""
    fault = {"code": refused.code, "message": refused.message}
    if refused.field is not None:
        fault["field"] = refused.field
    response = _json({"error": fault}, refused.status)
    if refused.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = "Bearer"
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _json(content: Any, status: int) -> web.Response:
    if content is None:
        return web.Response(status=status)
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json")
