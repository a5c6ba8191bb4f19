"""Receipts of a block, proven complete before anything is concluded from them.

Knows what a truncated, stale or emptied answer looks like; knows nothing of tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from chains.base import ChainMoved, NodeUnavailable
from chains.evm_blocks import Block, Log, Receipt, bloom, bloom_bits, quantity
from chains.rpc import MethodMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chains.rpc import Node

BATCH = 25
"""Blocks whose receipts are asked for in one HTTP request: on a busy chain about 1 MB each."""

Receipts = dict[str, Receipt]
"""By transaction hash."""


async def of_blocks(node: Node, blocks: Sequence[Block]) -> dict[str, Receipts]:
    """Return all receipts of each block, by the block's hash.

    A node without eth_getBlockReceipts is asked for those of each transaction.
    """
    requests = [("eth_getBlockReceipts", [block.hash]) for block in blocks]
    try:
        answers = await node.calls(requests, of=list[Receipt] | None, size=BATCH)
    except MethodMissing:
        return await of_transactions(
            node, {each.hash: [tx.hash for tx in each.transactions] for each in blocks}
        )
    found = {}
    for block, answer in zip(blocks, answers, strict=True):
        if answer is None:
            raise NodeUnavailable(f"the node has no receipts of block {quantity(block.number)}")
        found[block.hash] = _proven(block, answer)
    return found


async def of_transactions(node: Node, wanted: Mapping[str, Sequence[str]]) -> dict[str, Receipts]:
    """Return the receipts of some transactions of each block, by the block's hash."""
    pairs = [(block, txid) for block, txids in wanted.items() for txid in txids]
    requests = [("eth_getTransactionReceipt", [txid]) for _, txid in pairs]
    answers = await node.calls(requests, of=Receipt | None)
    found: dict[str, Receipts] = {block: {} for block in wanted}
    for (block, txid), answer in zip(pairs, answers, strict=True):
        if answer is None or answer.transaction_hash != txid:
            raise NodeUnavailable(f"the node has no receipt of the mined transaction {txid}")
        _belongs(block, answer)
        found[block][txid] = answer
    return found


async def of_unlogged(node: Node, wanted: Mapping[str, Sequence[str]]) -> dict[str, Receipts]:
    """Return the same for blocks without a log that matters: what logs the receipts have are passed over."""
    found = await of_transactions(node, wanted)
    return {
        block: {txid: structs.replace(each, logs=[]) for txid, each in receipts.items()}
        for block, receipts in found.items()
    }


def _proven(block: Block, answer: Sequence[Receipt]) -> Receipts:
    receipts = {each.transaction_hash: each for each in answer}
    for receipt in answer:
        _belongs(block.hash, receipt)
    missing = [tx.hash for tx in block.transactions if tx.hash not in receipts and not tx.is_system]
    if missing:
        raise NodeUnavailable(f"the node left out the receipt of {missing[0]}")
    _no_log_missing(block, answer)
    return receipts


def _belongs(block: str, receipt: Receipt) -> None:
    """Refuse a receipt of another block, or a withdrawn log: both belong to another fork."""
    withdrawn = [log for log in receipt.logs if log.removed]
    if receipt.block_hash != block or withdrawn:
        raise ChainMoved(f"the receipt of {receipt.transaction_hash} belongs to another block")


def _no_log_missing(block: Block, receipts: Sequence[Receipt]) -> None:
    """Refuse a hole in the numbering of the block's logs, and a bloom filter that says more than its logs.

    Not noticed: the block's last log left out while another of its receipt has the same contract and topics.
    """
    logs = [log for receipt in receipts for log in receipt.logs]
    whole = _numbered(logs) or all(_numbered(each.logs) for each in receipts)
    filled = [each for each in receipts if each.logs]
    if not whole or (filled and not _fills(filled[-1])) or any(map(_hollow, receipts)):
        raise NodeUnavailable(f"the node left out a log of block {quantity(block.number)}")


def _numbered(logs: Sequence[Log]) -> bool:
    """Tell whether the logs count from 0: those of a block, or on some chains those of each receipt."""
    return [log.log_index for log in logs] == [hex(number) for number in range(len(logs))]


def _hollow(receipt: Receipt) -> bool:
    return not receipt.logs and bloom(receipt.logs_bloom) > 0


def _fills(receipt: Receipt) -> bool:
    """Tell whether the logs account for every bit of the receipt's bloom filter."""
    expected = bloom(receipt.logs_bloom)
    if expected <= 0:
        return True
    bits = 0
    for value in {each for log in receipt.logs for each in (log.address, *log.topics)}:
        bits |= bloom_bits(bytes.fromhex(value[2:]))
    return bits == expected
