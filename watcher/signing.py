"""Standard Webhooks signatures, and the secrets they are made with. Pure; knows no database and no network.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import json
import secrets as entropy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

from watcher.secret import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_secret() -> str:
    """Return a fresh secret of 32 random bytes."""
    return PREFIX + base64.b64encode(entropy.token_bytes(32)).decode()


def stored(secrets: Sequence[str]) -> str:
    """Return the column text for secrets that all sign without an end, newest first."""
    return json.dumps([{"secret": secret, "until": None} for secret in secrets])


def rotated(column: str, secret: str, now: datetime, overlap: timedelta) -> str:
    """Return the column text with `secret` in front; the earlier ones sign until `now + overlap` at most."""
    end = (now + overlap - _EPOCH) // timedelta(microseconds=1)
    kept = [
        {"secret": item["secret"], "until": end if item["until"] is None else min(end, item["until"])}
        for item in _live(column, now)
        if item["secret"] != secret
    ]
    return json.dumps([{"secret": secret, "until": None}, *(kept if overlap else [])])


def current(column: str, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign now, newest first."""
    return tuple(item["secret"] for item in _live(column, now))


def _live(column: str, now: datetime) -> list[dict[str, Any]]:
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    return [item for item in json.loads(column) if item["until"] is None or item["until"] > micros]


def headers(secrets: Sequence[str], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of one attempt, made at `at`; every secret adds a signature."""
    text = body.decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, at, text) for secret in secrets),
    }
