"""What a node says of blocks whose contents, traces or balances it no longer has, and which those are.

Recently made blocks are never pruned: an answer that sounds like it means a backend that is behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from chains.base import BlocksMissing
from chains.evm_blocks import Block, quantity
from chains.rpc import RpcError

if TYPE_CHECKING:
    from chains.rpc import Node

KEPT = 64
"""Blocks below the head that nodes keep, whatever they prune: geth holds 128 states, reth at least 64."""
_WORDS = (
    "missing trie node",
    "pruned",
    "historical state",
    "state not available",
    "state is not available",
    "state unavailable",
    "state histories",
    "no state available",
    "resource not found",
    "blockoutofrange",
    "distance to target block exceeds",
    "old data not available",
)
"""Parts, in lower case, of what geth, erigon, nethermind, besu, reth and anvil answer."""
TRACES = "the traces"
BALANCES = "the balances"
RECEIPTS = "the receipts"
_WITHOUT = '; traces = "off" reads them without what contracts moved'
_REMEDIES = {
    TRACES: _WITHOUT,
    BALANCES: f"{_WITHOUT}, verify_balance = false without holding a token's credits against them",
}

Look = Callable[[Block], Awaitable[Any]]
"""Asks about one block, and raises if the node has thrown it away."""


def is_told(error: RpcError) -> bool:
    """Tell whether an error says that the node has thrown away what was asked for."""
    return any(words in error.message.lower() for words in _WORDS)


async def refuse(node: Node, error: RpcError, blocks: Sequence[Block], look: Look, what: str) -> None:
    """Raise BlocksMissing with the first and last of these blocks that the node lacks, if it lacks any.

    What is thrown away is the oldest: the first block that is still there ends it.
    """
    if not is_told(error) or node.height is None:
        return
    newest = node.height - KEPT
    old = [block for block in blocks if quantity(block.number) <= newest]
    low, high = 0, len(old)
    while low < high:
        middle = (low + high) // 2
        if await _lacks(look, old[middle]):
            low = middle + 1
        else:
            high = middle
    if low:
        first, last = quantity(old[0].number), quantity(old[low - 1].number)
        message = f"{node.url}: the node no longer has {what} of blocks {first} to {last}"
        message += _REMEDIES.get(what, "")
        raise BlocksMissing(message, first, last)


async def _lacks(look: Look, block: Block) -> bool:
    try:
        await look(block)
    except RpcError as error:
        if is_told(error):
            return True
        raise
    return False
