"""Where the API answers while a process runs: on TCP for who has a key, on a Unix socket for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.api.server import listen, listen_unix
from watcher.lock import socket_path
from watcher.pages.site import Site

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from aiohttp import web

    from watcher.api.context import ApiContext


async def serve(context: ApiContext, servers: AsyncExitStack, *, http: bool) -> int:
    """Start the API, and have `servers` end it; return its port, 0 without `http`. OSError if it is taken.

    SettingsError for words of payers' pages that cannot be used.
    """
    port = 0
    if http:
        server = context.settings.server
        tcp = await listen(context, server.host, server.port, Site.load(context.settings))
        servers.push_async_callback(tcp.cleanup)
        port = _port(tcp)
    path = socket_path(context.settings.database.path)
    local = await listen_unix(context, path)
    servers.callback(path.unlink, missing_ok=True)
    servers.push_async_callback(local.cleanup)
    return port


def _port(runner: web.AppRunner) -> int:
    port: int = runner.addresses[0][1]
    return port
