"""All endpoints of one chain: which is in use, which gives way to another, how long each is left alone.

Knows neither HTTP nor a chain. What the endpoints say of each other's blocks is in rpc_survey.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import structlog

from chains.base import EndpointHealth, NodeMisbehaved, NodeUnavailable
from chains.rpc_envelope import AnswerTooLarge, MethodMissing, RpcError
from chains.rpc_known import known
from chains.rpc_node import Node, Use, Verdict
from chains.rpc_survey import Survey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

__all__ = ["AnswerTooLarge", "MethodMissing", "Node", "Rpc", "RpcError", "Survey", "Use", "Verdict", "known"]

LONGEST_BACKOFF = 60.0

T = TypeVar("T")

log = structlog.get_logger()


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

    def now(self) -> float:
        """Return the moment by which waits are measured, in seconds."""
        return self._monotonic()

    @property
    def in_use(self) -> Node:
        """The endpoint lent last, else the one that is lent first."""
        return self._lent or self._order[0]

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        """Lend one endpoint for one consistent read, verified since its last connection or failure.

        The same one is lent until a NodeUnavailable raised inside takes it out of use for a while, or it is
        set aside. One that misbehaves gives way to the others; NodeMisbehaved is raised once all of them do.
        Raises NodeUnavailable when every endpoint has asked for a wait that is not over.
        """
        node = await self._proven()
        try:
            yield node
            await self._prove(node)  # what came over a new connection counts only if it is of this chain
        except NodeUnavailable as error:
            self._failed(node, error)
            raise
        except NodeMisbehaved as error:
            self._refuse(node, error)
            raise self._verdict_of_all(error) from error
        _worked(node)

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[Node]:
        """Lend the endpoint in use for a question beside the reading: its failure changes nothing."""
        node = self._choose()
        await self._prove(node)
        yield node

    async def ask(self, node: Node, question: Callable[[Node], Awaitable[T]], within: float) -> T:
        """Ask one endpoint, in use or not, within so many seconds, once it is proven.

        Raises ChainError. Whatever becomes of it, the endpoint in use stays so, unless it misbehaves.
        """
        if (rest := max(node.asked_until, node.down_until) - self.now()) > 0:
            raise NodeUnavailable(f"{node.error or node.url}; it is left alone for {rest:.0f} s more", rest)
        try:
            async with asyncio.timeout(within):
                await self._prove(node)
                answer = await question(node)
        except (TimeoutError, NodeUnavailable) as error:
            told = error if isinstance(error, NodeUnavailable) else _late(node, within)
            if node is not self.in_use:
                self._failed(node, told)
            raise told from None
        except NodeMisbehaved as error:
            self._refuse(node, error)
            raise
        _worked(node)
        return answer

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
        """Return each endpoint's state: up, down, unknown (not asked yet), lagging or disagrees."""
        return tuple(_health(each) for each in self.nodes)

    async def _proven(self) -> Node:
        """Take into use the best endpoint that proves its chain.

        The one in use is not replaced in silence: what was read from it must not be mixed with what follows.
        """
        while True:
            before, self._lent = self._lent, self._choose()
            node = self._lent
            self._order.remove(node)
            self._order.insert(0, node)
            try:
                await self._prove(node)
            except NodeUnavailable as error:
                self._failed(node, error)
                raise
            except NodeMisbehaved as error:
                self._refuse(node, error)
                verdict = self._verdict_of_all(error)
                if node is before or isinstance(verdict, NodeMisbehaved):
                    raise verdict from error
            else:
                return node

    async def _prove(self, node: Node) -> None:
        async with node.lock:
            if not node.verified:
                await self._verify(node)
                node.verified = True

    def _choose(self) -> Node:
        """Return the first endpoint that is neither failing nor set aside; else the least bad one.

        One that is refused is lent only when all are.
        """
        now = self.now()
        serving = (
            [each for each in self._order if each.use is not Use.NEVER]
            or [each for each in self._order if not each.misbehaves]
            or self._order
        )
        ready = [each for each in serving if each.down_until <= now]
        ready = ready or [each for each in serving if each.asked_until <= now]
        if ready:
            return min(ready, key=lambda each: each.use)
        soonest = min(serving, key=lambda each: each.asked_until)
        wait = soonest.asked_until - now
        raise NodeUnavailable(f"{soonest.error}; it asked to wait {wait:.0f} s more", wait)

    def _failed(self, node: Node, error: NodeUnavailable) -> None:
        now = self.now()
        node.failures += 1
        node.verified, node.state, node.error = False, "down", str(error)
        node.asked_until = now + (error.retry_after or 0.0)
        node.down_until = max(node.asked_until, now + min(LONGEST_BACKOFF, 2.0 ** min(node.failures, 10) / 2))
        self._order.remove(node)
        self._order.append(node)
        others = [each.asked_until for each in self.nodes if each is not node and each.use is not Use.NEVER]
        if error.retry_after is not None and others:
            # The wait is this endpoint's alone: another may be asked at once.
            error.retry_after = min(error.retry_after, max(0.0, min(others) - now)) or None

    def _refuse(self, node: Node, error: NodeMisbehaved) -> None:
        """Never use an endpoint again until it was proven anew."""
        if node.error != str(error):
            log.error("endpoint.refused", endpoint=node.url, reason=str(error))
        node.verified, node.state, node.error, node.verdict = False, "down", str(error), None
        node.misbehaves = True
        self._order.remove(node)
        self._order.append(node)

    def _verdict_of_all(self, error: NodeMisbehaved) -> NodeMisbehaved | NodeUnavailable:
        """Return what one endpoint's misbehaviour means to the chain: little, while another may serve it."""
        if not all(each.misbehaves for each in self.nodes):
            return NodeUnavailable(f"{error}; the other endpoints are asked instead")
        return NodeMisbehaved("; ".join(dict.fromkeys(str(each.error) for each in self.nodes)))


def _worked(node: Node) -> None:
    node.failures, node.down_until, node.state, node.error = 0, 0.0, "up", None
    node.misbehaves = False


def _late(node: Node, within: float) -> NodeUnavailable:
    return NodeUnavailable(f"{node.url}: no answer within {within:g} s")


def _health(node: Node) -> EndpointHealth:
    if node.verdict is None or node.state == "down":
        return EndpointHealth(node.url, node.state, node.height, node.error)
    return EndpointHealth(node.url, node.verdict.state, node.height, node.verdict.reason)
