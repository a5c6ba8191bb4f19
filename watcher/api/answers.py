"""From outcomes to bytes: what an answer and an error look like, and the headers that all of them carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from watcher.api.etag import entity_tag, is_known
from watcher.api.request_id import HEADER, request_id

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from watcher.api.context import Answer
    from watcher.errors import Refused

JSON = "application/json"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_REVALIDATED = "private, no-cache"
"""What has a tag may be kept by its reader, who asks each time whether it still holds."""
_AGAIN = {429: 1, 503: 5}
"""Seconds after which to come again, where nothing better is known."""
_LAST_WORD = {408, 413, 414, 431}
"""After these the connection ends: what else comes on it is the rest of what was refused."""


def answered(answer: Answer) -> web.Response:
    """Return a handler's answer as JSON."""
    if answer.content is None:
        return web.Response(status=answer.status)
    body = msgspec.json.encode(answer.content)
    response = web.Response(body=body, status=answer.status, content_type=JSON)
    set_retry(response, None)
    return response


def tagged(request: web.Request, answer: Answer) -> web.Response:
    """Return a handler's answer as JSON with its tag, or 304 to who has it already."""
    response = answered(answer)
    tag = entity_tag(response.body if isinstance(response.body, bytes) else b"")
    if is_known(request, tag):
        response = web.Response(status=304)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = _REVALIDATED
    return response


def problem(refused: Refused) -> web.Response:
    """Return an error as every client reads it."""
    fault = {"code": refused.code, "message": refused.message}
    if refused.field is not None:
        fault["field"] = refused.field
    body = msgspec.json.encode({"error": fault})
    response = web.Response(body=body, status=refused.status, content_type=JSON)
    if refused.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = "Bearer"
    conclude(response, refused)
    return response


def conclude(response: web.Response, refused: Refused) -> None:
    """Say when to come again, and end the connection where the rest of what was refused would follow."""
    if refused.status in _LAST_WORD:
        response.force_close()
    set_retry(response, refused.retry_after)


def set_retry(response: web.Response, seconds: int | None) -> None:
    """Say when to come again: as told, or as usual for the status."""
    after = seconds if seconds is not None else _AGAIN.get(response.status)
    if after is not None:
        response.headers["Retry-After"] = str(after)


def dress(request: BaseRequest, response: web.StreamResponse) -> None:
    """Set what every answer carries. Nothing here allows another site's scripts to read one (no CORS)."""
    response.headers.popall("Server", None)  # what runs here is nobody's business
    response.headers[HEADER] = request_id(request)
    says_who_frames = "Content-Security-Policy" in response.headers
    for name, value in _HEADERS.items():
        if not (says_who_frames and name == "X-Frame-Options"):
            response.headers.setdefault(name, value)
