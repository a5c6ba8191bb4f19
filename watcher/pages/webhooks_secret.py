"""Where an endpoint gets a secret: it is shown on the page that answers the form, and on no other.

To load that page again sends the form again: its key tells that it was answered, and nothing is made
twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from watcher.api import webhooks as api
from watcher.api.values import Whole  # noqa: TC001 - pydantic reads it
from watcher.apikeys import Scope
from watcher.dialects import FORMATS
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.pages.actions_once import call, new_key
from watcher.pages.page import Form, Pages
from watcher.pages.period import Once  # noqa: TC001 - pydantic reads it
from watcher.pages.webhooks import ONE, PATH, choices, names
from watcher.receivers import EndpointDraft, Rotation

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()

_MADE = "this form was sent before, with other values; look whether they are in force, then send it again"


class SecretForm(Form):
    """A form that is answered once. Which values are right is the API's to say."""

    once: Once
    signature: str | None = None
    secret: Annotated[str | None, Field(repr=False)] = None


class AddForm(SecretForm):
    """A new endpoint; names of events and chains stand behind each other."""

    url: str | None = None
    events: str = ""
    chains: str = ""
    format: str = "standard"
    description: str | None = None
    success_body: str | None = None


class RotateForm(SecretForm):
    """A new secret, and for how many seconds the earlier one signs as well."""

    overlap_seconds: Whole


@pages.add("GET", f"{PATH}/add", scope=Scope.ADMIN)
async def asked(visit: Visit) -> web.StreamResponse:
    """Ask what the new endpoint is to be."""
    return _add(visit, {})


@pages.add("POST", PATH, scope=Scope.ADMIN, form=AddForm)
async def add(visit: Visit) -> web.StreamResponse:
    """Add an endpoint, and show its secret."""
    given = visit.form.model_dump(exclude_none=True, exclude={"once"})
    wanted = given | {name: names(given[name]) for name in ("events", "chains")}
    try:
        made = (await api.create(call(visit, EndpointDraft, wanted))).content
    except Replay as replay:
        return visit.redirect(f"{PATH}/{json.loads(replay.stored.body)['id']}")
    except Refused as refused:
        return _add(visit, given, _put(refused))
    return visit.page("dashboard/webhook_secret.html", 201, hook=made, is_new=True)


@pages.add("GET", f"{ONE}/rotate", scope=Scope.ADMIN)
async def rotation(visit: Visit) -> web.StreamResponse:
    """Say what a new secret means, and ask."""
    return await _rotate(visit, {})


@pages.add("POST", f"{ONE}/rotate", scope=Scope.ADMIN, form=RotateForm)
async def rotate(visit: Visit) -> web.StreamResponse:
    """Put a new secret in front, and show it."""
    given = visit.form.model_dump(exclude_none=True, exclude={"once"})
    try:
        rotated = (await api.rotate(call(visit, Rotation, given))).content
    except Replay:
        return visit.redirect(f"{PATH}/{visit.id}")
    except Refused as refused:
        return await _rotate(visit, given, _put(refused))
    overlap = visit.form.overlap_seconds
    return visit.page("dashboard/webhook_secret.html", hook=rotated, is_new=False, overlap=overlap)


def _add(visit: Visit, given: dict[str, Any], refused: Refused | None = None) -> web.Response:
    return visit.page(
        "dashboard/webhook_add.html",
        refused.status if refused else 200,
        given=given,
        refused=refused,
        once=new_key(),
        formats=FORMATS,
        **choices(visit),
    )


async def _rotate(visit: Visit, given: dict[str, Any], refused: Refused | None = None) -> web.Response:
    hook = (await api.one(visit.call())).content
    return visit.page(
        "dashboard/webhook_rotate.html",
        refused.status if refused else 200,
        hook=hook,
        given=given,
        refused=refused,
        once=new_key(),
    )


def _put(refused: Refused) -> Refused:
    """Return a refusal in the words of a form."""
    if refused.code == "idempotency_conflict":
        return Refused(refused.code, _MADE, status=refused.status)
    return refused
