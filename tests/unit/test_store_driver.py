from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from watcher import store_driver
from watcher.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any

NUMBERS = text(
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < :last) SELECT n FROM t"
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "watcher.db")
    async with store.write() as conn:
        await conn.execute(text("CREATE TABLE word (id INTEGER PRIMARY KEY, name TEXT)"))
    yield store
    await store.close()


@pytest.mark.parametrize("last", [1, 499, 500, 501, 1700])
async def test_every_row_is_read_once_in_order_whatever_is_read_together(store: Store, last: int) -> None:
    async with store.read() as conn:
        at_once = (await conn.execute(NUMBERS, {"last": last})).scalars().all()
        streamed = [row.n async for row in await conn.stream(NUMBERS, {"last": last})]
        first = (await conn.execute(NUMBERS, {"last": last})).scalar()

    expected = list(range(1, last + 1))
    assert (expected, expected, 1) == (at_once, streamed, first)


async def test_a_stream_that_is_given_up_leaves_the_connection_free(store: Store) -> None:
    async with store.read() as conn, conn.stream(NUMBERS, {"last": 10_000}) as rows:
        assert 1 == (await rows.fetchone()).n  # type: ignore[union-attr]
    async with store.write() as conn:
        await conn.execute(text("DROP TABLE word"))


async def test_numbers_of_changed_rows_and_what_they_return_are_the_drivers(store: Store) -> None:
    insert = text("INSERT INTO word (name) VALUES (:name)")
    async with store.write() as conn:
        many = await conn.execute(insert, [{"name": str(n)} for n in range(7)])
        changed = await conn.execute(text("UPDATE word SET name = 'x' WHERE id > 3"))
        returned = await conn.execute(text("UPDATE word SET name = 'y' WHERE id < 3 RETURNING id"))

        assert (7, 4, [1, 2]) == (many.rowcount, changed.rowcount, returned.scalars().all())


async def test_an_error_of_the_database_is_raised_where_it_happens_and_rolls_back(store: Store) -> None:
    with pytest.raises(OperationalError, match="no such table: nowhere"):
        await _write(store, "INSERT INTO word (name) VALUES ('lost')", "SELECT * FROM nowhere")

    async with store.read() as conn:
        assert 0 == (await conn.execute(text("SELECT count(*) FROM word"))).scalar()


async def _write(store: Store, *statements: str) -> None:
    async with store.write() as conn:
        for each in statements:
            await conn.execute(text(each))


async def test_a_statement_is_one_visit_to_the_connections_thread(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = []
    real = store_driver.Connection._execute

    async def counted(self: store_driver.Connection, work: Any, *arguments: Any, **named: Any) -> Any:
        visits.append(work)
        return await real(self, work, *arguments, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(store_driver.Connection, "_execute", counted)
    async with store.write() as conn:
        for _ in range(10):
            (await conn.execute(NUMBERS, {"last": 3})).all()

    beside = ("BEGIN", "COMMIT", "ROLLBACK as the pool takes it back")
    assert 10 + len(beside) == len(visits)
