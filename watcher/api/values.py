"""The types of query parameters: text from an address line, read strictly, named in OpenAPI."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from watcher.errors import Refused
from watcher.times import read_time

MAX_SEQ = 2**63 - 1
PAGE = 50
MAX_PAGE = 200

T = TypeVar("T")


def _whole(value: object) -> object:
    """Refuse what pydantic would read generously: " 5", "5.0", "1_000"."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value):
        raise ValueError("must be a whole number")
    return value


def _flag(value: object) -> object:
    if value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value == "true"


Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Time = Annotated[datetime, BeforeValidator(read_time)]
Seq = Annotated[Whole, Field(ge=0, le=MAX_SEQ)]
Limit = Annotated[Whole, Field(ge=1, le=MAX_PAGE)]


class Query(BaseModel):
    """Query parameters: unknown ones are refused. A list takes several values, repeated or by commas."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    """The parameters of every list."""

    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
    limit: Limit = PAGE


class Body(BaseModel):
    """A request's JSON object: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Empty(Body):
    """No field at all."""


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following page, null on the last."""

    data: list[T]
    next: str | None


def page(data: list[Any], following: str | None) -> dict[str, Any]:
    """Return one page as every list answers it."""
    return {"data": data, "next": following}


def part(data: list[Any], query: PageQuery, name: str) -> dict[str, Any]:
    """Return one page of a list that is at hand as a whole; the items' `name` is the cursor.

    Refused where none of them has the cursor's.
    """
    start = 0
    if query.cursor is not None:
        known = [item[name] for item in data]
        if query.cursor not in known:
            raise Refused("invalid", "must be `next` of an earlier page", field="cursor")
        start = known.index(query.cursor) + 1
    shown, more = data[start : start + query.limit], start + query.limit < len(data)
    return page(shown, shown[-1][name] if more else None)
