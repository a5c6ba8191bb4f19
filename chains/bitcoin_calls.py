"""The requests that are made to a node of Bitcoin's family, and what its answers and errors mean.

Knows Bitcoin Core's dialect of JSON-RPC (0.14 and later, Litecoin, Dogecoin) and REST; keeps nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from chains.base import BlockRef, BlocksMissing, ChainMoved, NodeUnavailable
from chains.rpc import RpcError

if TYPE_CHECKING:
    from chains.rpc import Node

NO_PARENT = "00" * 32
MISC_ERROR = -1
NOT_FOUND = -5
OUT_OF_RANGE = -8


class ChainInfo(msgspec.Struct):
    """What getblockchaininfo says."""

    blocks: int
    headers: int
    bestblockhash: str
    initialblockdownload: bool = False
    pruned: bool = False
    pruneheight: int = 0


class NetworkInfo(msgspec.Struct):
    """What getnetworkinfo says. `timeoffset`: seconds between the clocks of the node and its peers."""

    subversion: str = ""
    connections: int = 0
    timeoffset: int = 0
    relayfee: Decimal = Decimal(0)


class MempoolInfo(msgspec.Struct):
    """What getmempoolinfo says. Nodes without `loaded` have read their mempool before they answer."""

    size: int = 0
    loaded: bool = True
    mempoolminfee: Decimal = Decimal(0)


class _Header(msgspec.Struct):
    hash: str
    height: int
    time: int
    previousblockhash: str = NO_PARENT


class _Estimate(msgspec.Struct):
    feerate: Decimal = Decimal(0)


class Found(msgspec.Struct):
    """A transaction, and the block that it is in; in none, it is in the mempool."""

    hex: str
    blockhash: str | None = None


async def transaction(node: Node, txid: str, block: str | None = None) -> Found:
    """Return a transaction of the mempool, of the node's index, or of the block that is named.

    RpcError where the node has it not. Versions before Bitcoin Core 0.16 take no block: they look for
    themselves where an output of it is unspent.
    """
    try:
        return await _transaction(node, [txid, True] if block is None else [txid, True, block])
    except RpcError as error:
        if block is None or error.code != MISC_ERROR or "pruned" in error.message:
            raise
    return await _transaction(node, [txid, True])


async def _transaction(node: Node, params: list[object]) -> Found:
    found: Found = await node.call("getrawtransaction", params, of=Found)
    return found


class _Unspent(msgspec.Struct):
    bestblock: str
    confirmations: int


async def block_of_unspent(node: Node, txid: str, outputs: int) -> str | None:
    """Return the block of a transaction of which one of the first outputs is unspent; needs no index."""
    requests = [("gettxout", [txid, vout, False]) for vout in range(outputs)]
    for found in await node.calls(requests, of=_Unspent | None):
        if found is not None:
            head = await block_ref(node, found.bestblock)
            return await block_hash(node, head.height - found.confirmations + 1)
    return None


async def spent(node: Node, txid: str, vout: int) -> bool:
    """Tell whether no unspent output is there any more, what the mempool spends included."""
    return await node.call("gettxout", [txid, vout, True], of=dict | None) is None


async def chain_info(node: Node) -> ChainInfo:
    """Return the state of the node's best chain."""
    info: ChainInfo = await node.call("getblockchaininfo", of=ChainInfo)
    return info


async def kept_from(node: Node) -> int:
    """Return the height of the first block whose contents a pruned node still has; 0 if it keeps all."""
    return (await chain_info(node)).pruneheight


async def network_info(node: Node) -> NetworkInfo:
    """Return the node's version and peers."""
    info: NetworkInfo = await node.call("getnetworkinfo", of=NetworkInfo)
    return info


async def mempool_info(node: Node) -> MempoolInfo:
    """Return the state of the node's mempool."""
    info: MempoolInfo = await node.call("getmempoolinfo", of=MempoolInfo)
    return info


async def peers(node: Node) -> int:
    """Return the number of the node's connections to others."""
    count: int = await node.call("getconnectioncount", of=int)
    return count


async def height(node: Node) -> int:
    """Return the height of the node's best chain."""
    found: int = await node.call("getblockcount", of=int)
    return found


async def genesis(node: Node) -> str:
    """Return the hash of block 0."""
    found: str = await node.call("getblockhash", [0], of=str)
    return found


async def block_hash(node: Node, height: int) -> str | None:
    """Return the hash of the best chain's block at a height, None above its head."""
    try:
        found: str = await node.call("getblockhash", [height], of=str)
    except RpcError as error:
        if error.code == OUT_OF_RANGE:
            return None
        raise
    return found


async def block_hashes(node: Node, first: int, last: int) -> list[str]:
    """Return the hashes of a range; ChainMoved if the best chain ends within it."""
    try:
        found: list[str] = await node.calls(
            [("getblockhash", [height]) for height in range(first, last + 1)], of=str
        )
    except RpcError as error:
        if error.code == OUT_OF_RANGE:
            raise ChainMoved(f"{node.url}: the chain ends below block {last}") from error
        raise
    return found


async def block_ref(node: Node, hash_: str) -> BlockRef:
    """Return the reference of a block that the node named a moment ago."""
    try:
        header = await node.call("getblockheader", [hash_], of=_Header)
    except RpcError as error:
        if error.code == NOT_FOUND:
            raise ChainMoved(f"{node.url}: the node has lost block {hash_}") from error
        raise
    return BlockRef(header.height, header.hash, header.previousblockhash, moment(header.time))


async def raw_block(node: Node, height: int, hash_: str) -> bytes:
    """Return a block's bytes by JSON-RPC. `false` is understood by all versions, 0 only by newer ones."""
    try:
        text = await node.call("getblock", [hash_, False], of=str)
    except RpcError as error:
        if error.code == NOT_FOUND:
            raise ChainMoved(f"{node.url}: the node has lost block {hash_}") from error
        if error.code == MISC_ERROR and "pruned" in error.message:
            message = f"{node.url}: block {height} is pruned; add a node that has it, or prune less"
            raise BlocksMissing(message, height, height) from error
        raise
    return unhex(text, "getblock")


async def fee_rate(node: Node, blocks: int) -> int:
    """Return the fee, in base units per 1,000 virtual bytes, that gets a transaction into so many blocks.

    A node that cannot estimate it (it has seen too little, or keeps no estimates) answers the least that it
    relays.
    """
    estimate = await _estimate(node, blocks)
    return base_units(estimate) if estimate > 0 else await relay_rate(node)


async def relay_rate(node: Node) -> int:
    """Return the least fee that the node relays now, in base units per 1,000 virtual bytes."""
    least = (await mempool_info(node)).mempoolminfee
    return base_units(max(least, (await network_info(node)).relayfee))


async def _estimate(node: Node, blocks: int) -> Decimal:
    try:
        estimate = await node.call("estimatesmartfee", [blocks], of=_Estimate)
    except RpcError:
        return Decimal(0)
    return Decimal(estimate.feerate)


def base_units(coins: Decimal) -> int:
    """Return an amount of coins, as the node prints it, in base units."""
    return int(coins.scaleb(8))


def moment(seconds: int) -> datetime:
    """Return the moment of a Unix time."""
    return datetime.fromtimestamp(seconds, UTC)


def unhex(text: str, method: str) -> bytes:
    """Return the bytes of a hex answer."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NodeUnavailable(f"{method}: the answer is not hex") from None
