"""A form that is sent twice does one thing: each carries a key that only its own page had."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from watcher import idempotency
from watcher.api.requests import check
from watcher.pages.page import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from watcher.api.context import Call
    from watcher.pages.visit import Visit

Typed = Annotated[str, Field(max_length=20_000)]
"""What somebody wrote: judged by the draft that it becomes, so that a mistake can be shown beside it."""


class OnceForm(Form):
    """The fields of every act."""

    once: Annotated[str, Field(max_length=100)]
    reason: Typed | None = None


def new_key() -> str:
    """Return a key for one showing of a form."""
    return secrets.token_urlsafe(16)


def call(visit: Visit, model: type[BaseModel], fields: Mapping[str, Any]) -> Call:
    """Return the act as a request to the API; Refused names the field that is wrong.

    The handler raises Replay where the same form was sent before.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    draft = check(model, given, "field")
    once = idempotency.read(
        visit.caller.id, visit.request.path, visit.form.once, draft, visit.context.clock(), "once"
    )
    return visit.call(body=draft, idempotency=once)
