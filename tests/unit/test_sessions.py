"""Sessions of the dashboard: when they are over, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from outbox_db import NOW, OutboxDb
from watcher import apikeys, sessions
from watcher.apikeys import ApiKey, Scope
from watcher.tables import AUDIT, SESSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.sessions import Session
    from watcher.store import Store

SECOND = timedelta(seconds=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    db = OutboxDb(tmp_path / "watcher.db")
    await db.create()
    yield db.store
    await db.store.close()


async def begun(store: Store, name: str = "anna") -> Session:
    async with store.write() as conn:
        key, _ = await apikeys.create(conn, name, Scope.WRITE, NOW)
        return await sessions.begin(conn, key, NOW)


async def test_a_cookie_finds_its_session_with_the_key_that_was_shown(store: Store) -> None:
    session = await begun(store)

    async with store.read() as conn:
        found = await sessions.find(conn, session.token, NOW + SECOND)

    assert session == found
    assert isinstance(session.key, ApiKey)
    assert ("anna", Scope.WRITE) == (session.key.name, session.key.scope)


async def test_only_a_hash_of_the_cookie_is_kept_and_the_forms_token_follows_from_it(store: Store) -> None:
    one, two = await begun(store), await begun(store, "ben")

    async with store.read() as conn:
        rows = [tuple(map(str, row)) for row in await conn.execute(select(SESSION))]

    assert not [row for row in rows for text in (one.token, one.forgery_token) if text in "".join(row)]
    assert len({one.token, two.token, one.forgery_token, two.forgery_token}) == 4


@pytest.mark.parametrize(
    "cookie", ["", "x", "dwk_made-up", "\udc80", "a" * 5000], ids=lambda text: str(len(text))
)
async def test_what_is_no_session_finds_none(store: Store, cookie: str) -> None:
    await begun(store)

    async with store.read() as conn:
        assert None is await sessions.find(conn, cookie, NOW)


async def test_a_session_that_nobody_uses_is_over_after_twelve_hours(store: Store) -> None:
    session = await begun(store)

    async with store.read() as conn:
        before = await sessions.find(conn, session.token, NOW + sessions.IDLE - SECOND)
        after = await sessions.find(conn, session.token, NOW + sessions.IDLE)

    assert (session, None) == (before, after)


async def test_use_keeps_a_session_but_not_beyond_seven_days(store: Store) -> None:
    session, now, last = await begun(store), NOW, None
    while True:
        now += sessions.IDLE / 2
        async with store.write() as conn:
            found = await sessions.find(conn, session.token, now)
            if found is None:
                break
            last = now
            await sessions.used(conn, found, now)

    assert NOW + sessions.LONGEST - sessions.IDLE / 2 == last


async def test_use_is_written_down_every_five_minutes_at_most(store: Store) -> None:
    session = await begun(store)

    due = [session.is_due(NOW + timedelta(minutes=minutes)) for minutes in (0, 4, 5, 60)]

    assert [False, False, True, True] == due


async def test_a_session_ends_with_its_key(store: Store) -> None:
    session = await begun(store)
    async with store.write() as conn:
        await apikeys.revoke(conn, "anna", NOW)

    async with store.read() as conn:
        assert None is await sessions.find(conn, session.token, NOW)


async def test_signing_out_ends_this_session_and_no_other_and_the_audit_trail_tells(store: Store) -> None:
    one, two = await begun(store), await begun(store, "ben")
    async with store.write() as conn:
        await sessions.end(conn, one, NOW)

    async with store.read() as conn:
        found = [await sessions.find(conn, session.token, NOW) for session in (one, two)]
        trail = (await conn.execute(select(AUDIT.c.actor, AUDIT.c.action).order_by(AUDIT.c.id))).all()

    assert [None, two] == found
    told = [("anna", "session.begin"), ("ben", "session.begin"), ("anna", "session.end")]
    assert told == [tuple(row) for row in trail]


async def test_sessions_that_are_over_are_forgotten_when_somebody_signs_in(store: Store) -> None:
    await begun(store)
    async with store.write() as conn:
        key, _ = await apikeys.create(conn, "ben", Scope.READ, NOW)
        await sessions.begin(conn, key, NOW + sessions.IDLE)

    async with store.read() as conn:
        kept = (await conn.execute(select(SESSION.c.key_id))).scalars().all()

    assert [key.id] == kept
