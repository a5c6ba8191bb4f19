"""An empty database with the shops' endpoints in it, made once a process and copied for every seed."""

from __future__ import annotations

import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine
from sqlmodel import SQLModel

from watcher import signing
from watcher import tables as _tables  # noqa: F401 - they enter the metadata
from world import SECRET

URLS = ("http://first.test/hooks", "http://second.test/hooks")
OWN = "http://own.test/hooks"


@cache
def memory() -> Path:
    """Return a folder in memory where there is one: what is proven needs no disk."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="deposit-watcher-sim-", dir=shared if shared.is_dir() else None))


@cache
def template(shops: int) -> Path:
    """Return a database with so many shops that want all events."""
    path = memory() / f"template-{shops}.db"
    engine = create_engine(f"sqlite:///{path}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for number, url in enumerate(URLS[:shops]):
            db.execute(
                "INSERT INTO endpoint (id, url, format, secrets, events, chains, managed, state, created_at)"
                " VALUES (?, ?, 'standard', ?, '[\"*\"]', '[]', 'api', 'active', 0)",
                (f"whk_{number}", url, signing.stored([SECRET])),
            )
    db.close()
    return path
