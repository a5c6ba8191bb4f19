"""aiosqlite with one visit to the connection's thread for each statement, where its own cursor makes four.

A statement is run, its first rows are read and, if those are all, it is closed, before the thread is left.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import aiosqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

_READ = 500
"""Rows that are read together with their statement: few results have more."""


def connect(path: Path) -> Connection:
    """Return a connection that is open once it was awaited."""
    connection = Connection(partial(sqlite3.connect, path), iter_chunk_size=_READ)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does with a connection that it makes itself
    return connection


class Connection(aiosqlite.Connection):
    """A connection whose cursors are these."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """Return a cursor; nothing happens yet."""
        return Cursor(self)

    async def visit(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Have something done in the connection's thread."""
        await self._execute(work, self._conn)  # type: ignore[no-untyped-call]


class Cursor:
    """What SQLAlchemy's asynchronous dialect asks of a cursor, for one statement."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is run yet."""
        self._connection = connection
        self._rows: deque[Any] = deque()
        self._rest: sqlite3.Cursor | None = None
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement and read its first rows."""

        def run(connection: sqlite3.Connection) -> None:
            self._begin(connection.execute(sql, parameters))

        await self._connection.visit(run)

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement with each of many rows of parameters."""

        def run(connection: sqlite3.Connection) -> None:
            self._begin(connection.executemany(sql, rows))

        await self._connection.visit(run)

    def _begin(self, cursor: sqlite3.Cursor) -> None:
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._read(cursor, _READ)
        self.rowcount = cursor.rowcount

    def _read(self, cursor: sqlite3.Cursor, count: int) -> None:
        """Read more rows, all of them for -1, and close what has no more; in the connection's thread."""
        rows = cursor.fetchall() if count < 0 else cursor.fetchmany(count)
        self._rows.extend(rows)
        self._rest = cursor if len(rows) == count else None
        if self._rest is None:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return await self._take(-1)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        return await self._take(self.arraysize if size is None else size)

    async def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return next(iter(await self._take(1)), None)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the rows that are left, one by one."""
        while rows := await self._take(1):
            yield rows[0]

    async def _take(self, count: int) -> list[Any]:
        rest = self._rest
        if rest is not None and (count < 0 or len(self._rows) < count):
            wanted = count if count < 0 else max(count, _READ)
            await self._connection.visit(lambda _: self._read(rest, wanted))
        count = len(self._rows) if count < 0 else min(count, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    async def close(self) -> None:
        """Give up what was not read."""
        rest, self._rest = self._rest, None
        self._rows.clear()
        if rest is not None:
            await self._connection.visit(lambda _: rest.close())
