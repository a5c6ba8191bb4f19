"""How value moved inside contracts is found, and which of the ways an endpoint offers.

Asking is the only proof: a method that is missing is not offered, any other error means "unknown".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from chains import evm_native_logs
from chains.base import NodeUnavailable
from chains.evm_blocks import NOBODY, Block, Header, Receipt, quantity
from chains.rpc import MethodMissing, RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.rpc import Node

TRACES = "traces"
PARITY = "parity"
LOGS = "logs"
BALANCE = "balance"
NONE = "none"

ORDER = (TRACES, PARITY, LOGS, BALANCE, NONE)
"""The best first. The first three tell of each movement; `balance` only of what an account has in the end."""
EQUAL = frozenset({TRACES, PARITY})
"""These two name a movement alike: one may take over from the other at any block."""
INVALID_PARAMS = -32602
LOOKED_AT = 20
"""The newest blocks in which a transaction is looked for that shows whether the chain logs its coin."""

UNSEEN = {
    LOGS: "coins sent from inside contracts before the chain began to log its coin show in balances only",
    BALANCE: "coins sent from inside contracts are reported as unattributed, not counted as payments",
    NONE: "coins sent from inside contracts (exchanges, smart wallets) are not seen",
}
"""What a mode does not see."""


class Offer(NamedTuple):
    """What an endpoint can tell: its mode, and whether it gives balances at a block named by its hash."""

    mode: str
    by_hash: bool


def is_lesser(mode: str, best: str) -> bool:
    """Tell whether an endpoint of this mode would miss, or name otherwise, what another one tells."""
    return mode != best and not {mode, best} <= EQUAL and ORDER.index(mode) > ORDER.index(best)


async def offered(node: Node, wanted: str, *, by_hash: bool) -> str:
    """Return the endpoint's mode: the best it has (`wanted` "auto"), or the one that is demanded of it."""
    match wanted:
        case "off":
            return NONE
        case "auto":
            return await _best(node, by_hash=by_hash)
    if wanted != LOGS and not await _has(node, wanted, by_hash=by_hash):
        raise NodeUnavailable(
            f'{node.url}: the node does not offer what traces = "{wanted}" demands; '
            'use another node, or set traces = "auto"'
        )
    return wanted


async def balances_by_hash(node: Node) -> bool:
    """Tell whether the node gives balances at a block that is named by its hash (EIP-1898).

    One that cannot says that the parameters are wrong; any other error means "unknown".
    """
    head = await node.call("eth_getBlockByNumber", ["latest", False], of=Header)
    try:
        await node.call("eth_getBalance", [NOBODY, {"blockHash": head.hash}], of=str)
    except RpcError as error:
        if not isinstance(error, MethodMissing) and error.code != INVALID_PARAMS:
            raise
        return False
    return True


async def _best(node: Node, *, by_hash: bool) -> str:
    for mode in ORDER:
        if mode == NONE or await _has(node, mode, by_hash=by_hash):
            return mode
    return NONE


async def _has(node: Node, mode: str, *, by_hash: bool) -> bool:
    if mode == BALANCE:
        return by_hash
    if mode == LOGS:
        return await _logs_its_coin(node)
    head = await node.call("eth_getBlockByNumber", ["latest", False], of=Header)
    if mode == TRACES:
        return await _answers(node, "debug_traceBlockByHash", [head.hash, {"tracer": "callTracer"}])
    return await _answers(node, "trace_block", [head.number])


async def _logs_its_coin(node: Node) -> bool:
    """Look at the newest successful transaction that moves value; without one nothing is known: False."""
    head = await node.call("eth_getBlockByNumber", ["latest", True], of=Block)
    top = quantity(head.number)
    for height in range(top, max(-1, top - LOOKED_AT), -1):
        block = await node.call("eth_getBlockByNumber", [hex(height), True], of=Block | None)
        for tx in evm_native_logs.paying(block.transactions) if block is not None else ():
            receipt = await node.call("eth_getTransactionReceipt", [tx.hash], of=Receipt | None)
            if receipt is not None and receipt.succeeded:
                return evm_native_logs.tells(tx, receipt)
    return False


async def _answers(node: Node, method: str, params: Sequence[Any]) -> bool:
    try:
        await node.call(method, params)
    except MethodMissing:
        return False
    except RpcError as error:
        if "genesis is not traceable" in error.message:  # geth, on a chain without a block yet
            return True
        message = f'{error}; if the node cannot trace at all, set traces = "off" for this chain'
        raise NodeUnavailable(f"{node.url}: {message}", error.retry_after) from None
    return True
