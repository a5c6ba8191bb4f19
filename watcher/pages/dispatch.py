"""Around every page: who asks, how often, with which form; and a page for whatever is refused.

Knows no page and decides nothing.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from multidict import MultiDict

from watcher import sessions
from watcher.api.dispatch import check_path
from watcher.api.guard import with_storage
from watcher.api.remote import bucket, remote
from watcher.api.requests import read_query
from watcher.errors import Refused
from watcher.pages import form, problems, sign_in
from watcher.pages.page import DASHBOARD
from watcher.pages.visit import LANGUAGE, Visit

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from aiohttp import web

    from watcher.api.context import ApiContext
    from watcher.api.dispatch import Handle
    from watcher.api.limits import Limits
    from watcher.pages.page import Page
    from watcher.pages.site import Site
    from watcher.sessions import Session

log = structlog.get_logger()

REFRESH = "X-Refresh"
"""With this an open page asks by itself what is new: nobody may be there, so it keeps no session alive."""


def page_handle(page: Page, site: Site, context: ApiContext, limits: Limits) -> Handle:
    """Return what aiohttp calls for a page."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = Visit(context=context, request=request, site=site, for_payers=page.for_payers)
        try:
            return await with_storage(request, lambda _: _answer(page, visit, limits))
        except Refused as refused:
            return problems.shown(replace(visit, session=request.get(problems.SESSION)), refused)

    return handle


async def _answer(page: Page, visit: Visit, limits: Limits) -> web.StreamResponse:
    request, context = visit.request, visit.context
    await _count(request, context, limits)
    check_path(request)
    session = None if page.for_payers else await _session(request, context)
    if page.scope is not None:
        if session is None:
            return sign_in.first(visit)
        await limits.key(session.key.id)
        _check_scope(page, session)
    visit = await _read(page, visit, session)
    with _room(page, limits):
        return await page.handler(visit)


def either(page: Handle, api: Handle) -> Handle:
    """Return what answers with a page to whoever asks for one, and as the API to everybody else."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if problems.wants_page(request):
            return await page(request)
        response = await api(request)
        if not response.prepared:
            response.headers["Vary"] = "Accept, Accept-Language"
        return response

    return handle


def asset_handle(site: Site, context: ApiContext, limits: Limits) -> Handle:
    """Return what aiohttp calls for a file."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await _count(request, context, limits)
        return await site.assets.serve(request)

    return handle


async def _count(request: web.Request, context: ApiContext, limits: Limits) -> None:
    await limits.address(bucket(remote(request, context.settings.server.trusted_proxies)))


async def _session(request: web.Request, context: ApiContext) -> Session | None:
    """Return who is signed in, and note that the session is in use."""
    token = request.cookies.get(sign_in.COOKIE)
    if not token:
        return None
    now = context.clock()
    async with context.store.read() as conn:
        session = await sessions.find(conn, token, now)
    if session is not None:
        request[problems.SESSION] = session
    by_itself = REFRESH in request.headers or request.path == f"{DASHBOARD}/events"
    if session is not None and session.is_due(now) and not by_itself:
        async with context.store.write() as conn:
            await sessions.used(conn, session, now)
    return session


def _check_scope(page: Page, session: Session) -> None:
    if page.scope is not None and not session.key.scope.includes(page.scope):
        has = f"you signed in with {session.key.name}, of scope {session.key.scope}"
        raise Refused("forbidden", f"this needs a key of scope {page.scope}; {has}", status=403)


async def _read(page: Page, visit: Visit, session: Session | None) -> Visit:
    """Return the visit with what the browser sent, checked."""
    request = visit.request
    filled: Any = None
    if request.method == "POST":
        given = await form.fields(request)
        if not page.for_payers:
            form.check_ours(request, given, session, visit.context.settings.server.public_url)
        filled = form.read(given, page.form or form.Nothing)
    asked = MultiDict(request.query)
    if page.for_payers:
        asked.popall(LANGUAGE, None)
    query = read_query(asked, page.query)
    return Visit(
        context=visit.context,
        request=request,
        site=visit.site,
        for_payers=page.for_payers,
        session=session,
        query=query,
        form=filled,
    )


def _room(page: Page, limits: Limits) -> AbstractContextManager[None]:
    return nullcontext() if page.open_ended else limits.room()
