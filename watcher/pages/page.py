"""The decorator that registers a page: its method and path, who may see it, and what it reads.

Pages stand in no OpenAPI document: programs have the API. Knows no page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from watcher.api.values import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from watcher.apikeys import Scope
    from watcher.pages.visit import Visit

DASHBOARD = "/dashboard"
TOKEN = "csrf"  # noqa: S105 - the name of a field


class Form(BaseModel):
    """The fields of a form: unknown ones are refused, empty ones were not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Page:
    """One method and path. `scope`: what the key needs with which somebody signed in; None is for everybody.

    `open_ended`: it goes on until its reader ends it.
    """

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[web.StreamResponse]]
    scope: Scope | None = None
    query: type[BaseModel] = Query
    form: type[BaseModel] | None = None
    open_ended: bool = False

    @property
    def for_payers(self) -> bool:
        """Whether it is no part of the dashboard."""
        return not self.path.startswith(DASHBOARD)


class Pages(list[Page]):
    """The pages of one subject, in the order of their registration."""

    def add(self, method: str, path: str, **options: Any) -> Callable[[Any], Any]:
        """Register a handler for one method and path; the options are those of Page."""

        def register(handler: Any) -> Any:
            self.append(Page(method, path, handler, **options))
            return handler

        return register
