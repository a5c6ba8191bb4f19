"""What the other endpoints have in their mempools: what one node does not list is not gone for that.

Nodes drop, refuse and learn of transactions each for itself; only the word of all proves an absence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chains import bitcoin_calls as ask
from chains.base import NodeMisbehaved, NodeUnavailable
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from chains.rpc import Node, Rpc

_WITHIN = 5
"""Seconds that each other endpoint has to answer."""


async def elsewhere(rpc: Rpc, here: Node, txids: AbstractSet[str]) -> frozenset[str]:
    """Return which of these transactions another endpoint has, or may have because it cannot be asked.

    One that was set aside, because it lags or is on another fork, has no say.
    """
    found: frozenset[str] = frozenset()
    for node in rpc.nodes:
        if node is not here and node.verdict is None and txids - found:
            found |= await _at(rpc, node, txids - found)
    return found


async def _at(rpc: Rpc, node: Node, txids: AbstractSet[str]) -> frozenset[str]:
    """Ask one: an endpoint of another chain has no say, one that does not answer may have them all."""
    try:
        return await rpc.ask(node, lambda asked: _has(asked, sorted(txids)), _WITHIN)
    except NodeUnavailable:
        return frozenset(txids)
    except NodeMisbehaved:
        return frozenset()


async def _has(node: Node, txids: list[str]) -> frozenset[str]:
    if not (await ask.mempool_info(node)).loaded:
        raise NodeUnavailable(f"{node.url}: the node is still loading its mempool")
    answers: list[Any] = await node.calls(
        [("getmempoolentry", [txid]) for txid in txids], of=dict, keep_errors=True
    )
    for answer in answers:
        if isinstance(answer, RpcError) and answer.code != ask.NOT_FOUND:
            raise answer
    return frozenset(t for t, answer in zip(txids, answers, strict=True) if not isinstance(answer, RpcError))
