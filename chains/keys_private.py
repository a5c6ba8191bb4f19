"""Recognises a private key by its form, so that it can be refused by name.

Knows forms only: nothing here decodes, keeps or repeats what it was given.
"""

from __future__ import annotations

import re

from chains.base import AddressError
from chains.keys_networks import PRIVATE

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
_FORMS = (
    (re.compile(rf"(.*[\])(,/])?({'|'.join(PRIVATE)}).*"), "an extended private key"),
    (re.compile(rf"6P{_BASE58}{{56}}"), "an encrypted private key (BIP-38)"),
    (re.compile(rf"{_BASE58}{{51,52}}"), "a private key (WIF)"),
    (re.compile(r"(0[xX])?[0-9a-fA-F]{64}"), "a private key (32 bytes in hex)"),
    (re.compile(r"(0[xX])?[0-9a-fA-F]{128}"), "a private seed (64 bytes in hex)"),
)
_FEWEST_WORDS = 11  # seed phrases have 12 words or more; one may have been lost in copying


def _form(text: str) -> str | None:
    words = text.split()
    if len(words) >= _FEWEST_WORDS and all(word.isalpha() for word in words):
        return "a private seed (seed words)"
    return next((name for pattern, name in _FORMS if pattern.fullmatch(text)), None)


def refuse_private(text: str, wanted: str) -> None:
    """Raise AddressError if the text has the form of a private key; `wanted` is what belongs there."""
    form = _form(text.strip())
    if form:
        raise AddressError(
            f"this is {form}: never give it to a server, and move its funds if it was; {wanted} belongs here"
        )
