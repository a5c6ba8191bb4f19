"""Who is signed in to the dashboard: a random cookie each, kept as a hash, on the strength of an API key.

A session ends when it is signed out, was idle or is too old, or when its key is revoked. Knows no HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from watcher import audit
from watcher.apikeys import ApiKey, Scope
from watcher.tables import API_KEY, SESSION

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

IDLE = timedelta(hours=12)
"""A session that nobody used for so long is over."""
LONGEST = timedelta(days=7)
"""Then its key has to be shown again, however busy it was."""
_NOTED = timedelta(minutes=5)
"""Use is written down so often at most: reading a page is no reason to write to the disk."""

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """One who is signed in. `token` is what the cookie holds."""

    token: str = field(repr=False)
    key: ApiKey
    created_at: datetime
    seen_at: datetime

    @property
    def forgery_token(self) -> str:
        """What a form of ours carries, and no other site can know: it follows from the cookie."""
        return hmac.new(self.token.encode(), b"a form of the dashboard", hashlib.sha256).hexdigest()

    def is_due(self, now: datetime) -> bool:
        """Whether its use has to be written down again."""
        return now - self.seen_at >= _NOTED


async def begin(conn: AsyncConnection, key: ApiKey, now: datetime) -> Session:
    """Sign somebody in who showed this key; forget sessions that are over."""
    await conn.execute(delete(SESSION).where(_over(now)))
    token = secrets.token_urlsafe(_BYTES)
    row = {"hash": _hash(token), "key_id": key.id, "created_at": now, "seen_at": now}
    await conn.execute(insert(SESSION).values(**row))
    await audit.note(conn, key.name, "session.begin", key.id, now)
    return Session(token, key, now, now)


async def find(conn: AsyncConnection, token: str, now: datetime) -> Session | None:
    """Return the session of a cookie, None if it is over or never was."""
    query = (
        select(SESSION.c.created_at.label("began"), SESSION.c.seen_at, API_KEY)
        .join(API_KEY, API_KEY.c.id == SESSION.c.key_id)
        .where(SESSION.c.hash == _hash(token), API_KEY.c.revoked_at.is_(None), ~_over(now))
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    key = ApiKey(row.id, row.name, Scope(row.scope), row.created_at)
    return Session(token, key, row.began, row.seen_at)


async def used(conn: AsyncConnection, session: Session, now: datetime) -> None:
    """Note that it is in use."""
    await conn.execute(update(SESSION).where(SESSION.c.hash == _hash(session.token)).values(seen_at=now))


async def end(conn: AsyncConnection, session: Session, now: datetime) -> None:
    """Sign out."""
    await conn.execute(delete(SESSION).where(SESSION.c.hash == _hash(session.token)))
    await audit.note(conn, session.key.name, "session.end", session.key.id, now)


def _over(now: datetime) -> ColumnElement[bool]:
    return (SESSION.c.seen_at <= now - IDLE) | (SESSION.c.created_at <= now - LONGEST)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
