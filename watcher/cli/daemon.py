"""`watcher run`: the daemon in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from typing import TYPE_CHECKING

import typer

from watcher.cli import options
from watcher.cli.failure import FAILED, WRONG_USAGE, Failure, obstacle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from watcher.app import App
    from watcher.settings import Settings

_TAKEN = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}


def run(context: typer.Context) -> None:
    """Run the daemon: scanners, notifier and API; it migrates the database first."""
    from watcher import log
    from watcher.settings_secrets import secrets_of

    settings = options.load(context.obj)
    log.conceal(secrets_of(settings))
    log.configure(settings.log.level, settings.log.format)
    sys.excepthook = log_unexpected
    _arm()
    asyncio.run(_run(settings))


def _arm() -> None:
    """Heed the crash test's environment variable, and say so."""
    import structlog

    from watcher import failpoint

    try:
        armed = failpoint.arm(os.environ.get(failpoint.VARIABLE, ""))
    except ValueError as error:
        raise Failure(str(error), WRONG_USAGE) from None
    if armed:
        structlog.get_logger().warning("failpoint.armed", name=armed, remedy=f"unset {failpoint.VARIABLE}")


def log_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write down what nobody expected; the interpreter then ends with status 1 (invariant 13)."""
    import structlog

    structlog.get_logger().critical("daemon.failed", exc_info=(kind, error, trace))


async def _run(settings: Settings) -> None:
    from watcher.app import build
    from watcher.cli import signals

    stop, tasks = asyncio.Event(), set()
    signals.listen(stop)
    app = build(settings)

    def ready(port: int) -> None:
        tasks.add(asyncio.create_task(_greet(app, port)))

    await serve(app, stop, ready)


async def _greet(app: App, port: int) -> None:
    """Say where the API is, and what is lacking to use it."""
    import structlog

    from watcher import apikeys

    log = structlog.get_logger()
    url = f"http://{app.settings.server.host}:{port}"
    log.info("api.listening", url=url)
    if sys.stdout.isatty():
        typer.echo(f"The API is at {url}")
    async with app.store.read() as connection:
        keys = await apikeys.listing(connection)
    if not any(key.revoked_at is None for key in keys):
        log.warning("api.no_key", remedy="make one: watcher key create NAME")


async def serve(app: App, stop: asyncio.Event, ready: Callable[[int], None]) -> None:
    """Run the daemon until the stop; what keeps it from starting is a Failure, what ends it later is not."""
    from sqlalchemy.exc import DBAPIError

    from watcher import app as composition
    from watcher import descriptors
    from watcher.lock import Locked
    from watcher.migrate import MigrationError
    from watcher.settings import SettingsError

    started = False

    def begun(port: int) -> None:
        nonlocal started
        started = True
        ready(port)

    descriptors.allow_more()
    try:
        await composition.run(app, stop, begun)
    except (Locked, MigrationError) as error:
        raise Failure(str(error)) from None
    except SettingsError as error:
        raise Failure(f"{app.settings.file}: {error}", WRONG_USAGE) from None
    except (OSError, DBAPIError) as error:
        if started:
            raise
        raise _cannot_start(app.settings, error) from None


def _cannot_start(settings: Settings, error: Exception) -> Failure:
    """Return what the user can do about an obstacle that the system names."""
    server, file = settings.server, settings.file
    match error:
        case socket.gaierror():
            line = f"{file}: server.host: {server.host} is no address of this machine; write 127.0.0.1"
            return Failure(line, WRONG_USAGE)
        case OSError() if error.errno in _TAKEN and error.filename is None:
            where = f"{server.host} port {server.port}"
            remedy = "set [server] host and port to what is free here"
            return Failure(
                f"{file}: server.port: cannot listen on {where} ({_reason(error)}); {remedy}", FAILED
            )
        case _:
            return obstacle(error, settings.database.path)


def _reason(error: OSError) -> str:
    """Return the system's own words: asyncio wraps them in a sentence of its own."""
    return os.strerror(error.errno or 0).lower()
