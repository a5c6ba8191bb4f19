"""One request of a browser: what a page may use, and the ways to answer it. Knows no page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup

from watcher.api.access import NOBODY
from watcher.api.context import Call, Caller
from watcher.api.values import Empty, Query
from watcher.pages import answers
from watcher.pages.page import DASHBOARD, TOKEN

if TYPE_CHECKING:
    from watcher.api.context import ApiContext
    from watcher.idempotency import Idempotency
    from watcher.pages.languages import Language
    from watcher.pages.site import Site
    from watcher.sessions import Session

PAYERS = ("/i/", "/pay/")
"""How the paths of payers' pages begin."""

LANGUAGE = "lang"
"""The parameter by which a payer chooses another language than the browser's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request with everything checked that can be checked before its page.

    `session` is None on payers' pages and before the sign-in.
    """

    context: ApiContext
    request: web.Request
    site: Site
    for_payers: bool
    session: Session | None = None
    query: Any = None
    form: Any = None

    @property
    def id(self) -> str:
        """The identifier in the path."""
        return self.request.match_info["id"]

    @property
    def caller(self) -> Caller:
        """Who asks, as the API sees it."""
        if self.session is None:
            return NOBODY
        key = self.session.key
        return Caller(key.id, key.name, key.scope)

    @property
    def language(self) -> Language:
        """The language of a payer."""
        accepted = ",".join(self.request.headers.getall("Accept-Language", ()))
        return self.site.languages.choose(accepted, self.request.query.get(LANGUAGE))

    def call(self, query: Any = None, body: Any = None, idempotency: Idempotency | None = None) -> Call:
        """Return this request as one to the API, for its handlers."""
        return Call(self.context, self.caller, self.request, query or Query(), body or Empty(), idempotency)

    def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """Return a page from its template."""
        html = self.site.templates.render(template, {**self._common(), **values})
        if self.for_payers:
            ancestors = self._ancestors
            response = answers.page(html, status, referrer="no-referrer", ancestors=ancestors, pack=True)
            response.headers["Vary"] = "Accept, Accept-Language"
            return response
        response = answers.page(html, status, referrer="same-origin", pack=False)
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    def redirect(self, place: str) -> web.Response:
        """Send the browser to another page of ours, by GET."""
        return web.Response(status=303, headers={"Location": place})

    def chain_title(self, name: str) -> str:
        """Return what people call a chain."""
        config = self.context.settings.chains.get(name)
        return (config and config.title) or name.capitalize()

    def explorer(self, name: str, txid: str) -> str | None:
        """Return a page about a transaction, None where no explorer is configured."""
        config = self.context.settings.chains.get(name)
        return config.explorer.replace("{txid}", quote(txid)) if config and config.explorer else None

    @property
    def _ancestors(self) -> tuple[str, ...]:
        """Which sites may show a payer's page inside theirs: also where there is none by that name."""
        may = self.request.path.startswith(PAYERS)
        return tuple(self.context.settings.checkout.frame_ancestors) if may else ()

    def _token_field(self) -> Markup:
        """Return the hidden field without which a form of the dashboard is refused."""
        token = self.session.forgery_token if self.session else ""
        return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN, token)

    def _common(self) -> dict[str, Any]:
        """Return what every template may use."""
        names = {"chain_title": self.chain_title, "explorer": self.explorer}
        if self.for_payers:
            language = self.language
            return names | {
                "t": language.text,
                "lang": language.code,
                "direction": language.direction,
                "languages": self.site.languages.codes,
                "language_names": [(one.code, one.name) for one in self.site.languages.all],
                "checkout": self.context.settings.checkout,
            }
        return names | {
            "chain_titles": {name: self.chain_title(name) for name in self.context.settings.chains},
            "session": self.session,
            "csrf": self._token_field,
            "path": self.request.path,
            "here": self.request.path_qs,
            "home": DASHBOARD,
            "is_sandbox": self.context.testbed is not None,
            "version": self.context.version,
        }
