"""JSON-RPC and REST over aiohttp: time-outs, failover between endpoints, foreign errors translated.

Knows HTTP and which endpoint is usable; knows no chain. Credentials never reach a message.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from yarl import URL

from chains import rpc_envelope
from chains.base import EndpointHealth, NodeMisbehaved, NodeUnavailable
from chains.rpc_envelope import AnswerTooLarge, MethodMissing, RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

__all__ = ["AnswerTooLarge", "MethodMissing", "Node", "Rpc", "RpcError"]

LARGEST_BODY = 256 * 1024 * 1024
"""Bytes. A 4 MB block in the widest JSON stays below a quarter of it."""
BATCH = 100
"""Requests in one HTTP request; geth allows 1,000, public endpoints often 100."""
LONGEST_BACKOFF = 60.0


class Node:
    """One endpoint. `url` is for showing: it has no user, password, path or query."""

    def __init__(self, url: str, timeout: float) -> None:
        address = URL(url)
        self.url = _shown(address)
        self.height: int | None = None
        self.state = "unknown"
        self.error: str | None = None
        self.verified = False
        self.failures = 0
        self.down_until = 0.0
        self.asked_until = 0.0
        self.lock = asyncio.Lock()
        self._headers = _authorization(address)
        self._address = address.with_user(None)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._ids = count(1)
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, params: Sequence[Any] = (), *, of: Any = Any) -> Any:
        """Return the result of one request, decoded as `of`; a null is a valid result where `of` allows it.

        Raises RpcError for an error of the node, NodeUnavailable for whatever else is not an answer.
        """
        number = next(self._ids)
        body, wait = await self._post(rpc_envelope.request(number, method, params))
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
            return rpc_envelope.results(body, messages, of, wait)
        except AnswerTooLarge:
            if len(requests) == 1:
                raise
        half = len(requests) // 2
        return await self._batch(requests[:half], of) + await self._batch(requests[half:], of)

    async def _post(self, message: Any) -> tuple[bytes, float | None]:
        status, body, wait = await self._send("POST", self._address, msgspec.json.encode(message))
        if status == 413:  # noqa: PLR2004
            raise AnswerTooLarge(f"{self.url}: HTTP 413, the request is too large")
        if status != 200 and not rpc_envelope.is_envelope(body):  # noqa: PLR2004
            raise NodeUnavailable(f"{self.url}: HTTP {status}", wait)
        return body, wait

    async def _send(self, verb: str, target: URL, data: bytes | None) -> tuple[int, bytes, float | None]:
        """Return status, body and the wait in seconds that the node asks for."""
        headers = {"Content-Type": "application/json"} if data is not None else None
        try:
            async with self._open().request(
                verb, target, data=data, headers=headers, allow_redirects=False
            ) as response:
                wait = _seconds(response.headers.get("Retry-After"))
                self._refuse(response.status, wait)
                return response.status, await self._body(response), wait
        except TimeoutError:
            raise NodeUnavailable(f"{self.url}: no answer within {self._timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NodeUnavailable(f"{self.url}: {_reason(error)}") from None

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


class Rpc:
    """All endpoints of one chain, of which one is in use."""

    def __init__(
        self,
        urls: Sequence[str],
        verify: Callable[[Node], Awaitable[None]],
        *,
        timeout: float = 20.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`verify` proves that an endpoint serves the right chain; `timeout` is seconds for one request."""
        self.nodes = tuple(Node(url, timeout) for url in urls)
        self._order = list(self.nodes)
        self._lent: Node | None = None
        self._verify = verify
        self._monotonic = monotonic

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        """Lend one endpoint for one consistent read, verified since its last connection or failure.

        The same one is lent until a NodeUnavailable raised inside takes it out of use for a while.
        Raises NodeUnavailable when every endpoint has asked for a wait that is not over.
        """
        self._lent = node = self._choose()
        self._order.remove(node)
        self._order.insert(0, node)
        try:
            await self._prove(node)
            yield node
        except NodeUnavailable as error:
            self._failed(node, error)
            raise
        except NodeMisbehaved as error:
            node.verified, node.state, node.error = False, "down", str(error)
            raise
        node.failures, node.down_until, node.state, node.error = 0, 0.0, "up", None

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[Node]:
        """Lend the endpoint in use for a question beside the reading: its failure changes nothing."""
        node = self._choose()
        await self._prove(node)
        yield node

    def distrust(self, reason: str) -> None:
        """Take the endpoint lent last out of use for a while, although it answers."""
        if self._lent is not None:
            self._failed(self._lent, NodeUnavailable(f"{self._lent.url}: {reason}"))

    async def prove(self, node: Node) -> None:
        """Verify one endpoint now, whatever is known of it; for checks."""
        node.verified = False
        await self._prove(node)

    async def close(self) -> None:
        """Close all connections."""
        for node in self.nodes:
            node.verified = False
            await node.close()

    def health(self) -> tuple[EndpointHealth, ...]:
        """Return each endpoint's state: up, down or unknown (not asked yet)."""
        return tuple(EndpointHealth(each.url, each.state, each.height, each.error) for each in self.nodes)

    async def _prove(self, node: Node) -> None:
        async with node.lock:
            if not node.verified:
                await self._verify(node)
                node.verified = True

    def _choose(self) -> Node:
        now = self._monotonic()
        for node in self._order:
            if node.down_until <= now:
                return node
        for node in self._order:
            if node.asked_until <= now:
                return node
        soonest = min(self._order, key=lambda each: each.asked_until)
        wait = soonest.asked_until - now
        raise NodeUnavailable(f"{soonest.error}; it asked to wait {wait:.0f} s more", wait)

    def _failed(self, node: Node, error: NodeUnavailable) -> None:
        now = self._monotonic()
        node.failures += 1
        node.verified, node.state, node.error = False, "down", str(error)
        node.asked_until = now + (error.retry_after or 0.0)
        node.down_until = max(node.asked_until, now + min(LONGEST_BACKOFF, 2.0 ** min(node.failures, 10) / 2))
        self._order.remove(node)
        self._order.append(node)


def _authorization(address: URL) -> dict[str, str]:
    if not address.user and not address.password:
        return {}
    return {"Authorization": aiohttp.encode_basic_auth(address.user or "", address.password or "")}


def _shown(address: URL) -> str:
    """Return the URL without what may be a secret: providers put their keys into path and query."""
    rest = "/…" if address.path not in {"", "/"} or address.query_string else ""
    return f"{address.origin()}{rest}"


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header; its other form, a date, counts as absent."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


def _reason(error: BaseException) -> str:
    """Return what went wrong without anything of the request."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the node closed the connection"
    return type(error).__name__
