from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from watcher import migrate, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AMOUNT = "0" * (tables.DIGITS - 1) + "1"
OLD: dict[str, dict[str, Any]] = {
    "event": {"seq": 1, "id": "evt_1", "type": "webhook.test", "occurred_at": 0, "body": "{}"},
    "endpoint": {
        "id": "whk_1",
        "url": "https://shop.example",
        "format": "standard",
        "secrets": "[]",
        "events": "[]",
        "chains": "[]",
        "managed": "api",
        "state": "active",
        "created_at": 0,
    },
    "delivery": {
        "id": "dlv_1",
        "event_seq": 1,
        "event_id": "evt_1",
        "endpoint_id": "whk_1",
        "state": "pending",
        "attempts": 1,
        "created_at": 0,
    },
    "attempt": {"delivery_id": "dlv_1", "number": 1, "at": 0, "duration_ms": 5},
}
"""One row of each, as the schema 0003 takes them."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "watcher.db"
    migrate.upgrade(path)
    return path


@pytest.fixture
def sql(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database)) as connection:
        yield connection


def _schema(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        ).fetchall()


def _columns(sql: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in sql.execute(f"PRAGMA table_info({table})")}


def test_a_migrated_database_is_what_the_tables_say(database: Path) -> None:
    """The same question as `alembic check`, asked of the file."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, SQLModel.metadata)
    engine.dispose()

    assert [] == differences


def test_alembic_finds_nothing_to_migrate(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        command.check(migrate.config(connection))
    engine.dispose()


def test_a_migrated_database_has_the_checks_and_keys_of_the_tables(database: Path, tmp_path: Path) -> None:
    """Autogeneration compares neither CHECK nor AUTOINCREMENT; the text of the schema holds both."""
    made = tmp_path / "made.db"
    engine = create_engine(f"sqlite:///{made}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()

    def promises(path: Path) -> dict[str, tuple[int, int, int]]:
        return {
            name: (text.count("CHECK"), text.count("AUTOINCREMENT"), text.count("REFERENCES"))
            for kind, name, _, text in _schema(path)
            if kind == "table" and not name.startswith(("sqlite_", "alembic_"))
        }

    assert promises(made) == promises(database)
    assert promises(made)["option"] == (3, 0, 1)


def test_a_new_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new.db"

    migrate.upgrade(file)

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_upgrading_again_changes_nothing(database: Path) -> None:
    before = _schema(database)
    migrate.upgrade(database)

    assert before == _schema(database)


def test_upgrading_again_keeps_what_is_there(database: Path, sql: sqlite3.Connection) -> None:
    with sql:
        sql.execute("INSERT INTO key_index VALUES ('a key', 7)")
    migrate.upgrade(database)

    assert [("a key", 7)] == sql.execute("SELECT * FROM key_index").fetchall()


def test_deliveries_and_attempts_of_an_older_schema_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migrate.config(connection), "0003")
        for table, row in OLD.items():
            names, values = ", ".join(row), ", ".join(repr(value) for value in row.values())
            connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({values})")
    engine.dispose()

    migrate.upgrade(path)

    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT delivery.id, delivery.part, delivery.body, attempt.number FROM attempt JOIN delivery"
            " ON delivery.id = attempt.delivery_id"
        ).fetchall()
        assert [("dlv_1", 0, None, 1)] == found
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(
                "INSERT INTO delivery"
                " (id, event_seq, event_id, endpoint_id, part, state, attempts, created_at)"
                " VALUES ('dlv_2', 1, 'evt_1', 'whk_1', 0, 'pending', 0, 0)"
            )


def test_there_is_one_newest_revision() -> None:
    script = ScriptDirectory.from_config(migrate.config())

    assert len(script.get_heads()) == 1


def test_a_database_of_a_newer_version_is_refused_in_one_line_and_left_alone(
    database: Path, sql: sqlite3.Connection
) -> None:
    with sql:
        sql.execute("UPDATE alembic_version SET version_num = '9999'")
    before = _schema(database)
    with pytest.raises(migrate.MigrationError) as refusal:
        migrate.upgrade(database)

    expected = f"{database} was made by a newer version (schema 9999); run that version, or restore a backup"
    assert expected == str(refusal.value)
    assert before == _schema(database)


def test_an_upgrade_that_is_cut_short_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: half a schema could be neither used nor migrated."""
    whole = command.upgrade

    def cut(*arguments: Any) -> None:
        whole(*arguments)
        raise OSError(28, "No space left on device")

    path = tmp_path / "full.db"
    monkeypatch.setattr(migrate.command, "upgrade", cut)
    with pytest.raises(OSError, match="No space"):
        migrate.upgrade(path)
    monkeypatch.undo()

    assert [] == _schema(path)
    migrate.upgrade(path)
    assert _schema(path)


@pytest.mark.parametrize(
    ("table", "amounts"),
    [
        pytest.param("option", ("amount", "expected", "minimum"), id="option"),
        pytest.param("deposit", ("amount",), id="deposit"),
    ],
)
def test_h95_an_amount_that_is_no_fixed_width_text_is_refused_by_the_database(
    table: str, amounts: tuple[str, ...], sql: sqlite3.Connection
) -> None:
    columns = _columns(sql, table)
    for wrong in (1, "1", AMOUNT + "0", 2**63 - 1):
        for amount in amounts:
            row: dict[str, Any] = dict.fromkeys(columns, 0) | dict.fromkeys(amounts, AMOUNT) | {amount: wrong}
            names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            with pytest.raises(sqlite3.IntegrityError, match=f"CHECK constraint failed: {amount}_width"):
                sql.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', row)


@pytest.mark.parametrize(
    ("table", "key"),
    [pytest.param("event", "seq", id="events"), pytest.param("address", "id", id="addresses")],
)
def test_a_number_once_given_is_never_given_again(table: str, key: str, sql: sqlite3.Connection) -> None:
    """A reader of events and a scanner of addresses remember the largest that they saw."""
    columns = {name: "x" if "CHAR" in kind else 0 for name, kind in _columns(sql, table).items()}
    del columns[key]

    def insert(name: str) -> int:
        row = columns | {"id" if table == "event" else "address": name, "invoice_id": None}
        names, marks = ", ".join(row), ", ".join(f":{each}" for each in row)
        return sql.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', row).lastrowid or 0

    first, second = insert("a"), insert("b")
    sql.execute(f'DELETE FROM "{table}" WHERE {key} = {second}')
    third = insert("c")

    assert [first, first + 1, first + 2] == [first, second, third]


def test_h2_a_credit_has_one_identity_whatever_its_block(sql: sqlite3.Connection) -> None:
    row: dict[str, Any] = dict.fromkeys(_columns(sql, "deposit"), "x") | {"amount": AMOUNT}
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    statement = f"INSERT INTO deposit ({names}) VALUES ({marks})"
    sql.execute(statement, row | {"id": "one", "block_hash": "a"})

    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .* deposit\.chain, deposit\.txid"):
        sql.execute(statement, row | {"id": "two", "block_hash": "b"})


@pytest.mark.parametrize("look", [migrate.upgrade, migrate.state])
def test_the_database_of_another_program_is_refused_in_one_line_and_left_alone(
    tmp_path: Path, look: Callable[[Path], object]
) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    before = _schema(path)
    with pytest.raises(migrate.MigrationError) as refusal:
        look(path)

    expected = f"{path} is the database of another program; set [database] url to a file of its own"
    assert expected == str(refusal.value)
    assert before == _schema(path)
