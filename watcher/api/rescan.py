"""Reading blocks again: harmless, because a credit that is known already changes nothing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_works import Rescan
from watcher.api.values import MAX_SEQ, Body
from watcher.errors import Refused
from watcher.wording import in_words

routes = Routes()

Height = Annotated[int, Field(strict=True, ge=0, le=MAX_SEQ), in_words("write a height of 0 or more")]


class RescanDraft(Body):
    """Blocks by height, both ends included; without `to`, up to the last one that was read."""

    first: Height = Field(alias="from")
    last: Height | None = Field(default=None, alias="to")


@routes.add("POST", "/v1/chains/{id}/rescan", body=RescanDraft, answer=Rescan, status=202, errors=(503,))
async def rescan(call: Call) -> Answer:
    """Read blocks of a chain again. Asking twice changes nothing, so no Idempotency-Key is needed."""
    draft = call.body
    if draft.last is not None and draft.last < draft.first:
        raise Refused("invalid", "must not be below from", field="to")
    by = call.caller.name
    return Answer(await call.context.actions.rescan(call.id, draft.first, draft.last, by), 202)
