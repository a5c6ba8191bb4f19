"""Webhook secrets: what they look like, and where the configuration keeps them.

They are written into it, or into a file that is made at the first start. A secret is shared with the receiver
and signs with HMAC (`whsec_`, in other formats any text), or is a private key for ed25519 (`whsk_`).
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr  # noqa: TC002 - pydantic needs it when it runs

from chains.config import Section
from watcher import keypair

if TYPE_CHECKING:
    from collections.abc import Iterable

Signature = Literal["hmac", "ed25519"]

PREFIX = "whsec_"
STANDARD = "standard"
_BYTES = (24, 64)  # Standard Webhooks 1.0, "Signature scheme"
_SHORTEST = 8


class Secret(Section):
    """A secret as text, or the file that holds it (or will, once `reveal` has made it)."""

    text: SecretStr | None = None
    file: Path | None = None

    def reveal(self, signature: Signature) -> str:
        """Return the secret; makes the file when there is none yet. OSError where that is not allowed."""
        if self.text is not None:
            return self.text.get_secret_value()
        if self.file is not None:
            return ensure_secret(self.file, signature)
        return ""


def new_secret(signature: Signature = "hmac") -> str:
    """Return a fresh secret of 32 random bytes, for the way to sign that is asked for."""
    if signature == "ed25519":
        return keypair.new()
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature_of(text: str) -> Signature:
    """Return how a secret signs."""
    return "ed25519" if keypair.load(text) else "hmac"


def ensure_secret(path: Path, signature: Signature = "hmac") -> str:
    """Return the secret in a file; make it with a new one, readable by its owner alone, if it is not there.

    Safe against a crash and against a second process: the file appears whole or not at all, and whoever
    comes second reads what the first one wrote. OSError when it can be neither read nor made.
    """
    if not path.exists():
        _publish(path, f"{new_secret(signature)}\n")
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def fault(text: str, form: str) -> str | None:
    """Return what is wrong with a secret for a webhook format, in one line that does not repeat it."""
    if form == STANDARD:
        return None if key_bytes(text) or keypair.load(text) else _not_standard(text)
    if keypair.load(text):
        return f"is an ed25519 key, but the format {form} signs with a shared secret; write any other text"
    return None if len(text) >= _SHORTEST else f"is too short; write {_SHORTEST} or more characters"


def mismatch(text: str, signature: Signature | None) -> str | None:
    """Return what is wrong with `signature` beside a secret: that the secret signs in the other way."""
    if signature in (None, signature_of(text)):
        return None
    return f'is not how this secret signs; write "{signature_of(text)}", or a secret of the other kind'


def unspoken(signature: Signature | None, form: str) -> str | None:
    """Return what is wrong with `signature` in a format: those of other systems know HMAC alone."""
    if signature == "ed25519" and form != STANDARD:
        return f'cannot be "ed25519" in the format {form}; write "hmac"'
    return None


def reveal_all(some: Iterable[Secret], signature: Signature = "hmac") -> tuple[str, ...]:
    """Return the secrets themselves, in the order given; those that have to be made sign as said."""
    return tuple(secret.reveal(signature) for secret in some)


def key_bytes(text: str) -> bytes | None:
    """Return the key of a Standard Webhooks secret (`whsec_`); None if the text is no such secret."""
    if not text.startswith(PREFIX):
        return None
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if _BYTES[0] <= len(key) <= _BYTES[1] else None


def _not_standard(text: str) -> str:
    if text.startswith(keypair.PREFIX):
        return (
            'is not an ed25519 key; write "whsk_" and the base64 of its 32 bytes, or of those and of the '
            "public key, or leave it out: one is made"
        )
    return (
        'is not a Standard Webhooks secret; write "whsec_" and the base64 of 24 to 64 random bytes, '
        "or name a file that is not there yet: one is made"
    )


def _publish(path: Path, text: str) -> None:
    """Write a private file (mode 0600, as mkstemp makes it) beside its place and link it there."""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)  # the name that the user knows, not the draft's
        raise
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret is the one
    finally:
        Path(draft).unlink()
