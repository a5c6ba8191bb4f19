"""Keeps a growth that nothing explained from being told beside the credits that explain it.

A block read by balances and then, by command or by another node, with traces is the same block: what the one
reading could not attribute, the other names. Inside the ledger's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from chains.base import UNATTRIBUTED
from watcher.model import Standing
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import Transfer

Place = tuple[str, str, str]
"""A block's hash, an address and an asset."""


async def unexplained(
    connection: AsyncConnection, chain: str, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Return the transfers, each unattributed growth less what is recorded of its block under other names."""
    told = {(transfer.txid, transfer.slot) for transfer in transfers}
    left: list[Transfer] = []
    for transfer in transfers:
        if not transfer.slot.startswith(UNATTRIBUTED):
            left.append(transfer)
            continue
        amount = transfer.amount - await _recorded(connection, chain, transfer, told)
        if amount > 0:
            left.append(replace(transfer, amount=amount))
    return left


async def _recorded(
    connection: AsyncConnection, chain: str, growth: Transfer, told: set[tuple[str, str]]
) -> int:
    rows = await connection.execute(
        select(DEPOSIT.c.txid, DEPOSIT.c.slot, DEPOSIT.c.amount).where(
            DEPOSIT.c.chain == chain,
            DEPOSIT.c.address == growth.address,
            DEPOSIT.c.asset == growth.asset,
            DEPOSIT.c.block_hash == growth.txid,
            DEPOSIT.c.standing == Standing.MINED.value,
            DEPOSIT.c.slot.not_like(f"{UNATTRIBUTED}%"),
        )
    )
    return sum(row.amount for row in rows if (row.txid, row.slot) not in told)


async def attribute(connection: AsyncConnection, chain: str, found: Iterable[Transfer]) -> None:
    """Withdraw what these credits explain: a growth of the same block that is not larger than their sum."""
    sums: defaultdict[Place, int] = defaultdict(int)
    for transfer in found:
        if transfer.block is not None and not transfer.slot.startswith(UNATTRIBUTED):
            sums[transfer.block.hash, transfer.address, transfer.asset] += transfer.amount
    for (block, address, asset), amount in sums.items():
        growth = (
            (DEPOSIT.c.chain == chain)
            & (DEPOSIT.c.txid == block)
            & (DEPOSIT.c.slot == f"{UNATTRIBUTED}{asset}:{address}")
            & (DEPOSIT.c.standing == Standing.MINED.value)
            & (DEPOSIT.c.amount <= amount)
        )
        gone = {"standing": Standing.REORGANISED.value, "settled": False}
        await connection.execute(update(DEPOSIT).where(growth).values(**gone))
