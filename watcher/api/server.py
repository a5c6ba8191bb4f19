"""The list of all resources, the application that serves them, and where it listens."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING

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
    rescan,
    standings,
    stats,
    webhooks,
)
from watcher.api.context import DOCUMENT
from watcher.api.dispatch import endpoint, guard
from watcher.api.openapi import Route, document
from watcher.api.requests import BODY_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.api.context import ApiContext

log = structlog.get_logger()

ROUTES: tuple[Route, ...] = (
    *invoices.routes,
    *merchant.routes,
    *links.routes,
    *pay.routes,
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

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_SHUTDOWN = 5.0
"""Seconds that running requests get to end when the server stops."""


def build(context: ApiContext, *, trusted: bool = False) -> web.Application:
    """Return the application. `trusted`: whoever reaches it is the operator (the Unix socket)."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[guard(context)])
    app[DOCUMENT] = document(ROUTES, context.version)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, endpoint(route, context, trusted=trusted))

    async def end_streams(_: web.Application) -> None:
        context.life.closing = True
        context.bus.events.set()

    app.on_response_prepare.append(_set_headers)
    app.on_shutdown.append(end_streams)
    return app


async def _set_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)  # what runs here is nobody's business
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


async def listen(context: ApiContext, host: str, port: int) -> web.AppRunner:
    """Serve on TCP, where every caller needs a key; the caller ends it with `cleanup`. OSError if taken."""
    if not _is_loopback(host):
        log.warning("api.exposed", host=host, remedy="put a TLS proxy in front, or bind to 127.0.0.1")
    runner = await _runner(build(context))
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


async def listen_unix(context: ApiContext, path: Path) -> web.AppRunner:
    """Serve the operator on a Unix socket that only the daemon's own user may open."""
    sock = _private_socket(path)
    runner = await _runner(build(context, trusted=True))
    await web.SockSite(runner, sock).start()
    return runner


def _private_socket(path: Path) -> socket.socket:
    """Bind with mode 0600 from the first moment. The lock on the database says that a file there is stale."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
    sock.setblocking(False)
    return sock


async def _runner(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
    await runner.setup()
    return runner


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
