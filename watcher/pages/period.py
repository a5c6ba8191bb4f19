"""What forms of reports ask for: a period in days or moments (UTC), and what may be left empty."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from watcher.api.values import PAGE, Limit, Query
from watcher.render import moment
from watcher.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
_MIDNIGHT = "T00:00:00Z"


def _given(value: object) -> object:
    return None if value == "" else value


def complete(value: str) -> str:
    """Return what a browser's field for a day, or a day and a time, holds as RFC 3339; others as they are."""
    if _DAY.fullmatch(value):
        return f"{value}{_MIDNIGHT}"
    match = _LOCAL.fullmatch(value)
    return value if match is None else f"{value}{'' if match[1] else ':00'}Z"


def _when(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return None
    return moment(read_time(complete(value.strip())))


Given = BeforeValidator(_given)
"""An empty field was not given."""

Once = Annotated[str, Field(max_length=100)]
"""The key of one showing of a form: sent twice, it does one thing."""

When = Annotated[str | None, BeforeValidator(_when)]
"""A moment as RFC 3339, None for an empty field."""


class PagedQuery(Query):
    """The parameters of every list; `cursor` is the next page's."""

    cursor: Annotated[str | None, Given] = Field(default=None, max_length=200)
    limit: Limit = PAGE


class PeriodQuery(Query):
    """From one moment until before another."""

    after: When = None
    before: When = None


def field(value: str | None) -> Mapping[str, str]:
    """Return the type and the value of the field that shows a moment: a day, unless it has a time."""
    if value is None or value.endswith(_MIDNIGHT):
        return {"type": "date", "value": (value or "").removesuffix(_MIDNIGHT)}
    return {"type": "datetime-local", "value": value.removesuffix("Z")}
