"""What in a node's URL is secret, however it could come back, and how to take it out of a text. Pure."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "[redacted]"
_TOKEN = 12
"""Characters from which on a part of an address is taken for a token: shorter ones are words, such as v3."""
_SHORTEST = 6
"""Characters of a secret that is looked for: anything shorter stands in innocent words as well."""
_HINT = 4
"""Characters of a secret that may not stand at the end of a text that was cut off."""


def secrets_in(url: str) -> tuple[str, ...]:
    """Return the password (the user where there is none) as itself and as HTTP sends it, and every token."""
    return tuple(sorted({one for one in _found(url) if len(one) >= _SHORTEST}, key=len, reverse=True))


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text, which may be cut off, without these."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        for length in range(len(secret) - 1, _HINT - 1, -1):
            if text.endswith(secret[:length]):
                text = text[:-length] + HIDDEN
    return text


def _found(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user or password:
        yield from (password or user, parts.password or parts.username or "")
        yield b64encode(f"{user}:{password}".encode()).decode()
    for word in (*parts.path.split("/"), *(pair.rpartition("=")[2] for pair in parts.query.split("&"))):
        if len(word) >= _TOKEN:
            yield from (word, unquote(word))
