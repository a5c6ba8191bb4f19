"""Addresses that were shown, as rows, inside the caller's transaction.

One that is shown for a chain is watched on every chain with the same accounts, too: money sent to the right
account on the wrong network is found there (a stray), and belongs to whatever showed the address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select
from sqlalchemy.orm import aliased

from watcher.tables import ADDRESS, CHAIN, DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Shown:
    """An address as its invoice, or its standing address, shows it.

    `index` is that below the key, None where the caller brought it.
    """

    address: str
    script: bytes
    index: int | None
    at: datetime
    invoice_id: str | None = None
    standing_id: str | None = None


async def in_use(connection: AsyncConnection, chain: str, address: str) -> bool:
    """Whether the address is watched on this chain already, for whatever reason."""
    found = select(ADDRESS.c.id).where(ADDRESS.c.chain == chain, ADDRESS.c.address == address)
    return await connection.scalar(found) is not None


async def take(connection: AsyncConnection, chain: str, shown: Shown, height: int) -> bool:
    """Make an address somebody's own; False if another had it. `height` is what is absorbed of the chain.

    One that is watched for strays or a refund alone, and that nothing has reached, is free: it gets a new
    row, which no gap of older blocks names, so that its invoice waits for none of them.
    """
    mine = (ADDRESS.c.chain == chain) & (ADDRESS.c.address == shown.address)
    row = (await connection.execute(select(ADDRESS.c.stray, ADDRESS.c.refund).where(mine))).first()
    if row is None:
        await connection.execute(insert(ADDRESS), _row(chain, shown, height))
        return True
    reached = exists().where(DEPOSIT.c.chain == chain, DEPOSIT.c.address == shown.address)
    if not (row.stray or row.refund) or await connection.scalar(select(reached)):
        return False
    await connection.execute(delete(ADDRESS).where(mine))
    await connection.execute(insert(ADDRESS), _row(chain, shown, height))
    return True


async def watch_elsewhere(connection: AsyncConnection, shown: Shown, heights: Mapping[str, int]) -> None:
    """Watch an address for strays on these chains, from the heights absorbed of each."""
    for chain, height in heights.items():
        if not await in_use(connection, chain, shown.address):
            await connection.execute(insert(ADDRESS), {**_row(chain, shown, height), "stray": True})


async def share(connection: AsyncConnection, chain: str, namespace: str) -> int:
    """Watch every address of the chains with the same accounts on this one, too; return how many are new."""
    other = aliased(ADDRESS)
    height = await connection.scalar(select(CHAIN.c.height).where(CHAIN.c.name == chain))
    known = exists().where(other.c.chain == chain, other.c.address == ADDRESS.c.address)
    oldest = (
        select(func.min(ADDRESS.c.id))
        .join(CHAIN, CHAIN.c.name == ADDRESS.c.chain)
        .where(
            CHAIN.c.chain_id.startswith(f"{namespace}:", autoescape=True),
            CHAIN.c.name != chain,
            ADDRESS.c.stray.is_(False),
            ADDRESS.c.refund.is_(False),
            ~known,
        )
        .group_by(ADDRESS.c.address)
    )
    rows = (await connection.execute(select(ADDRESS).where(ADDRESS.c.id.in_(oldest)))).all()
    copies = [
        {**row._mapping, "chain": chain, "from_height": height, "stray": True}  # noqa: SLF001 - its public name
        for row in rows
    ]
    for copy in copies:
        del copy["id"]
    if copies:
        await connection.execute(insert(ADDRESS), copies)
    return len(copies)


def _row(chain: str, shown: Shown, height: int) -> dict[str, object]:
    return {
        "chain": chain,
        "address": shown.address,
        "script": shown.script,
        "key_index": shown.index,
        "invoice_id": shown.invoice_id,
        "standing_id": shown.standing_id,
        "created_at": shown.at,
        "from_height": height,
    }
