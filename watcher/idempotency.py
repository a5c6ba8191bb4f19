"""Answers to POSTs that may be repeated: found before the effect, written in the effect's own transaction.

A key belongs to an API key and a path. Knows nothing of HTTP beyond a status and the bytes of a body.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select

from watcher.errors import Refused
from watcher.tables import IDEMPOTENCY

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncConnection

KEPT = timedelta(hours=24)
_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """One request that may come again. `request_hash` tells whether it is the same; `at` is when it came."""

    key_id: str
    path: str
    key: str
    request_hash: str
    at: datetime


def read(key_id: str, path: str, key: str, draft: BaseModel, at: datetime, field: str) -> Idempotency:  # noqa: PLR0913, PLR0917 - what a request is known by
    """Return what makes a request recognisable when it comes again; Refused names `field` for a wrong key."""
    if not _KEY.fullmatch(key):
        raise Refused("invalid", "must be one value of 1 to 255 visible ASCII characters", field=field)
    text = json.dumps(draft.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    return Idempotency(key_id, path, key, hashlib.sha256(text.encode()).hexdigest(), at)


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that the first request got."""

    status: int
    body: bytes


class Replay(Exception):  # noqa: N818 - it is an answer, not a failure
    """The request was answered before; raised inside the transaction, so that nothing happens twice."""

    def __init__(self, stored: Stored) -> None:
        super().__init__("answered before")
        self.stored = stored


async def _find(conn: AsyncConnection, idem: Idempotency) -> Stored | None:
    """Return the answer of the last 24 hours; Refused if it was given to another body."""
    row = IDEMPOTENCY.c
    query = select(row.request_hash, row.status, row.body).where(
        row.key_id == idem.key_id,
        row.path == idem.path,
        row.key == idem.key,
        row.created_at > idem.at - KEPT,
    )
    found = (await conn.execute(query)).one_or_none()
    if found is None:
        return None
    if found.request_hash != idem.request_hash:
        raise Refused(
            "idempotency_conflict",
            "this Idempotency-Key was used with another body; use a new key for a new request",
            field="Idempotency-Key",
            status=409,
        )
    return Stored(found.status, found.body)


async def claim(conn: AsyncConnection, idem: Idempotency | None) -> None:
    """Raise Replay if the request was answered before; call it first in a write transaction.

    None, here and below, is a request whose sender will not repeat it.
    """
    stored = await _find(conn, idem) if idem else None
    if stored:
        raise Replay(stored)


async def remember(
    conn: AsyncConnection, idem: Idempotency | None, status: int, content: Any, now: datetime
) -> None:
    """Keep the answer, as JSON; call it in the transaction of the effect, after `claim`."""
    if idem is None:
        return
    await forget_old(conn, now)
    await conn.execute(
        insert(IDEMPOTENCY).values(
            key_id=idem.key_id,
            path=idem.path,
            key=idem.key,
            request_hash=idem.request_hash,
            status=status,
            body=msgspec.json.encode(content),
            created_at=now,
        )
    )


async def forget_old(conn: AsyncConnection, now: datetime) -> None:
    """Drop the answers that are older than 24 hours."""
    await conn.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at <= now - KEPT))
