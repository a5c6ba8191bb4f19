"""API keys over HTTP. A new key is in the answer to its creation, and nowhere else."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from watcher import apikeys, audit
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_works import Key, NewKey
from watcher.api.values import Body, Page, PageQuery, part
from watcher.apikeys import Scope
from watcher.wording import in_words

routes = Routes()

_NAME_RULE = "write 1 to 64 letters, digits, spaces and . _ @ -, beginning with a letter or digit"


class KeyDraft(Body):
    """A key to be made. `name` tells people whose it is."""

    name: Annotated[str, Field(pattern=apikeys.NAME), in_words(_NAME_RULE)]
    scope: Scope = Scope.READ


@routes.add("POST", "/v1/keys", body=KeyDraft, answer=NewKey, status=201, errors=(409,))
async def create(call: Call) -> Answer:
    """Make an API key. Its answer is never kept, so no Idempotency-Key: a name can be used once only."""
    context, draft = call.context, call.body
    async with context.store.write("key") as conn:
        now, scope = context.clock(), draft.scope
        key, secret = await apikeys.create(conn, draft.name, scope, now)
        await audit.note(conn, call.caller.name, "key.create", key.id, now, name=draft.name, scope=scope)
    return Answer({**asdict(key), "key": secret}, 201)


@routes.add("GET", "/v1/keys", query=PageQuery, answer=Page[Key])
async def listing(call: Call) -> Answer:
    """List the API keys, revoked ones too, newest first."""
    async with call.context.store.read() as conn:
        return Answer(part([asdict(key) for key in await apikeys.listing(conn)], call.query, "id"))


@routes.add("DELETE", "/v1/keys/{id}", status=204)
async def revoke(call: Call) -> Answer:
    """Revoke an API key, by its id or its name. It ends at once and for ever."""
    async with call.context.store.write("key") as conn:
        now = call.context.clock()
        revoked = await apikeys.revoke(conn, call.id, now)
        if revoked:
            await audit.note(conn, call.caller.name, "key.revoke", revoked, now)
    call.context.bus.events.set()  # who listens with it hears no more
    return Answer(None, 204)
