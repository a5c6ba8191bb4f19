"""The pages put together: templates, files and languages, and every page by its method and path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.pages import (
    actions,
    actions_refund,
    addresses,
    chains,
    deliveries,
    invoice,
    invoices,
    languages,
    link_new,
    links,
    live,
    pay,
    payer,
    problems,
    refund,
    sandbox,
    sign_in,
    statistics,
    unknown,
    webhooks,
    webhooks_decided,
    webhooks_secret,
)
from watcher.pages.assets import PATH, Assets
from watcher.pages.dispatch import asset_handle, either, page_handle
from watcher.pages.templates import Templates

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.api.context import ApiContext
    from watcher.api.dispatch import Handle
    from watcher.api.limits import Limits
    from watcher.api.server import Handles
    from watcher.errors import Refused
    from watcher.pages.languages import Languages
    from watcher.pages.page import Page
    from watcher.settings import Settings

PAGES: tuple[Page, ...] = (
    *payer.pages,
    *pay.pages,
    *sign_in.pages,
    *live.pages,
    *invoices.pages,
    *invoice.pages,
    *actions.pages,
    *actions_refund.pages,
    *refund.pages,
    *links.pages,
    *link_new.pages,
    *addresses.pages,
    *webhooks.pages,
    *webhooks_secret.pages,
    *webhooks_decided.pages,
    *deliveries.pages,
    *chains.pages,
    *statistics.pages,
    *sandbox.pages,
    *unknown.pages,
)


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    assets: Assets
    templates: Templates
    languages: Languages

    @classmethod
    def load(cls, settings: Settings) -> Site:
        """Read it; SettingsError for words that cannot be used."""
        assets = Assets.load()
        return cls(assets, Templates(assets), languages.load(settings.checkout.languages))

    def __call__(self, context: ApiContext, limits: Limits, api: Handles) -> Handles:
        """Return what answers to browsers; where the API answers too, its handle is for everybody else."""
        found: dict[tuple[str, str], Handle] = {("GET", PATH): asset_handle(self, context, limits)}
        for page in PAGES:
            handle = page_handle(page, self, context, limits)
            name = (page.method, page.path)
            found[name] = either(handle, api[name]) if name in api else handle
        return found

    def told(self, context: ApiContext, request: web.Request, refused: Refused) -> web.Response | None:
        """Return what a browser shows of what went wrong outside of a page; None for everybody else."""
        return problems.told(self, context, request, refused)
