"""API keys: 256 random bits each, shown once, kept as a hash.

Knows the scopes and what each includes; knows nothing of HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from watcher import audit
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.tables import API_KEY

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$"
"""What a key may be called: one line of 1 to 64 plain characters."""

_PREFIX = "dwk_"
_BYTES = 32
_NOBODYS = "0" * 64
"""A hash that no key has: what is unknown is compared as well."""


class Scope(StrEnum):
    """What a key may do; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, needed: Scope) -> bool:
        """Whether a key of this scope may do what `needed` asks for."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as lists show it: never the key itself."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None = None


def _hash(secret: str) -> str:
    """Hash without salt or stretching: 256 random bits leave nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def check_name(name: str) -> str:
    """Return the name; Refused if it is no plain line, or could be taken for an id or another actor."""
    if not re.match(NAME, name) or name.startswith("key_"):
        rule = (
            "1 to 64 letters, digits, spaces and . _ @ -; it begins with a letter or digit, and not with key_"
        )
        raise Refused("invalid", rule, field="name")
    if name.lower() in audit.ACTORS:
        rule = f"the audit trail calls somebody else {name.lower()}; choose another name"
        raise Refused("invalid", rule, field="name")
    return name


async def create(conn: AsyncConnection, name: str, scope: Scope, now: datetime) -> tuple[ApiKey, str]:
    """Make a key; return it with its secret, which cannot be shown again. Refused if the name was used."""
    taken = await conn.execute(select(API_KEY.c.id).where(API_KEY.c.name == check_name(name)))
    if taken.first():
        message = f"a key named {name} exists or was revoked; choose another name"
        raise Refused("name_taken", message, field="name", status=409)
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    key = ApiKey(new_id("key"), name, scope, now)
    values = {"id": key.id, "name": name, "hash": _hash(secret), "scope": scope.value, "created_at": now}
    await conn.execute(insert(API_KEY).values(**values))
    return key, secret


async def listing(conn: AsyncConnection) -> list[ApiKey]:
    """Return all keys, revoked ones too, newest first."""
    rows = await conn.execute(select(API_KEY).order_by(API_KEY.c.created_at.desc(), API_KEY.c.id.desc()))
    return [_key(row) for row in rows]


async def revoke(conn: AsyncConnection, id_or_name: str, now: datetime) -> str | None:
    """End a key at once and for ever and return its id; Refused if there is none.

    None where it was revoked before: that changes nothing.
    """
    which = (API_KEY.c.id == id_or_name) | (API_KEY.c.name == id_or_name)
    if not (await conn.execute(select(API_KEY.c.id).where(which))).first():
        raise Refused("not_found", f"there is no key {id_or_name}", status=404)
    alive = which & API_KEY.c.revoked_at.is_(None)
    ended = await conn.execute(update(API_KEY).where(alive).values(revoked_at=now).returning(API_KEY.c.id))
    row = ended.first()
    return str(row.id) if row else None


async def find(conn: AsyncConnection, secret: str) -> ApiKey | None:
    """Return the key that this secret is or was, None if it is none.

    An index finds the hash: how long that takes tells of hashes, which nobody can choose, and not of keys.
    """
    digest = _hash(secret)
    row = (await conn.execute(select(API_KEY).where(API_KEY.c.hash == digest))).one_or_none()
    same = hmac.compare_digest(row.hash if row else _NOBODYS, digest)
    return _key(row) if row and same else None


async def alive(conn: AsyncConnection, key_ids: Collection[str]) -> set[str]:
    """Return which of some keys, found earlier, are still in force."""
    query = select(API_KEY.c.id).where(API_KEY.c.id.in_(key_ids), API_KEY.c.revoked_at.is_(None))
    return set((await conn.execute(query)).scalars())


def _key(row: Any) -> ApiKey:
    return ApiKey(row.id, row.name, Scope(row.scope), row.created_at, row.revoked_at)
