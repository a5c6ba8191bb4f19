"""What is typed into the forms of the sandbox's panel. Knows no chain and no invoice.

Numbers come as text, so that a mistake can be shown beside the form.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watcher.api.values import Query
from watcher.errors import Refused
from watcher.pages.page import Form

_TEXT = Field(default=None, max_length=200)
_DIGITS = 4


class Choice(Query):
    """Which invoice to pay."""

    invoice: str | None = _TEXT


class Payment(Form):
    """What to pay."""

    way: str = Field(max_length=200)
    amount: str | None = _TEXT
    parts: str | None = _TEXT
    when: Literal["now", "late"] = "now"
    back: Literal["panel", "invoice"] = "panel"


class Mining(Form):
    """How many blocks to mine. `invoice`: which one was chosen meanwhile."""

    chain: str = Field(max_length=200)
    blocks: str | None = _TEXT
    invoice: str | None = _TEXT


class Reorganisation(Form):
    """How many blocks to replace, and what becomes of their transactions."""

    chain: str = Field(max_length=200)
    depth: str | None = _TEXT
    transactions: Literal["again", "gone"] = "again"
    invoice: str | None = _TEXT


def number(text: str | None, field: str) -> int:
    """Return the number of a field, 1 for one that was left empty; Refused where it is none."""
    digits = "1" if text is None else text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise Refused("invalid", "is no whole number; write digits, such as 1", field=field)
    return int(digits)
