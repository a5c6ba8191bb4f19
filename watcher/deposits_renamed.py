"""Recognises a credit that is told again under another name.

A node that traces calls it "call:0.1", one that logs its coin "log:3": the chain is the same, and so is the
money. Pure.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from watcher.model import Standing

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from chains.base import Transfer


def unrepeated(
    transfers: Sequence[Transfer], known: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[Transfer]:
    """Yield the transfers that are not recorded in their very block under a slot that is not told now.

    `known`: what is recorded of their transactions, by transaction and slot. Each recorded credit stands for
    one transfer of the same amount to the same address.
    """
    told = {(transfer.txid, transfer.slot) for transfer in transfers}
    named = Counter(
        (row["txid"], row["block_hash"], row["address"], row["asset"], row["amount"])
        for name, row in known.items()
        if name not in told and row["block_hash"] is not None
    )
    for transfer in transfers:
        if (transfer.txid, transfer.slot) not in known and transfer.block is not None:
            credit = (transfer.txid, transfer.block.hash, transfer.address, transfer.asset, transfer.amount)
            if named[credit]:
                named[credit] -= 1
                continue
        yield transfer


def former(
    transfer: Transfer, told: Container[tuple[str, str]], lost: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any] | None:
    """Return what is recorded of a mined transfer under a name that is not `told`, among what lost its place.

    It came back under this name: as two, one would count without a place until it is known to be gone.
    """
    if transfer.block is None:
        return None
    credit = (transfer.txid, transfer.address, transfer.asset, transfer.amount, Standing.UNPLACED)
    for name, row in lost.items():
        recorded = (row["txid"], row["address"], row["asset"], row["amount"], row["standing"])
        if name not in told and recorded == credit:
            return row
    return None
