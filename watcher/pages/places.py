"""Places that a browser may be led to: always of the dashboard, whatever a request says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from watcher.pages.page import DASHBOARD

if TYPE_CHECKING:
    from aiohttp import web


def ours(place: str) -> str:
    """Return a place of the dashboard; whatever else is asked for becomes its first page."""
    inside = place == DASHBOARD or place.startswith((f"{DASHBOARD}/", f"{DASHBOARD}?"))
    parts = unquote(place.partition("?")[0]).split("/")
    plain = place.isascii() and place.isprintable() and "\\" not in place
    return place if inside and plain and not {".", ".."}.intersection(parts) else DASHBOARD


def form_page(request: web.Request) -> str:
    """Return the page that a form was sent from, as our pages let the browser say."""
    return _place(_referer(request))


def came_from(request: web.Request, public_url: str) -> str | None:
    """Return the page of the dashboard that led to this request; None if it is another site's or unknown."""
    referer = _referer(request)
    place = _place(referer)
    is_here = referer.netloc in {request.host, urlsplit(public_url).netloc}  # a proxy may change the host
    return place if is_here and place == ours(place) else None


def _referer(request: web.Request) -> SplitResult:
    try:
        return urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # no address at all: "http://["
        return urlsplit("")


def _place(parts: SplitResult) -> str:
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
