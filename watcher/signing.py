"""The headers that sign a webhook, and which secrets sign when. Pure; knows no database and no network.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook

from watcher import keypair
from watcher.secret import STANDARD, key_bytes, signature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def shown(newest: str | None) -> dict[str, str | None]:
    """Return what anyone may know of an endpoint's newest secret: how it signs, and what checks that."""
    key = keypair.load(newest) if newest else None
    return {
        "signature": signature_of(newest) if newest else None,
        "public_key": keypair.public(key) if key else None,
    }


def newest(column: str) -> str | None:
    """Return the secret in front, None where an endpoint has none of its own."""
    items = json.loads(column)
    return str(items[0]["secret"]) if items else None


def _live(column: str, now: datetime) -> list[dict[str, Any]]:
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    return [item for item in json.loads(column) if item["until"] is None or item["until"] > micros]


def headers(form: str, secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt, made at `at`.

    Every secret adds a signature to `webhook-signature`. The header of another system has room for one: the
    first secret makes it.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(_signature(secret, message_id, at, body) for secret in secrets),
        **_of_their_own(form, secrets[0].encode(), body),
    }


def in_turn(form: str, secrets: Sequence[str], attempts: int) -> Sequence[str]:
    """Return the secrets, in front the one whose turn it is after so many attempts.

    While a secret is rotated, nobody knows which one the receiver has, and the header of another system has
    room for one signature. So the newest makes the first attempt and the one before it the second, a few
    seconds later: both work until the overlap ends. Standard Webhooks has room for all of them.
    """
    first = 0 if form == STANDARD else attempts % len(secrets)
    return [*secrets[first:], *secrets[:first]]


def _signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    key = keypair.load(secret)
    if key is None:
        return Webhook(key_bytes(secret) or secret.encode()).sign(message_id, at, body.decode())
    return keypair.sign(key, f"{message_id}.{int(at.timestamp())}.".encode() + body)


def _of_their_own(form: str, key: bytes, body: bytes) -> dict[str, str]:
    match form:
        case "oxapay":
            return {"HMAC": hmac.digest(key, body, "sha512").hex()}
        case "btcpay":
            return {"BTCPay-Sig": f"sha256={hmac.digest(key, body, 'sha256').hex()}"}
        case _:
            return {}
