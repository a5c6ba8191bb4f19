"""Connections: what never becomes a request is answered in JSON too, and nobody holds one for nothing.

Knows aiohttp's own words for what it refuses; knows no route.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from watcher import descriptors
from watcher.api.answers import dress, problem
from watcher.api.guard import failure, unroutable
from watcher.api.request_id import request_id
from watcher.errors import Refused

if TYPE_CHECKING:
    import asyncio

    from aiohttp.web_request import BaseRequest

log = structlog.get_logger()

URL_LIMIT = 8_000
"""Bytes of a request's first line: what RFC 9110, section 4.1, asks of everyone."""
HEADER_LIMIT = 8_190
"""Bytes of one header."""
HEADERS = 64
"""Headers of one request: a browser behind two proxies sends about 40."""
FIRST = 30.0
"""Seconds from the connection to the end of its first request's headers."""
IDLE = 150.0
"""Seconds until the headers of a later request: proxies drop idle connections first (nginx 60, Caddy 120)."""
_SHUTDOWN = 5.0
"""Seconds that running requests get to end when the server stops."""
_DRAIN = 2.0
"""Seconds in which the rest of a refused body is read, so that its sender hears the answer."""


class Runner(web.AppRunner):
    """Serves an application over our connections. `most`: connections at once."""

    def __init__(self, app: web.Application, most: int) -> None:
        """Nothing is opened before `setup`."""
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=_SHUTDOWN,
            keepalive_timeout=IDLE,
            lingering_time=_DRAIN,
            max_line_size=URL_LIMIT,
            max_field_size=HEADER_LIMIT,
            max_headers=HEADERS,
        )
        self._most = most

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, self._most, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __init__(self, handler: Any, most: int, **options: Any) -> None:
        super().__init__(handler, **options)
        self._most = most
        self._crowded = False

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        crowded = len(self._connections) > self._most
        if crowded:
            transport.abort()
        if crowded and not self._crowded:
            log.warning("api.crowded", connections=self._most, remedy="raise the limit of open files")
        self._crowded = crowded


class Connection(web.RequestHandler):
    """One connection. Each error, also of what cannot be read as HTTP, is ours: in JSON, with an id."""

    __slots__ = ("_first",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._first = self._loop.call_later(FIRST, self._end_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._first.cancel()
        super().connection_lost(exc)

    def _end_if_silent(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words quote the request
    ) -> web.StreamResponse:
        """Return a connection's last answer: to bytes that are no HTTP, or to a bug outside the guard."""
        id_ = request_id(request)
        refused = _unreadable(exc) if status == HTTPStatus.BAD_REQUEST else failure(id_)
        if refused.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request.failed", request_id=id_, exc_info=exc)
        else:
            log.info("request.unreadable", request_id=id_, status=refused.status, reason=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer was sent already")
        response = _Bare.of(problem(refused))
        response.force_close()
        response.headers["Connection"] = "close"  # aiohttp leaves it out where it could read no version
        return response

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what aiohttp refused before our code was asked becomes ours."""
        if isinstance(resp, web.HTTPException):
            resp = unroutable(resp)
        return await super().finish_response(request, resp, start_time)


class _Bare(web.Response):
    """An answer to what has no application, and hence none that sets its headers."""

    @classmethod
    def of(cls, response: web.Response) -> _Bare:
        return cls(body=response.body, status=response.status, headers=response.headers)

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        if self._req is not None:
            dress(self._req, self)


def _unreadable(exc: BaseException | None) -> Refused:
    """Return what was wrong with bytes that are no request."""
    if isinstance(exc, LineTooLong) and URL_LIMIT in exc.args:
        return Refused("url_too_long", f"the address is longer than {URL_LIMIT} bytes", status=414)
    if isinstance(exc, LineTooLong) or "Too many headers" in str(exc):
        rule = f"at most {HEADERS} headers of at most {HEADER_LIMIT} bytes each"
        return Refused("headers_too_large", rule, status=431)
    return Refused("malformed_http", "this is no request of HTTP/1.1", status=400)


def most_connections() -> int:
    """Return how many leave the rest of the daemon what it opens: database, nodes, receivers."""
    return descriptors.allowed() * 7 // 8
