"""What the pages of links, standing addresses and statistics hand to their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from watcher.apikeys import Scope
from watcher.pages.statistics_charts import span

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.errors import Refused
    from watcher.pages.visit import Visit


def report(visit: Visit, template: str, refused: Refused | None = None, **values: Any) -> web.Response:
    """Return a page; where something was `refused`, with its status."""

    def page_from(cursor: str | None) -> str:
        """Return the place of this list's page that begins behind a cursor, None for its first."""
        asked = [(name, value) for name, value in visit.request.query.items() if name != "cursor" and value]
        asked += [("cursor", cursor)] if cursor else []
        return f"{visit.request.path}?{urlencode(asked)}"

    return visit.page(
        template,
        refused.status if refused else 200,
        refused=refused,
        may_write=visit.caller.scope.includes(Scope.WRITE),
        page_from=page_from,
        span=span,
        **values,
    )
