"""Webhook secrets: written into the configuration, or kept in a file that is made at the first start."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr  # noqa: TC002 - pydantic needs it when it runs

from chains.config import Section

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "whsec_"
_BYTES = (24, 64)  # Standard Webhooks 1.0, "Signature scheme"
_SHORTEST = 8


class Secret(Section):
    """A secret as text, or the file that holds it (or will, once `reveal` has made it)."""

    text: SecretStr | None = None
    file: Path | None = None

    def reveal(self) -> str:
        """Return the secret; makes the file when there is none yet. OSError where that is not allowed."""
        if self.text is not None:
            return self.text.get_secret_value()
        if self.file is not None:
            return ensure_secret(self.file)
        return ""


def ensure_secret(path: Path) -> str:
    """Return the secret in a file; make it with a new one, readable by its owner alone, if it is not there.

    Safe against a crash and against a second process: the file appears whole or not at all, and whoever
    comes second reads what the first one wrote. OSError when it can be neither read nor made.
    """
    if not path.exists():
        _publish(path, f"{PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}\n")
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def fault(text: str, form: str) -> str | None:
    """Return what is wrong with a secret for a webhook format, in one line that does not repeat it."""
    if form == "standard":
        return (
            None
            if _is_standard(text)
            else (
                'is not a Standard Webhooks secret; write "whsec_" and the base64 of 24 to 64 random bytes, '
                "or name a file that is not there yet: one is made"
            )
        )
    return None if len(text) >= _SHORTEST else f"is too short; write {_SHORTEST} or more characters"


def reveal_all(some: Iterable[Secret]) -> tuple[str, ...]:
    """Return the secrets themselves, in the order given."""
    return tuple(secret.reveal() for secret in some)


def _is_standard(text: str) -> bool:
    if not text.startswith(PREFIX):
        return False
    try:
        size = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except binascii.Error:
        return False
    return _BYTES[0] <= size <= _BYTES[1]


def _publish(path: Path, text: str) -> None:
    """Write a private file (mode 0600, as mkstemp makes it) beside its place and link it there."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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
