"""Brings a database to this program's schema; refuses one that a newer program made, or another one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from watcher import failpoint

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine


CURRENT = "up to date"
"""The state of a database that this program can use as it is."""


class MigrationError(Exception):
    """The database cannot be used by this program; one line for the user."""


def config(connection: Connection | None = None) -> Config:
    """Return alembic's configuration; no file is needed."""
    made = Config()
    made.set_main_option("script_location", "watcher:migrations")
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(database: Path) -> None:
    """Create or migrate the database file. Blocking; the caller owns the database."""
    _make(database)
    engine = _engine(database)
    try:
        with engine.begin() as connection:
            _refuse_foreign(connection, database)
            command.upgrade(config(connection), "head")
            failpoint.hit("migration.written")
        failpoint.hit("migration.committed")
    finally:
        engine.dispose()


def _make(database: Path) -> None:
    """Make a new file its owner's alone, for it holds secrets; what SQLite lays beside it follows."""
    with suppress(OSError):  # it is there, or SQLite says why it cannot be
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _engine(database: Path) -> Engine:
    """Open with explicit transactions: the driver's own end at each CREATE TABLE and leave half a schema."""
    engine = create_engine(make_url("sqlite://").set(database=str(database)))

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _refuse_foreign(connection: Connection, database: Path) -> None:
    """Refuse what a newer program made, and what another one did: tables, and no revision."""
    known = {revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions()}
    heads = MigrationContext.configure(connection).get_current_heads()
    if not heads and set(inspect(connection).get_table_names()) - {"alembic_version"}:
        raise MigrationError(
            f"{database} is the database of another program; set [database] url to a file of its own"
        )
    for head in heads:
        if head not in known:
            raise MigrationError(
                f"{database} was made by a newer version (schema {head}); "
                "run that version, or restore a backup"
            )


def state(database: Path) -> str:
    """Return where a database stands, changing nothing; MigrationError if this program cannot use it."""
    if not database.exists():
        return _absent(database)
    engine = reading(database)
    try:
        with engine.connect() as connection:
            _refuse_foreign(connection, database)
            current = set(MigrationContext.configure(connection).get_current_heads())
    except DBAPIError as error:
        raise MigrationError(f"{database} cannot be used: {error.orig}") from None
    finally:
        engine.dispose()
    newest = set(ScriptDirectory.from_config(config()).get_heads())
    return CURRENT if current == newest else "is migrated at the next start"


def reading(database: Path) -> Engine:
    """Open a database that changes nothing of it."""
    uri = f"{database.absolute().as_uri()}?mode=ro"
    return create_engine("sqlite://", creator=partial(sqlite3.connect, uri, uri=True))


def _absent(database: Path) -> str:
    folder = next(parent for parent in database.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MigrationError(f"{database} cannot be made: {folder} is not writable for this user")
    return "not there yet, made at the first start"
