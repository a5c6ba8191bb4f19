"""Making a payment link."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from watcher.api import links as api
from watcher.apikeys import Scope
from watcher.drafts_link import LinkDraft
from watcher.errors import Refused
from watcher.idempotency import Replay
from watcher.pages import actions_once
from watcher.pages.choices import chains_of
from watcher.pages.link_form import WAYS, LinkForm, draft, in_the_form
from watcher.pages.links import LINKS
from watcher.pages.page import Pages
from watcher.pages.reports import report

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()


@pages.add("GET", f"{LINKS}/new", scope=Scope.WRITE)
async def blank(visit: Visit) -> web.StreamResponse:
    """Show the form."""
    return await _form(visit)


@pages.add("POST", f"{LINKS}/new", scope=Scope.WRITE, form=LinkForm)
async def made(visit: Visit) -> web.StreamResponse:
    """Make the link and show it; the form again, with what is wrong."""
    try:
        call = actions_once.call(visit, LinkDraft, draft(visit.form))
        id_ = (await api.create(call)).content["id"]
    except Replay as replay:
        id_ = json.loads(replay.stored.body)["id"]
    except Refused as refused:
        return await _form(visit, in_the_form(refused, visit.form))
    return visit.redirect(f"{LINKS}/{id_}")


async def _form(visit: Visit, refused: Refused | None = None) -> web.StreamResponse:
    typed = visit.form.model_dump(exclude_none=True) if visit.form else {}
    return report(
        visit,
        "dashboard/link_new.html",
        refused,
        typed=typed,
        ways=WAYS,
        once=actions_once.new_key(),
        chains=await chains_of(visit),
        lifetime=visit.context.settings.invoices.expires_in // 60,
    )
