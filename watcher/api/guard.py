"""Outermost: names each request, writes one line of log, and answers for whatever goes wrong inside."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import hdrs, web
from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from watcher.api import framing
from watcher.api.answers import JSON, problem
from watcher.api.remote import bucket, remote
from watcher.api.request_id import request_id
from watcher.api.requests import BODY_LIMIT
from watcher.errors import Refused
from watcher.idempotency import Replay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from watcher.api.context import ApiContext
    from watcher.api.limits import Limits

    Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Tell = Callable[[web.Request, Refused], web.Response | None]
    """From what went wrong to what people read; None for who reads JSON."""

log = structlog.get_logger()

_METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}
_FAULTS = {
    404: ("not_found", "there is no such path"),
    405: ("method_not_allowed", "this path does not take that method"),
    413: ("too_large", f"the body is larger than {BODY_LIMIT} bytes"),
    417: ("expectation_failed", "of Expect only 100-continue is understood"),
}


def guard(context: ApiContext, limits: Limits, tell: Tell | None = None) -> Any:
    """Return the outermost middleware. `tell`: who has pages for people."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handle) -> web.StreamResponse:
        with bound_contextvars(request_id=request_id(request)):
            started = time.monotonic()
            address = remote(request, context.settings.server.trusted_proxies)
            unsound = framing.fault(request)
            response = (
                _ended(unsound)
                if unsound
                else await _answered(request, _counted(handler, limits, bucket(address)), tell)
            )
            if hdrs.UPGRADE in request.headers:
                response.force_close()  # aiohttp takes what follows for another protocol: nobody speaks one
            path = _path(request)
            context.metrics.requests.labels(_method(request), path, response.status).inc()
            ms = round((time.monotonic() - started) * 1000)
            done = {"method": _method(request), "path": path, "status": response.status, "ms": ms}
            log.info("request.done", **done, address=address)
            return response

    return middleware


def _ended(unsound: str) -> web.Response:
    """Refuse what a proxy in front may read differently, and whatever would follow it on its connection."""
    response = problem(Refused("malformed_http", unsound, status=400))
    response.force_close()
    return response


def _counted(handle: Handle, limits: Limits, caller: str) -> Handle:
    """Count what asks for no route of ours, before it is told so: looking for holes is slow work."""

    async def counted(request: web.Request) -> web.StreamResponse:
        if request.match_info.http_exception is not None:
            await limits.address(caller)
        return await handle(request)

    return counted


def _path(request: web.Request) -> str:
    """Return the route and not the address, in which an invoice's id may open its page."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def _method(request: web.Request) -> str:
    """Only methods that HTTP knows: whatever else a client invents must not grow the metrics."""
    return request.method if request.method in _METHODS else "OTHER"


async def _answered(request: web.Request, handle: Handle, tell: Tell | None) -> web.StreamResponse:
    told = partial(_told, request, tell)
    try:
        return await with_storage(request, handle)
    except Refused as refused:
        return told(refused)
    except Replay as replay:
        stored, headers = replay.stored, {"Idempotent-Replay": "true"}
        return web.Response(body=stored.body, status=stored.status, content_type=JSON, headers=headers)
    except web.HTTPException as error:
        return unroutable(error, told)
    except web.RequestPayloadError:
        return told(Refused("malformed_json", "the body cannot be decoded", status=400))
    except Exception:
        # One request's bug must neither show itself to a stranger nor stop the scanners beside it.
        log.exception("request.failed", method=request.method, path=_path(request))
        return told(failure(request_id(request)))


def _told(request: web.Request, tell: Tell | None, refused: Refused) -> web.Response:
    page = tell(request, refused) if tell else None
    return problem(refused) if page is None else page


async def with_storage(request: web.Request, handle: Handle) -> web.StreamResponse:
    """Refused with 503 when the disk is full, read-only or failing: that passes, and is no bug."""
    try:
        return await handle(request)
    except OperationalError as error:
        reason = str(error.orig)
        log.error("request.storage", method=request.method, path=_path(request), reason=reason)  # noqa: TRY400 - SQLite's words say it all
        message = f"the database cannot be written now: {reason}"
        raise Refused("storage_unavailable", message, status=503) from None


def unroutable(error: web.HTTPException, told: Callable[[Refused], web.Response] = problem) -> web.Response:
    """Return what aiohttp itself refuses, as every other error."""
    code, message = _FAULTS.get(error.status, ("invalid", error.reason))
    response = told(Refused(code, message, status=error.status))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def failure(id_: str) -> Refused:
    """Return what a stranger is told of a bug."""
    return Refused("internal", f"something went wrong here; see the log for {id_}", status=500)
