"""Movements of the chain's own coin as its logs tell them (EIP-7708). Pure: receipts in, movements out.

A transaction's own value is logged, too: it is taken from the transaction, as in every other mode, and its
log is passed over, so that nothing counts twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains import evm_tokens
from chains.evm_blocks import account, bloom_bits, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chains.evm_blocks import Block, Receipt, Tx
    from chains.evm_moves import Move
    from chains.evm_receipts import Receipts

EMITTER = "0xfffffffffffffffffffffffffffffffffffffffe"
"""EIP-4788's SYSTEM_ADDRESS, in whose name the chain logs each movement of its coin."""
MASKS = (bloom_bits(bytes.fromhex(EMITTER[2:])) | bloom_bits(bytes.fromhex(evm_tokens.TRANSFER[2:])),)
"""The bits that a block's bloom filter has when its coin moved in it."""


def paying(transactions: Iterable[Tx]) -> Iterator[Tx]:
    """Yield the transactions that carry value to another account: if they succeed, they are logged."""
    for tx in transactions:
        if quantity(tx.value) > 0 and tx.sender != tx.to and not tx.is_system:
            yield tx


def tells(tx: Tx, receipt: Receipt) -> bool:
    """Tell whether the receipt logs what a successful, paying transaction carried."""
    return _own(tx, receipt, _moves(receipt, "")) is not None


def shows(block: Block, receipts: Receipts) -> bool | None:
    """Tell whether the chain logged its coin in this block; None if nothing in it can show that."""
    for tx in paying(block.transactions):
        receipt = receipts.get(tx.hash)
        if receipt is not None and receipt.succeeded:
            return tells(tx, receipt)
    return True if any(_moves(receipt, "") for receipt in receipts.values()) else None


def inner_moves(tx: Tx, receipt: Receipt, asset: str) -> list[Move]:
    """Return what moved below the transaction's own value, in the order of execution, as "log:n"."""
    moves = _moves(receipt, asset)
    own = _own(tx, receipt, moves)
    return [move for place, move in enumerate(moves) if place != own]


def _moves(receipt: Receipt, asset: str) -> list[Move]:
    return list(evm_tokens.moves(receipt.logs, {EMITTER: asset}))


def _own(tx: Tx, receipt: Receipt, moves: list[Move]) -> int | None:
    """Return the place of the log that repeats the transaction's own value; None without one."""
    carried = (account(tx.sender), account(tx.to or receipt.contract_address), quantity(tx.value))
    places = (n for n, move in enumerate(moves) if (move.sender, move.to, move.amount) == carried)
    return next(places, None)
