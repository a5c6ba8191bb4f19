"""JSON-RPC and REST over aiohttp to one endpoint: time-outs, batches, foreign errors translated.

Knows HTTP; knows no chain. Credentials never reach a message.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from chains import rpc_envelope, rpc_http, rpc_secrets
from chains.base import NodeUnavailable
from chains.rpc_envelope import AnswerTooLarge, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_BODY = 256 * 1024 * 1024
"""Bytes. A 4 MB block in the widest JSON stays below a quarter of it."""
BATCH = 100
"""Requests in one HTTP request; geth allows 1,000, public endpoints often 100."""


class Use(IntEnum):
    """Whether an endpoint may be lent: NEVER is while another could be."""

    FREELY = 0
    LAST = 1
    NEVER = 2


class Verdict(NamedTuple):
    """What a comparison with the other endpoints found: `state` and `reason` are for showing.

    `at` is the moment, on the monotonic clock, at which it was found last.
    """

    state: str
    reason: str
    use: Use
    at: float


class Node:
    """One endpoint. `url` is for showing: it has no user, password, path or query."""

    def __init__(self, url: str, timeout: float) -> None:
        address = URL(url)
        self.url = rpc_http.shown(address)
        self.height: int | None = None
        self.state = "unknown"
        self.error: str | None = None
        self.verified = False
        self.misbehaves = False
        self.verdict: Verdict | None = None
        self.failures = 0
        self.down_until = 0.0
        self.asked_until = 0.0
        self.lock = asyncio.Lock()
        self._secrets = rpc_secrets.secrets_in(url)
        self._headers = rpc_http.authorization(address)
        self._address = address.with_user(None)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._ids = count(1)
        self._session: aiohttp.ClientSession | None = None

    @property
    def use(self) -> Use:
        """Whether it may be lent."""
        if self.misbehaves:
            return Use.NEVER
        return self.verdict.use if self.verdict is not None else Use.FREELY

    async def call(
        self, method: str, params: Sequence[Any] = (), *, of: Any = Any, patience: float | None = None
    ) -> Any:
        """Return the result of one request, decoded as `of`; a null is a valid result where `of` allows it.

        `patience` in seconds, where a request may take longer than others.
        Raises RpcError for an error of the node, NodeUnavailable for whatever else is not an answer.
        """
        number = next(self._ids)
        body, wait = await self._post(rpc_envelope.request(number, method, params), patience)
        with self._discreet():
            return rpc_envelope.result(body, number, method, of, wait)

    async def calls(
        self,
        requests: Sequence[tuple[str, Sequence[Any]]],
        *,
        of: Any = Any,
        keep_errors: bool = False,
        size: int = BATCH,
    ) -> list[Any]:
        """Return the results of many requests in their order, sent as batches of at most `size`.

        An error of any is raised, or with `keep_errors` stands as an RpcError in its place. A batch that is
        too large for the node is halved.
        """
        found: list[Any] = []
        for start in range(0, len(requests), size):
            found += await self._batch(requests[start : start + size], of)
        errors = [each for each in found if isinstance(each, RpcError)]
        if errors and not keep_errors:
            raise errors[0]
        return found

    async def get(self, path: str) -> bytes | None:
        """Return the body of a REST resource below the endpoint's root, None if there is none (404)."""
        target = self._address.join(URL(path, encoded=True))
        status, body, wait = await self._send("GET", target, None)
        if status == 404:  # noqa: PLR2004 - the number is the name
            return None
        if status != 200:  # noqa: PLR2004
            raise NodeUnavailable(f"{self.url}: HTTP {status} for {path.partition('?')[0]}", wait)
        return body

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _batch(self, requests: Sequence[tuple[str, Sequence[Any]]], of: Any) -> list[Any]:
        messages = [rpc_envelope.request(next(self._ids), method, params) for method, params in requests]
        try:
            body, wait = await self._post(messages)
            with self._discreet():
                found = rpc_envelope.results(body, messages, of, wait)
        except AnswerTooLarge:
            if len(requests) == 1:
                raise
        else:
            for error in found:
                if isinstance(error, RpcError):
                    error.hide(self._secrets)
            return found
        half = len(requests) // 2
        return await self._batch(requests[:half], of) + await self._batch(requests[half:], of)

    @contextmanager
    def _discreet(self) -> Iterator[None]:
        """Let no error repeat what the node may repeat: our credentials, and the tokens of its URL."""
        try:
            yield
        except RpcError as error:
            error.hide(self._secrets)
            raise
        except NodeUnavailable as error:
            error.args = (rpc_secrets.without(str(error), self._secrets), *error.args[1:])
            raise

    async def _post(self, message: Any, patience: float | None = None) -> tuple[bytes, float | None]:
        status, body, wait = await self._send("POST", self._address, msgspec.json.encode(message), patience)
        if status == 413:  # noqa: PLR2004
            raise AnswerTooLarge(f"{self.url}: HTTP 413, the request is too large")
        if status != 200 and not rpc_envelope.is_envelope(body):  # noqa: PLR2004
            raise NodeUnavailable(f"{self.url}: HTTP {status}", wait)
        return body, wait

    async def _send(
        self, verb: str, target: URL, data: bytes | None, patience: float | None = None
    ) -> tuple[int, bytes, float | None]:
        """Return status, body and the wait in seconds that the node asks for."""
        limit = self._timeout if patience is None else aiohttp.ClientTimeout(total=patience)
        headers = {"Content-Type": "application/json"} if data is not None else None
        try:
            async with self._open().request(
                verb, target, data=data, headers=headers, allow_redirects=False, timeout=limit
            ) as response:
                wait = rpc_http.seconds(response.headers.get("Retry-After"))
                self._refuse(response.status, wait)
                return response.status, await self._body(response), wait
        except TimeoutError:
            raise NodeUnavailable(f"{self.url}: no answer within {limit.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NodeUnavailable(f"{self.url}: {rpc_http.reason(error)}") from None

    def _refuse(self, status: int, wait: float | None) -> None:
        if status in {401, 403}:
            raise NodeUnavailable(f"{self.url}: HTTP {status}, the node refuses the user or password")
        if status == 429:  # noqa: PLR2004
            raise NodeUnavailable(f"{self.url}: HTTP 429, too many requests", wait)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > LARGEST_BODY:
                response.close()
                raise AnswerTooLarge(f"{self.url}: the answer is larger than {LARGEST_BODY} bytes")
            parts.append(part)
        return b"".join(parts)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(self._connected)
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=self._timeout,
                trace_configs=[trace],
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _connected(self, *_: object) -> None:
        """Whatever is at the other end of a new connection has yet to prove which chain it serves."""
        self.verified = False
