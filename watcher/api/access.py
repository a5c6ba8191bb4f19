"""Who calls, and whether they may: the API key of a request, held against what its route needs.

Whatever is no key is counted, and what could be a guess is logged and slowed; a valid key always passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from watcher import apikeys, audit
from watcher.api.context import Caller
from watcher.api.remote import remote
from watcher.apikeys import Scope
from watcher.errors import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.api.context import ApiContext
    from watcher.api.openapi import Route
    from watcher.apikeys import ApiKey

log = structlog.get_logger()

LOCAL = Caller(audit.LOCAL, audit.LOCAL, Scope.ADMIN)
"""Whoever may open the Unix socket owns the database file: no key could keep them out."""

NOBODY = Caller("", "", Scope.READ)
"""Whoever calls what needs no key."""


async def authorise(request: web.Request, route: Route, context: ApiContext, *, trusted: bool) -> Caller:
    """Return who calls; Refused with 401 (429 after many) without a valid key, 403 with too small a scope."""
    if trusted:
        return LOCAL
    if route.scope is None:
        return NOBODY
    key = await _key(request, context)
    if not key.scope.includes(route.scope):
        message = f"this needs a key of scope {route.scope}; {key.name} has {key.scope}"
        raise Refused("forbidden", message, status=403)
    return Caller(key.id, key.name, key.scope)


async def _key(request: web.Request, context: ApiContext) -> ApiKey:
    secret = _secret(request, context)
    async with context.store.read() as conn:
        key = await apikeys.find(conn, secret)
    if key is None or key.revoked_at is not None:
        raise _guessed(request, context, key)
    return key


def _secret(request: web.Request, context: ApiContext) -> str:
    """Return what stands where a key belongs; nothing, several or another scheme is no guess."""
    given = request.headers.getall("Authorization", [])
    kind, _, secret = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if kind.lower() != "bearer" or not secret.strip():
        context.metrics.failed_keys.labels("malformed" if given else "absent").inc()
        raise Refused("unauthorized", "send the API key as Authorization: Bearer KEY", status=401)
    return secret.strip()


def _guessed(request: web.Request, context: ApiContext, key: ApiKey | None) -> Refused:
    """Return what a wrong key is told: the same whether it was one once, so that nobody learns it was."""
    reason = "revoked" if key else "unknown"
    context.metrics.failed_keys.labels(reason).inc()
    address = remote(request, context.settings.server.trusted_proxies)
    wait = context.guessing.failed(address)
    if wait is not None:
        message = "too many wrong API keys came from this address; a right one works at once"
        return Refused("too_many_failures", message, status=429, retry_after=wait)
    log.warning("key.refused", address=address, reason=reason, id=key and key.id, name=key and key.name)
    return Refused("unauthorized", "this API key is wrong or was revoked", status=401)
