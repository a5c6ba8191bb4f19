"""Ed25519 keys as Standard Webhooks writes them: `whsk_` signs, `whpk_` checks.

The specification leaves open what `whsk_` holds. Its own Go library reads the 32 bytes of the seed (RFC 8032,
5.1.5), Svix keeps the seed and the public key, 64 bytes. Both are taken; the seed, which every library takes,
is made.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from nacl.signing import SigningKey

PREFIX = "whsk_"
_PUBLIC = "whpk_"
_SEED, _BOTH = 32, 64


def new() -> str:
    """Return a fresh private key."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SEED)).decode()


def load(text: str) -> SigningKey | None:
    """Return the private key that a text holds; None if it holds none, or two halves that do not fit."""
    if not text.startswith(PREFIX):
        return None
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) not in (_SEED, _BOTH):
        return None
    key = SigningKey(raw[:_SEED])
    return key if raw[_SEED:] in (b"", bytes(key.verify_key)) else None


def public(key: SigningKey) -> str:
    """Return what a receiver checks with."""
    return _PUBLIC + base64.b64encode(bytes(key.verify_key)).decode()


def sign(key: SigningKey, signed: bytes) -> str:
    """Return the signature of `id.timestamp.body`, with the label that the header gives it."""
    return f"v1a,{base64.b64encode(key.sign(signed).signature).decode()}"
