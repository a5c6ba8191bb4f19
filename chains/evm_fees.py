"""What an account paid for the transactions that it sent, as their receipts tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chains.base import NodeUnavailable
from chains.evm_balances import Held
from chains.evm_blocks import account, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.evm_blocks import Block
    from chains.evm_differences import Books
    from chains.rpc import Node


class Bill(msgspec.Struct, rename="camel"):
    """The part of a receipt that tells the fee. `l1_fee` is what rollups of the OP family add to it."""

    transaction_hash: str
    gas_used: str
    effective_gas_price: str | None = None
    l1_fee: str | None = None
    blob_gas_used: str | None = None
    blob_gas_price: str | None = None

    @property
    def total(self) -> int:
        """The fee in base units of the coin."""
        gas = quantity(self.gas_used) * quantity(self.effective_gas_price or "0x0")
        blobs = quantity(self.blob_gas_used or "0x0") * quantity(self.blob_gas_price or "0x0")
        return gas + blobs + quantity(self.l1_fee or "0x0")


async def explain(
    node: Node, blocks: Sequence[Block], watched: set[bytes], native: str, books: Books
) -> None:
    """Note what the watched accounts paid for their own transactions in these blocks."""
    sent = [
        (place, sender, tx.hash)
        for place, block in enumerate(blocks)
        for tx in block.transactions
        if (sender := account(tx.sender)) in watched and sender is not None
    ]
    requests = [("eth_getTransactionReceipt", [txid]) for _, _, txid in sent]
    for (place, sender, txid), bill in zip(sent, await node.calls(requests, of=Bill | None), strict=True):
        if bill is None or bill.transaction_hash != txid:
            raise NodeUnavailable(f"the node has no receipt of the mined transaction {txid}")
        books.explain(Held(native, sender), place, -bill.total)
        books.spenders.add((sender, place))
