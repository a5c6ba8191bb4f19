"""What a browser shows where something went wrong: a page of the kind that was asked for, with a way on.

Knows no page, and no more of a bug than the request's id.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from watcher.api.answers import conclude
from watcher.api.request_id import request_id
from watcher.pages import form
from watcher.pages.page import DASHBOARD
from watcher.pages.places import came_from
from watcher.pages.sign_in import SIGN_IN
from watcher.pages.visit import PAYERS, Visit
from watcher.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.api.context import ApiContext
    from watcher.errors import Refused
    from watcher.pages.site import Site

SESSION = web.RequestKey("session", Session)
"""Who is signed in, once that is known."""

_LISTS = {
    "links": "the payment links",
    "addresses": "the addresses",
    "webhooks": "the webhooks",
    "deliveries": "the deliveries",
    "chains": "the chains",
    "statistics": "the statistics",
    "sandbox": "the sandbox",
}
_TITLES: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.TOO_MANY_REQUESTS: "Not now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
}


def wants_page(request: web.Request) -> bool:
    """Whether it is a browser that asks, or sends a form: programs name JSON, or take anything."""
    accepted = request.headers.get("Accept", "")
    asks = "text/html" in accepted and "json" not in accepted
    return asks and (request.method != "POST" or request.content_type == form.MEDIA)


def told(site: Site, context: ApiContext, request: web.Request, refused: Refused) -> web.Response | None:
    """Return what a browser shows of what went wrong outside of a page; None for everybody else."""
    if not (wants_page(request) and _for_people(request)):
        return None
    visit = Visit(
        context=context,
        request=request,
        site=site,
        for_payers=not _in_dashboard(request.path),
        session=request.get(SESSION),
    )
    is_front = request.path == "/" and request.method == "GET"
    if is_front and refused.status == HTTPStatus.NOT_FOUND:
        return visit.redirect(DASHBOARD)
    return shown(visit, refused)


def shown(visit: Visit, refused: Refused) -> web.Response:
    """Return the page of what was refused, or broke."""
    response = _payers(visit, refused) if visit.for_payers else _dashboard(visit, refused)
    conclude(response, refused)
    return response


def _payers(visit: Visit, refused: Refused) -> web.Response:
    is_theirs = visit.request.path.startswith(PAYERS)
    return visit.page(
        "problem.html",
        refused.status,
        refused=refused,
        number=request_id(visit.request),
        may_repeat=is_theirs and visit.request.method == "GET",
        may_ask=is_theirs,
    )


def _dashboard(visit: Visit, refused: Refused) -> web.Response:
    """Return a page inside the frame that everybody sees who is signed in, outside of it to strangers."""
    template = "dashboard/problem.html" if visit.session else "dashboard/problem_outside.html"
    return visit.page(
        template,
        refused.status,
        refused=refused,
        heading=_TITLES.get(refused.status, "That did not work"),
        sentence=_sentence(refused),
        number=request_id(visit.request),
        was_sent=visit.request.method != "GET",
        ways=_ways(visit) if visit.session else [(DASHBOARD, "To the dashboard")],
    )


def _sentence(refused: Refused) -> str:
    """Return what is wrong as people write it."""
    said = f"{refused.field}: {refused.message}" if refused.field else refused.message
    said = said if refused.field else said[:1].upper() + said[1:]
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _ways(visit: Visit) -> list[tuple[str, str]]:
    """Return the ways on, the best first: the page before this one, if it is ours, and the list."""
    path = visit.request.path
    part = path.removeprefix(f"{DASHBOARD}/").partition("/")[0]
    at = f"{DASHBOARD}/{part}" if part in _LISTS else DASHBOARD
    words = f"To {_LISTS.get(part, 'the invoices')}"
    before = _before(visit)
    if before is None or path == at:
        return [(at, words)]
    if urlsplit(before).path == at:
        return [(before, words)]  # as it was filtered
    return [(before, "Back to the page before"), (at, words)]


def _before(visit: Visit) -> str | None:
    """Return the page that led here, None if it would lead here again, or is none of ours."""
    request = visit.request
    before = came_from(request, visit.context.settings.server.public_url)
    is_same = request.method == "GET" and before == request.path_qs
    is_entrance = before is not None and urlsplit(before).path == SIGN_IN
    return None if is_same or is_entrance else before


def _for_people(request: web.Request) -> bool:
    """Whether a page was meant: the API's own paths answer everybody in JSON."""
    path = request.path
    if _in_dashboard(path) or path.startswith(PAYERS):
        return True
    error = request.match_info.http_exception
    return error is not None and error.status == HTTPStatus.NOT_FOUND and not f"{path}/".startswith("/v1/")


def _in_dashboard(path: str) -> bool:
    return f"{path}/".startswith(f"{DASHBOARD}/")
