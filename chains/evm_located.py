"""Where one transaction is, as an EVM node says: for a refund that somebody says was sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from chains.base import AddressError, ChainMoved, Located, NodeMisbehaved, NodeUnavailable, Watched
from chains.evm_blocks import quantity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chains.base import Reading
    from chains.rpc import Node

_ID = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")


def transaction_id(text: str) -> str:
    """Return a transaction's hash in lower case and with 0x; AddressError on what cannot be one."""
    found = _ID.fullmatch(text.strip())
    if found is None:
        raise AddressError("this is not a transaction hash: it has 0x and 64 hex digits here")
    return f"0x{found[1].lower()}"


class _Mined(msgspec.Struct, rename="camel"):
    transaction_hash: str
    block_hash: str
    block_number: str


class _Known(msgspec.Struct, rename="camel"):
    block_hash: str | None = None


async def located(
    node: Node, txid: str, account: bytes, read: Callable[[int, Watched], Awaitable[Reading]]
) -> Located | None:
    """Return where the node has a transaction, and what it credits to an account; None: it knows it not.

    `read` reads one block as the scanner does: what failed, what contracts moved and what tokens say is
    judged there, and nowhere else.
    """
    mined = await node.call("eth_getTransactionReceipt", [txid], of=_Mined | None)
    if mined is None:
        return await _pending(node, txid)
    if mined.transaction_hash.lower() != txid:
        raise NodeMisbehaved(f"{node.url}: asked for {txid}, the node gave another receipt")
    reading = await read(quantity(mined.block_number), Watched({account}))
    (block,) = reading.blocks
    if block.hash != mined.block_hash.lower():
        raise ChainMoved(f"{node.url}: block {block.height} was replaced while it was read")
    return Located(block, tuple(each for each in reading.transfers if each.txid == txid))


async def _pending(node: Node, txid: str) -> Located | None:
    known = await node.call("eth_getTransactionByHash", [txid], of=_Known | None)
    if known is None:
        return None
    if known.block_hash is not None:
        raise NodeUnavailable(f"{node.url}: the node has no receipt of {txid}, which it says is mined")
    return Located(None, None)
