"""Credits of tokens whose logs alone cannot be trusted, held against the balance (`verify_balance`).

Fee on transfer: the log says 100, 90 arrive. Worse: a log without any movement. What did not arrive in the
block is taken off the block's credits to that account, from the last one backwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chains.base import NodeUnavailable
from chains.evm_blocks import quantity
from chains.evm_moves import reduced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chains.evm_blocks import Block
    from chains.evm_moves import Credit
    from chains.rpc import Node

_BALANCE_OF = "0x70a08231" + "0" * 24


async def confirmed(
    node: Node,
    block: Block,
    contracts: Mapping[str, str],
    found: Sequence[tuple[str, Credit]],
    expected: Mapping[tuple[str, bytes], int],
) -> list[tuple[str, Credit]]:
    """Return the credits that the balances of their accounts bear out.

    `contracts` by asset; `expected` is what the block's logs say that an account's balance grew by.
    """
    kept: list[tuple[str, Credit]] = []
    accounts = list(dict.fromkeys((credit.asset, credit.account) for _, credit in found))
    grown = await _growth(node, block, [(contracts[asset], holder) for asset, holder in accounts])
    for key, growth in zip(accounts, grown, strict=True):
        own = [(txid, credit) for txid, credit in found if (credit.asset, credit.account) == key]
        amounts = reduced([credit.amount for _, credit in own], max(0, expected[key] - growth))
        kept += [
            (txid, each._replace(amount=left))
            for (txid, each), left in zip(own, amounts, strict=True)
            if left
        ]
    return kept


async def _growth(node: Node, block: Block, accounts: Sequence[tuple[str, bytes]]) -> list[int]:
    """Return by how much each balance grew from the block's parent to the block."""
    requests: list[tuple[str, list[Any]]] = []
    for contract, holder in accounts:
        call = {"to": contract, "data": _BALANCE_OF + holder.hex()}
        requests += [("eth_call", [call, {"blockHash": each}]) for each in (block.parent_hash, block.hash)]
    balances = [_balance(each) for each in await node.calls(requests, of=str)]
    return [after - before for before, after in zip(balances[::2], balances[1::2], strict=True)]


def _balance(answer: str) -> int:
    """Return a balance; there is none yet in the block before the contract was made."""
    if answer == "0x":
        return 0
    if len(answer) < 2 + 64:
        raise NodeUnavailable("the node gave no balance of a token")
    return quantity(answer[:66])
