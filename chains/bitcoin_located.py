"""Where one transaction is, as a node of Bitcoin's family says: for a refund that somebody says was sent.

Believes bytes that hash to the transaction's id, and blocks of the best chain. Keeps nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chains import bitcoin_calls as ask
from chains.base import AddressError, ChainMoved, NodeUnavailable
from chains.bitcoin_transaction import Transaction, parse_transaction
from chains.bitcoin_wire import WireError
from chains.rpc import RpcError

if TYPE_CHECKING:
    from chains.base import BlockRef
    from chains.bitcoin_wire import Dialect
    from chains.rpc import Node

_OUTPUTS = 100
"""So many outputs are looked at for one that is unspent: a refund has two, a batch of them some more."""
_ID = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")


def transaction_id(text: str) -> str:
    """Return a transaction's id in lower case and without 0x; AddressError on what cannot be one."""
    found = _ID.fullmatch(text.strip())
    if found is None:
        raise AddressError("this is not a transaction id: it has 64 hex digits here")
    return found[1].lower()


async def located(
    node: Node, txid: str, script: bytes, dialect: Dialect
) -> tuple[BlockRef | None, Transaction] | None:
    """Return a transaction that the node knows, what it pays to a script, and its block; None: unknown.

    The mempool, the node's index of transactions, if it has one, and the unspent outputs are looked at. What
    a block holds that is not, or no longer, in the best chain, nobody knows.
    """
    found = await _found(node, txid)
    if found is None:
        return None
    try:
        transaction = parse_transaction(ask.unhex(found.hex, "getrawtransaction"), txid, dialect, {script})
    except WireError as error:
        raise NodeUnavailable(f"{node.url}: {error}") from error
    if found.blockhash is None:
        return None, transaction
    block = await _in_best_chain(node, found.blockhash)
    return None if block is None else (block, transaction)


async def _found(node: Node, txid: str) -> ask.Found | None:
    found = await _asked(node, txid)
    if found is None and (block := await ask.block_of_unspent(node, txid, _OUTPUTS)) is not None:
        found = await _asked(node, txid, block)
        if found is None:
            raise ChainMoved(f"{node.url}: transaction {txid} has left block {block}")
    return found


async def _asked(node: Node, txid: str, block: str | None = None) -> ask.Found | None:
    try:
        return await ask.transaction(node, txid, block)
    except RpcError as error:
        if error.code == ask.NOT_FOUND:
            return None
        raise


async def _in_best_chain(node: Node, hash_: str) -> BlockRef | None:
    """Return the block if the best chain has it: nodes answer from replaced ones, too."""
    try:
        block = await ask.block_ref(node, hash_)
    except ChainMoved:
        return None
    return block if await ask.block_hash(node, block.height) == hash_ else None
