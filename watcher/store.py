"""The database: how to open it, and one transaction at a time for writing.

Knows SQLite's settings and the lock that keeps a second daemon out; knows no table but through metadata.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from watcher import failpoint, store_driver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = structlog.get_logger()

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose the last commits when the power goes: hazard 118
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
)


POOL = 16
"""Connections that read at the same time; who comes later waits."""

PATIENCE = 600.0
"""Seconds to wait for one of them: a crowd of API callers must not end a scanner, which would end all."""


def sqlite_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has no known corruption with several writers (hazard 119).

    Versions 3.7.0 to 3.51.2 have it, but for the fixes in 3.50.7 and 3.44.6. One process with one writer,
    which the lock file enforces, is not affected.
    """
    fixed = ((3, 44, 6), (3, 50, 7))
    return version >= (3, 51, 3) or any(version[:2] == f[:2] and version >= f for f in fixed)


def _engine(path: Path, begin: str) -> AsyncEngine:
    """Open with explicit transactions: the driver's own would start deferred ones (hazard 120)."""
    url = make_url("sqlite+aiosqlite://").set(database=str(path))
    engine = create_async_engine(
        url,
        async_creator=partial(store_driver.connect, path),
        pool_size=POOL,
        max_overflow=0,
        pool_timeout=PATIENCE,
        hide_parameters=True,  # an error with its traceback goes into the log; values may be secrets
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


class Store:
    """One SQLite database: any number of readers, one writer at a time."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first use."""
        self.path = path
        self._readers = _engine(path, "BEGIN")
        self._writer = _engine(path, "BEGIN IMMEDIATE")
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection that sees one state of the database throughout."""
        async with self._readers.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self, what: str = "") -> AsyncIterator[AsyncConnection]:
        """Yield a connection whose work is committed as one, or not at all if the block raises.

        `what` names the write for the crash test: one of failpoint.WRITES.
        """
        async with self._writing, self._writer.begin() as connection:
            yield connection
            failpoint.hit(f"{what}.written")
        failpoint.hit(f"{what}.committed")

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        await self._writer.dispose()
