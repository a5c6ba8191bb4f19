"""Identifiers: a prefix that names the noun, then 26 characters that sort by time and cannot be guessed."""

from __future__ import annotations

import re
import secrets
import time

from watcher.errors import Refused

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_RANDOM_BITS = 82


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as "inv_01k…": 48 bits of milliseconds, then 82 random bits."""
    number = ((time.time_ns() // 1_000_000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return f"{prefix}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def start(cursor: str | None, prefix: str) -> str:
    """Return the identifier after which a page begins, "" for the first page; Refused if it is none."""
    if cursor is not None and not re.fullmatch(rf"{prefix}_[0-9A-Za-z_-]+", cursor):
        raise Refused("invalid", "must be `next` of an earlier page", field="cursor")
    return cursor or ""
