"""The real store on the real SQLite, without the driver's thread: every statement and commit is a point.

Stands in for aiosqlite below SQLAlchemy. Engines are built once a process, and keep what they compiled.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util.concurrency import await_

from watcher import store as product
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from points import Points


class Database:
    """Which file the engines open now, whose points they pass, and who looks after each commit."""

    path: Path
    points: Points
    committed: Callable[[], None]


class _Already:
    """What is awaited where nothing is waited for: SQLAlchemy insists on an await in each statement."""

    def __await__(self) -> Iterator[None]:
        return iter(())


_ALREADY = _Already()


class _Cursor(sqlite3.Cursor):
    connection: _Connection

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        self.connection.stand("statement")
        if sql == "BEGIN IMMEDIATE":
            self.connection.writes = True
        return super().execute(sql, parameters)

    def executemany(self, sql: str, rows: Any) -> Self:
        self.connection.stand("statement")
        return super().executemany(sql, rows)

    async def _async_soft_close(self) -> None:
        """Nothing: the rows are in memory."""


class _Connection(sqlite3.Connection):
    """What SQLAlchemy takes for a connection of its asynchronous driver."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.points = Database.points
        self.writes = False

    def stand(self, place: str) -> None:
        """Let the world move on at this await, if it is to."""
        await_(self.points.pause(place) or _ALREADY)

    def cursor(self, *_: Any, **__: Any) -> _Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)

    def commit(self) -> None:
        if not self.writes:
            super().commit()
            return
        self.stand("before the commit")
        super().commit()
        self.writes = False
        Database.committed()
        self.stand("after the commit")

    def rollback(self) -> None:
        self.writes = False
        super().rollback()

    def terminate(self) -> None:
        self.close()


def _connect() -> _Connection:
    return _Connection(Database.path)


def _create(url: Any, **options: Any) -> AsyncEngine:
    del options["async_creator"]  # these connections take the place of the product's
    return create_async_engine(url, creator=_connect, **options)


@cache
def _engines(path: Path) -> tuple[AsyncEngine, AsyncEngine]:
    """Build both with the product's own settings. The path says nothing: the database says which file."""
    product.create_async_engine = _create  # type: ignore[assignment]
    return product._engine(path, "BEGIN"), product._engine(path, "BEGIN IMMEDIATE")


class InlineStore(Store):
    """The product's store over these engines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers, self._writer = _engines(path.with_name("any"))
        self._writing = asyncio.Lock()
