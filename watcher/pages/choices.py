"""What forms offer to choose from: the chains and assets that are configured, as the API lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watcher.api import chains as chains_api
from watcher.api.values import MAX_PAGE, PageQuery

if TYPE_CHECKING:
    from watcher.pages.visit import Visit


async def chains_of(visit: Visit) -> list[dict[str, Any]]:
    """Return the chains, each with its assets."""
    answer = await chains_api.listing(visit.call(PageQuery(limit=MAX_PAGE)))
    found: list[dict[str, Any]] = answer.content["data"]
    return found
