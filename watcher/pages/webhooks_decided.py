"""What a merchant decides about an endpoint: a page that states the consequence, then the act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher.api import webhooks as api
from watcher.api.requests import check
from watcher.api.webhooks import ReplayDraft
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.pages.page import Form, Pages
from watcher.pages.period import complete
from watcher.pages.webhooks import ONE, PATH, choices, names
from watcher.receivers import EndpointPatch

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()


class ChangeForm(Form):
    """What an endpoint is to be; what is left empty is nothing, or all."""

    url: str | None = None
    events: str = "*"
    chains: str = ""
    description: str | None = None
    success_body: str | None = None


class ReplayForm(Form):
    """Which deliveries; moments are UTC, as a browser's field writes them."""

    after: str | None = None
    before: str | None = None
    state: str | None = None


@pages.add("GET", f"{ONE}/remove", scope=Scope.ADMIN)
async def removal(visit: Visit) -> web.StreamResponse:
    """Say what it means to remove an endpoint, and ask."""
    return await _asked(visit, "remove")


@pages.add("POST", f"{ONE}/remove", scope=Scope.ADMIN)
async def remove(visit: Visit) -> web.StreamResponse:
    """Remove an endpoint."""
    try:
        await api.remove(visit.call())
    except Refused as refused:
        return await _asked(visit, "remove", refused)
    return visit.redirect(PATH)


@pages.add("GET", f"{ONE}/disable", scope=Scope.ADMIN)
async def pause(visit: Visit) -> web.StreamResponse:
    """Say what it means to disable an endpoint, and ask."""
    return await _asked(visit, "disable")


@pages.add("POST", f"{ONE}/disable", scope=Scope.ADMIN)
async def disable(visit: Visit) -> web.StreamResponse:
    """Send nothing to an endpoint until it is enabled again."""
    try:
        await api.change(visit.call(body=EndpointPatch(state="disabled")))
    except Refused as refused:
        return await _asked(visit, "disable", refused)
    return visit.redirect(f"{PATH}/{visit.id}")


@pages.add("GET", f"{ONE}/change", scope=Scope.ADMIN)
async def changing(visit: Visit) -> web.StreamResponse:
    """Ask what an endpoint is to be."""
    hook = (await api.one(visit.call())).content
    written = {name: ", ".join(hook[name]) for name in ("events", "chains")}
    return await _asked(visit, "change", given=hook | written, **choices(visit))


@pages.add("POST", f"{ONE}/change", scope=Scope.ADMIN, form=ChangeForm)
async def change(visit: Visit) -> web.StreamResponse:
    """Change an endpoint."""
    given = visit.form.model_dump()
    try:
        wanted = given | {name: names(given[name]) for name in ("events", "chains")}
        await api.change(visit.call(body=check(EndpointPatch, wanted, "field")))
    except Refused as refused:
        return await _asked(visit, "change", refused, given=given, **choices(visit))
    return visit.redirect(f"{PATH}/{visit.id}")


@pages.add("GET", f"{ONE}/replay", scope=Scope.ADMIN)
async def span(visit: Visit) -> web.StreamResponse:
    """Say what a replay means, and ask for its span of time."""
    return await _asked(visit, "replay", given={})


@pages.add("POST", f"{ONE}/replay", scope=Scope.ADMIN, form=ReplayForm)
async def again(visit: Visit) -> web.StreamResponse:
    """Send the deliveries of a span of time again, and tell how many."""
    given = visit.form.model_dump(exclude_none=True)
    moments = {name: complete(given[name]) for name in ("after", "before") if name in given}
    try:
        body = check(ReplayDraft, given | moments, "field")
        count = (await api.again(visit.call(body=body))).content["deliveries"]
    except Refused as refused:
        return await _asked(visit, "replay", refused, given=given)
    return visit.redirect(f"{PATH}/{visit.id}?replayed={count}")


async def _asked(visit: Visit, act: str, refused: Refused | None = None, **values: Any) -> web.Response:
    hook = (await api.one(visit.call())).content
    status = refused.status if refused else 200
    return visit.page(f"dashboard/webhook_{act}.html", status, hook=hook, refused=refused, **values)
