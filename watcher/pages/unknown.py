"""Whatever else is asked for below the dashboard: there is no such page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.pages.page import DASHBOARD, Pages

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.pages.visit import Visit

pages = Pages()


@pages.add("GET", f"{DASHBOARD}/{{rest:.*}}", scope=Scope.READ)
async def unknown(visit: Visit) -> web.StreamResponse:
    """Lead who wrote a slash too many to the first page; Refused (404) for everything else."""
    if not visit.request.match_info["rest"]:
        return visit.redirect(DASHBOARD)
    raise Refused("not_found", "there is no such page", status=404)
