"""Asks all endpoints of one chain what they say of its blocks: who is set aside, and who agrees on a block.

Knows no chain: its adapter says how a node is asked for its head and for the hash of a block.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import structlog

from chains.base import ChainError, ChainMoved, NodeUnavailable
from chains.rpc_verdicts import GRACE, Sight, held, judge, mark, vouched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from chains.base import BlockRef
    from chains.rpc import Rpc, T
    from chains.rpc_node import Node, Verdict

ANSWER_WITHIN = 5.0
"""Seconds for an endpoint to prove its chain and to answer."""
PATIENCE = (0.25, 0.5, 1.0, 1.0)
"""Seconds to wait, again and again, for endpoints that have yet to receive a block: they get it soon."""

log = structlog.get_logger()


class Survey:
    """Compares the endpoints of one chain."""

    def __init__(
        self,
        rpc: Rpc,
        head: Callable[[Node], Awaitable[int]],
        hash_at: Callable[[Node, int], Awaitable[str | None]],
        agreement: int,
    ) -> None:
        """`head` is the height of a node's best chain, `hash_at` its block there (None above the head).

        `agreement`: how many endpoints have to show a block.
        """
        self._rpc = rpc
        self._head = head
        self._hash_at = hash_at
        self._agreement = agreement
        self._heads: defaultdict[Node, deque[tuple[float, int]]] = defaultdict(deque)

    async def look(self) -> None:
        """Set aside what lags or is on another fork, and take back what does no more; never raises."""
        if len(self._rpc.nodes) < 2:  # noqa: PLR2004 - there is nothing to compare
            return
        sights = await self._sights()
        verdicts = dict(zip(sights, judge([*sights.values()], self._rpc.now()), strict=True))
        for node, sight in sights.items():
            found = verdicts[node]
            if found is None and held(node.verdict, self._rpc.now()):
                found = None if vouched(sight, [*sights.values()]) else node.verdict
            _note(node, found)

    async def agree(self, block: BlockRef) -> None:
        """Raise NodeUnavailable unless enough endpoints show this block, the one in use among them.

        ChainMoved if the one in use shows another by now. Endpoints that do not have it yet are waited for.
        """
        if self._agreement == 1:
            return
        for pause in (*PATIENCE, None):
            said = await self._all(lambda node: self._hash_at(node, block.height))
            ours = said[self._rpc.in_use]
            if isinstance(ours, str) and ours != block.hash:
                raise ChainMoved(f"block {block.height} is {ours} now, not {block.hash}")
            agreeing = sum(each == block.hash for each in said.values())
            if agreeing >= self._agreement and ours is not None and not isinstance(ours, ChainError):
                return
            if pause is None or None not in said.values():
                raise NodeUnavailable(_disagreement(block, self._agreement, said))
            await asyncio.sleep(pause)

    async def _sights(self) -> dict[Node, Sight]:
        """Return what each endpoint shows that answers now."""
        heads = _answered(await self._all(self._head))
        marks = sorted({mark(head) for head in heads.values()})
        for node, head in heads.items():
            node.height = head
            self._heads[node].append((self._rpc.now(), head))

        async def hashes(node: Node) -> dict[int, str]:
            wanted = [height for height in marks if height <= mark(heads[node])]
            found = {height: await self._hash_at(node, height) for height in wanted}
            return {height: hash_ for height, hash_ in found.items() if hash_ is not None}

        return {
            node: Sight(node.url, heads[node], shown, self._earlier(node))
            for node, shown in _answered(await self._all(hashes, [*heads])).items()
        }

    async def _all(
        self, question: Callable[[Node], Awaitable[T]], nodes: Sequence[Node] | None = None
    ) -> dict[Node, T | ChainError]:
        """Ask these endpoints (None: all) at the same time; an error stands in the place of an answer."""
        asked = self._rpc.nodes if nodes is None else nodes
        return dict(
            zip(asked, await asyncio.gather(*(self._one(each, question) for each in asked)), strict=True)
        )

    async def _one(self, node: Node, question: Callable[[Node], Awaitable[T]]) -> T | ChainError:
        try:
            return await self._rpc.ask(node, question, ANSWER_WITHIN)
        except ChainError as error:
            return error

    def _earlier(self, node: Node) -> int | None:
        """Return the head that an endpoint had a grace ago, and forget older ones."""
        seen, limit = self._heads[node], self._rpc.now() - GRACE
        while len(seen) > 1 and seen[1][0] <= limit:
            seen.popleft()
        return seen[0][1] if seen[0][0] <= limit else None


def _answered(said: Mapping[Node, T | ChainError]) -> dict[Node, T]:
    return {node: answer for node, answer in said.items() if not isinstance(answer, ChainError)}


def _note(node: Node, found: Verdict | None) -> None:
    old, node.verdict = node.verdict, found
    if found is None and old is not None:
        log.info("endpoint.returned", endpoint=node.url)
    elif found is not None and (old is None or old.state != found.state):
        event = "endpoint.set_aside" if found.use else "endpoint.disputed"
        log.warning(event, endpoint=node.url, reason=found.reason)


def _disagreement(block: BlockRef, wanted: int, said: Mapping[Node, str | ChainError | None]) -> str:
    told = "; ".join(_says(node, answer) for node, answer in said.items())
    return f"block {block.height} is not shown by {wanted} endpoints, the one in use among them: {told}"


def _says(node: Node, answer: str | ChainError | None) -> str:
    match answer:
        case None:
            return f"{node.url} does not have it yet"
        case str():
            return f"{node.url} shows {answer}"
        case _:
            return str(answer)
