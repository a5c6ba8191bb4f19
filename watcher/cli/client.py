"""A client of the HTTP API: through the running daemon's socket, or one of our own while no daemon runs.

Knows where the API is found and how its errors read; knows no command.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from watcher.cli.failure import FAILED, WRONG_USAGE, Failure
from watcher.cli.names import as_sent
from watcher.lock import Locked, socket_path

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from watcher.cli.names import Names
    from watcher.settings import Settings

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds to wait for another process that has the database and does not answer: it may be starting."""

_PAUSE = 0.1
_TIMEOUT = aiohttp.ClientTimeout(total=60)
_PAGE = 200
_USERS_FAULT = {400, 413, 422}
_CROWDED = {429, 503}
_SHOWN = 500
_SILENT = "the daemon does not answer; look at its log, then try again"
_BROKEN = "the daemon's answer broke off ({}); see whether it runs"


class Unreachable(Failure):
    """The daemon is not there, says nothing, or has no room: later it may."""


class Api:
    """The HTTP API, called as the operator. Every refusal is a Failure with one line."""

    def __init__(self, session: aiohttp.ClientSession, *, daemon: bool) -> None:
        """`daemon`: whether a running daemon answers, so that what is asked for happens at once."""
        self._session = session
        self.daemon = daemon

    async def get(self, path: str, query: Mapping[str, Any] | None = None, names: Names = as_sent) -> Any:
        """Return what is there."""
        return await self._call("GET", path, query=query, names=names)

    async def post(self, path: str, body: Any = None, names: Names = as_sent) -> Any:
        """Send a body; `names` says what the user wrote for each field of it."""
        return await self._call("POST", path, body=body or {}, names=names)

    async def delete(self, path: str) -> None:
        """Remove what is there."""
        await self._call("DELETE", path)

    async def download(
        self, path: str, query: Mapping[str, Any], write: Callable[[bytes], object], names: Names = as_sent
    ) -> None:
        """Hand over what is there piece by piece, however long all of it takes; Failure if it breaks off."""
        url, patience = _url(path, query), aiohttp.ClientTimeout(sock_read=_TIMEOUT.total)
        try:
            async with self._session.get(url, timeout=patience) as response:
                if not response.ok:
                    raise _refusal(response.status, await response.json(), names)
                async for piece in response.content.iter_any():
                    write(piece)
        except TimeoutError:
            raise Unreachable(_SILENT) from None
        except aiohttp.ClientError as error:
            raise Unreachable(_BROKEN.format(error)) from None

    async def lines(
        self, path: str, query: Mapping[str, Any], silence: float, names: Names = as_sent
    ) -> AsyncGenerator[bytes, None]:
        """Yield what is there line by line, until it ends or says nothing for so many seconds."""
        url, patience = _url(path, query), aiohttp.ClientTimeout(sock_read=silence)
        try:
            async with self._session.get(url, timeout=patience) as response:
                if not response.ok:
                    raise _refusal(response.status, await response.json(), names)
                async for line in response.content:
                    yield line
        except TimeoutError:
            raise Unreachable(_SILENT) from None
        except aiohttp.ClientError as error:
            raise Unreachable(_BROKEN.format(error)) from None

    async def listing(
        self, path: str, query: Mapping[str, Any], limit: int, names: Names = as_sent
    ) -> dict[str, Any]:
        """Return the first `limit` items of a list as one page."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            size = min(_PAGE, limit - len(found))
            paging = {"limit": size} | ({"cursor": cursor} if cursor else {})
            answer = await self._call("GET", path, query={**query, **paging}, names=names)
            found += answer["data"]
            cursor = answer["next"]
            if cursor is None or len(found) >= limit:
                return {"data": found, "next": cursor}

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        names: Names = as_sent,
    ) -> Any:
        url = _url(path, query or {})
        try:
            async with self._session.request(method, url, json=body) as response:
                answer: Any = await response.json() if response.status != HTTPStatus.NO_CONTENT else None
        except TimeoutError:
            raise Unreachable(_SILENT) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise Unreachable(_BROKEN.format(error)) from None
        if not response.ok:
            raise _refusal(response.status, answer, names)
        return answer


def part(text: str) -> str:
    """Return a user's word as one part of a path."""
    return quote(text, safe="")


def _url(path: str, query: Mapping[str, Any]) -> URL:
    return URL(f"http://watcher{path}", encoded=True).with_query(_given(query))


def _refusal(status: int, answer: Mapping[str, Any], names: Names) -> Failure:
    line = _line(answer["error"], names)
    if status in _CROWDED:
        return Unreachable(line)
    return Failure(line, WRONG_USAGE if status in _USERS_FAULT else FAILED)


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the user did not say; write truth values as the API reads them."""
    present = {name: value for name, value in query.items() if value not in (None, [], ())}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in present.items()}


def _line(error: Mapping[str, str], names: Names) -> str:
    field = error.get("field")
    message = error["message"][:_SHOWN]
    return f"{names(field)}: {message}" if field else message


def run(settings: Settings, work: Callable[[Api], Awaitable[T]], *, introduce: bool = False) -> T:
    """Do something through the API, and return what came of it.

    `introduce`: where no daemon runs, learn first where the chains stand, as a new invoice needs it.
    """

    async def whole() -> T:
        async with connect(settings, introduce=introduce) as api:
            return await work(api)

    return asyncio.run(whole())


@asynccontextmanager
async def connect(
    settings: Settings, *, introduce: bool = False, required: str | None = None
) -> AsyncIterator[Api]:
    """Yield the API. `required`: what to say where no daemon runs and only a running one would do."""
    async with AsyncExitStack() as stack:
        path, daemon = await _find(settings, stack, introduce=introduce, required=required)
        connector = aiohttp.UnixConnector(path=str(path))
        session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        yield Api(await stack.enter_async_context(session), daemon=daemon)


async def _find(
    settings: Settings, stack: AsyncExitStack, *, introduce: bool, required: str | None
) -> tuple[Path, bool]:
    """Return a socket that answers, and whether it is the daemon's.

    A socket file without a daemon is a leftover: the lock is free then. Whoever holds the lock without
    answering is starting, stopping or another command: wait for it a while.
    """
    path = socket_path(settings.database.path)
    deadline = monotonic() + _PATIENCE
    while True:
        if await answers(path):
            return path, True
        if required is not None:
            raise Unreachable(required)
        try:
            return await _own(settings, stack, introduce=introduce), False
        except Locked as locked:
            if monotonic() > deadline:
                raise Failure(f"{locked}, which does not answer; it may be starting: try again") from None
        await asyncio.sleep(_PAUSE)


async def answers(path: Path) -> bool:
    """Whether a daemon listens on a socket; Failure if this user may not ask it."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await writer.wait_closed()
    except PermissionError:
        raise Failure(f"{path} is another user's; run this as the user that the daemon runs as") from None
    except OSError:
        return False
    return True


async def _own(settings: Settings, stack: AsyncExitStack, *, introduce: bool) -> Path:
    """Serve the API ourselves; all that this needs is imported only now."""
    from watcher.cli import own

    return await stack.enter_async_context(own.serve(settings, introduce=introduce))
