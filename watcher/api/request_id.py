"""The name of one request, in every line of the log that it causes and in its answer.

A caller's own is taken over where nothing but visible characters are in it: no line of a log can be forged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from watcher.ids import new_id

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

HEADER = "X-Request-Id"
PATTERN = r"^[!-~]{1,128}$"

_KEY = web.RequestKey("request_id", str)
_OWN = re.compile(PATTERN.strip("^$"))


def request_id(request: BaseRequest) -> str:
    """Return the same name each time: the caller's own, or one that is made now."""
    if _KEY not in request:
        request[_KEY] = _own(request) or new_id("req")
    return request[_KEY]


def _own(request: BaseRequest) -> str | None:
    given = request.headers.getall(HEADER, []) if request.headers else []  # none at all where it is no HTTP
    return given[0] if len(given) == 1 and _OWN.fullmatch(given[0]) else None
