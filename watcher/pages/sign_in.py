"""Signing in to the dashboard with an API key, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import structlog
from pydantic import Field

from watcher import apikeys, sessions
from watcher.api.remote import remote
from watcher.api.values import Query
from watcher.apikeys import Scope
from watcher.errors import Refused
from watcher.pages.page import DASHBOARD, Form, Pages
from watcher.pages.places import form_page, ours

if TYPE_CHECKING:
    from aiohttp import web

    from watcher.apikeys import ApiKey
    from watcher.pages.visit import Visit

pages = Pages()
log = structlog.get_logger()

COOKIE = "dw_session"
SIGN_IN = f"{DASHBOARD}/sign-in"


class SignInQuery(Query):
    """`next`: the page to go to afterwards."""

    next: str = DASHBOARD


class SignInForm(Form):
    """The key, and where to go with it."""

    key: Annotated[str, Field(max_length=500)] = ""
    next: Annotated[str, Field(max_length=2000)] = DASHBOARD


def first(visit: Visit) -> web.Response:
    """Ask for the key before the page that was wanted; a form that was sent is not kept, and that is said."""
    request = visit.request
    is_form = request.method != "GET"
    wanted = ours(form_page(request)) if is_form else request.path_qs
    return _ask(visit, wanted, 401, is_form=is_form)


@pages.add("GET", SIGN_IN, query=SignInQuery)
async def shown(visit: Visit) -> web.StreamResponse:
    """Ask for a key."""
    if visit.session is not None:
        return visit.redirect(ours(visit.query.next))
    return _ask(visit, ours(visit.query.next))


@pages.add("POST", SIGN_IN, form=SignInForm)
async def sign_in(visit: Visit) -> web.StreamResponse:
    """Begin a session, and show the page that was wanted."""
    context, wanted = visit.context, ours(visit.form.next)
    async with context.store.read() as conn:
        key = await apikeys.find(conn, visit.form.key.strip())
    if key is None or key.revoked_at is not None:
        refused = _guessed(visit, key)
        again = _ask(visit, wanted, refused.status, refused)
        if refused.retry_after is not None:
            again.headers["Retry-After"] = str(refused.retry_after)
        return again
    async with context.store.write() as conn:
        session = await sessions.begin(conn, key, context.clock())
    response = visit.redirect(wanted)
    response.set_cookie(
        COOKIE,
        session.token,
        path=DASHBOARD,
        httponly=True,
        samesite="Lax",
        secure=context.settings.server.public_url.startswith("https:"),
    )
    return response


@pages.add("POST", f"{DASHBOARD}/sign-out", scope=Scope.READ)
async def sign_out(visit: Visit) -> web.StreamResponse:
    """End the session."""
    if visit.session is not None:
        async with visit.context.store.write() as conn:
            await sessions.end(conn, visit.session, visit.context.clock())
    response = visit.redirect(SIGN_IN)
    response.del_cookie(COOKIE, path=DASHBOARD, httponly=True, samesite="Lax")
    return response


def _ask(
    visit: Visit, wanted: str, status: int = 200, refused: Refused | None = None, *, is_form: bool = False
) -> web.Response:
    """Return the form for the key. `is_form`: another form came without a session, and is lost."""
    return visit.page("dashboard/sign_in.html", status, wanted=wanted, refused=refused, is_form=is_form)


def _guessed(visit: Visit, key: ApiKey | None) -> Refused:
    """Return what a wrong key is told; many from one address are slowed, as in the API."""
    context = visit.context
    address = remote(visit.request, context.settings.server.trusted_proxies)
    context.metrics.failed_keys.labels("revoked" if key else "unknown").inc()
    wait = context.guessing.failed(address)
    if wait is not None:
        message = "too many wrong keys came from this address; a right one works at once"
        return Refused("too_many_failures", message, status=429, retry_after=wait)
    log.warning("key.refused", address=address, reason="revoked" if key else "unknown", page="sign-in")
    return Refused("unauthorized", "this API key is wrong or was revoked", status=401)
