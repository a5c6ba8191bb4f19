"""How much a database works: SQLite's own instructions, to which a busy machine adds none, and statements."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.store import Store

STEP = 10
"""Instructions between two looks."""


@dataclass(slots=True)
class Work:
    """What was done: tens of instructions of SQLite's machine, and the statements with what each took."""

    steps: int = 0
    statements: list[tuple[str, Any]] = field(default_factory=list)
    costs: Counter[str] = field(default_factory=Counter)


@contextmanager
def measured(store: Store) -> Iterator[Work]:
    """Count what a store does until the block ends."""
    work = Work()
    engines = (store._readers.sync_engine, store._writer.sync_engine)

    def note(*arguments: Any) -> None:
        work.statements.append((arguments[2], arguments[3]))

    kept = store.read, store.write
    store.read = _counting(kept[0], work)  # type: ignore[method-assign]
    store.write = _counting(kept[1], work)  # type: ignore[method-assign]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield work
    finally:
        store.read, store.write = kept  # type: ignore[method-assign]
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def _counting(opened: Callable[..., Any], work: Work) -> Callable[..., Any]:
    def count() -> int:
        work.steps += 1
        if work.statements:
            work.costs[work.statements[-1][0]] += 1
        return 0

    @asynccontextmanager
    async def counting(*arguments: Any) -> AsyncIterator[AsyncConnection]:
        async with opened(*arguments) as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            await driver.set_progress_handler(count, STEP)
            try:
                yield connection
            finally:
                await driver.set_progress_handler(None, STEP)

    return counting


async def scans(store: Store, work: Work) -> list[str]:
    """Return the steps of these statements' plans that go through a whole table, each with its statement."""
    found = []
    async with store.read() as connection:
        for statement, values in dict.fromkeys((text, _frozen(values)) for text, values in work.statements):
            if statement.split()[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}:
                plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                found += [f"{row[3]}: {statement}" for row in plan if row[3].startswith("SCAN")]
    return found


def _frozen(values: Any) -> Any:
    """Return the first row of a statement's values."""
    return tuple(values[0]) if isinstance(values, list) else tuple(values)
