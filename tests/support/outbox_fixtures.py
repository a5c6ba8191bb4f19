"""A database with an outbox, a real receiver, and the notifier between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outbox_db import OutboxDb
from running_notifier import Daemon, Shop, open_shop, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[OutboxDb]:
    db = OutboxDb(tmp_path / "watcher.db")
    await db.create()
    yield db
    await db.store.close()


@pytest.fixture
async def daemon(db: OutboxDb) -> AsyncIterator[Daemon]:
    async with running(Daemon(db)) as daemon:
        yield daemon
