"""Replaces the last blocks of a private chain by others, as a stronger miner would. Knows the nodes' calls.

Each chain ends one block higher than before: the longer one wins.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind


def anvil(node: Anvil, depth: int, *, keep: bool) -> None:
    """Replace blocks; `keep`: each transaction is in the block of the same height again.

    What waits in the pool is mined first: it could not follow the nonces of what vanishes.
    """
    if int(node.rpc("txpool_status")["pending"], 16):
        node.mine()
    first = node.height - depth + 1
    kept = [
        [node.rpc("eth_getRawTransactionByHash", txid), place]
        for place in range(depth)
        for txid in node.rpc("eth_getBlockByNumber", hex(first + place), False)["transactions"]
    ]
    node.rpc("anvil_reorg", depth, kept if keep else [])
    node.rpc("evm_setTime", int(time.time()))  # anvil_reorg puts the chain's clock back
    node.mine()


def litecoind(node: Litecoind, depth: int, *, keep: bool) -> None:
    """Replace blocks; without `keep`, what their payments spent is spent elsewhere in the last new one.

    Only so do they vanish: a node takes back into its mempool what its blocks lose. What spends a young coin
    may not stand in the first of the new blocks, but always in the last.
    """
    lost = _payments(node, depth)
    node.rpc("invalidateblock", node.rpc("getblockhash", node.height - depth + 1))
    if not keep:
        for _ in range(depth):
            node.mine_only()
        node.mine_only(*_elsewhere(node, lost))
        return
    node.mine(depth)
    missing = {payment["txid"] for payment in lost} - {payment["txid"] for payment in _payments(node, depth)}
    for payment in lost:
        if payment["txid"] in missing:
            node.rpc("sendrawtransaction", payment["hex"])
    node.mine()


def _payments(node: Litecoind, depth: int) -> list[dict[str, Any]]:
    """Return the last blocks' transactions, oldest first, but for those that make the coins."""
    height = node.height
    hashes = [node.rpc("getblockhash", number) for number in range(height - depth + 1, height + 1)]
    return [payment for each in hashes for payment in node.rpc("getblock", each, 2)["tx"][1:]]


def _elsewhere(node: Litecoind, lost: Iterable[dict[str, Any]]) -> list[str]:
    """Return raw transactions that take the same coins back to the wallet.

    What spends a lost one goes with it. What the wallet cannot sign was not paid by it, and comes again.
    """
    found, gone = [], set()
    for payment in lost:
        follows = any(coin["txid"] in gone for coin in payment["vin"])
        gone.add(payment["txid"])
        if follows:
            continue
        spent = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in payment["vin"]]
        worth = sum(output["value"] for output in payment["vout"])
        raw = node.rpc("createrawtransaction", spent, [{node.new_address(): str(worth)}])
        signed = node.rpc("signrawtransactionwithwallet", raw)
        if signed["complete"]:
            found.append(str(signed["hex"]))
    return found
