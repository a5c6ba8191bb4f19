"""The list of all resources, the application that serves them, and where it listens."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from aiohttp import web

from watcher.api import (
    audit,
    chains,
    deliveries,
    events,
    export,
    health,
    invoices,
    keys,
    ledger,
    links,
    merchant,
    pay,
    payer_stream,
    rescan,
    standings,
    stats,
    webhooks,
)
from watcher.api.answers import dress
from watcher.api.context import DOCUMENT
from watcher.api.dispatch import endpoint
from watcher.api.guard import guard
from watcher.api.limits import Limits
from watcher.api.openapi import Route, document
from watcher.api.protocol import Runner, most_connections
from watcher.api.requests import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from watcher.api.context import ApiContext
    from watcher.api.dispatch import Handle
    from watcher.errors import Refused

    Handles = Mapping[tuple[str, str], Handle]

log = structlog.get_logger()

ROUTES: tuple[Route, ...] = (
    *invoices.routes,
    *merchant.routes,
    *links.routes,
    *pay.routes,
    *payer_stream.routes,
    *standings.routes,
    *webhooks.routes,
    *deliveries.routes,
    *events.routes,
    *chains.routes,
    *ledger.routes,
    *rescan.routes,
    *keys.routes,
    *stats.routes,
    *export.routes,
    *audit.routes,
    *health.routes,
)


class Site(Protocol):
    """The pages for people."""

    def __call__(self, context: ApiContext, limits: Limits, api: Handles) -> Handles:
        """From what the API answers by method and path to what stands beside it, or in its place."""

    def told(self, context: ApiContext, request: web.Request, refused: Refused) -> web.Response | None:
        """From what went wrong outside of a page to what a browser shows; None for everybody else."""


def build(context: ApiContext, *, trusted: bool = False, site: Site | None = None) -> web.Application:
    """Return the application. `trusted`: whoever reaches it is the operator (the Unix socket).

    `site`: the pages for people, which may stand in front of routes of the API.
    """
    limits = Limits() if trusted else _limits(context)
    tell = partial(site.told, context) if site else None
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[guard(context, limits, tell)])
    app[DOCUMENT] = _document(context.version, context.settings.server.public_url)
    handles = {(r.method, r.path): endpoint(r, context, limits, trusted=trusted) for r in ROUTES}
    if site is not None:
        handles |= site(context, limits, handles)
    for (method, path), handle in handles.items():
        app.router.add_route(method, path, handle)

    async def end_streams(_: web.Application) -> None:
        await context.feed.close()
        await context.payer_feed.close()

    app.on_response_prepare.append(_set_headers)
    app.on_shutdown.append(end_streams)
    return app


@cache
def _document(version: str, url: str) -> dict[str, Any]:
    """Return the description of the API: made once, for it takes longer than all else of a server's start."""
    return document(ROUTES, version, url)


def _limits(context: ApiContext) -> Limits:
    server = context.settings.server
    return Limits(server.rate, server.public_rate, server.concurrency)


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    dress(request, response)


async def listen(context: ApiContext, host: str, port: int, site: Site | None = None) -> web.AppRunner:
    """Serve on TCP, where every caller needs a key; the caller ends it with `cleanup`. OSError if taken."""
    if not _is_loopback(host):
        log.warning("api.exposed", host=host, remedy="put a TLS proxy in front, or bind to 127.0.0.1")
    runner = await _runner(build(context, site=site), most_connections())
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


async def listen_unix(context: ApiContext, path: Path) -> web.AppRunner:
    """Serve the operator on a Unix socket that only the daemon's own user may open."""
    sock = _private_socket(path)
    runner = await _runner(build(context, trusted=True), sys.maxsize)
    await web.SockSite(runner, sock).start()
    return runner


def _private_socket(path: Path) -> socket.socket:
    """Bind with mode 0600 from the first moment. The lock on the database says that a file there is stale.

    Linux gives the file the mode of the socket; a umask would be that of the whole process, also of a host's.
    """
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(sock.fileno(), 0o600)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


async def _runner(app: web.Application, most: int) -> web.AppRunner:
    runner = Runner(app, most)
    await runner.setup()
    return runner


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
