"""How many addresses in a row were shown and never paid: wallets stop looking for money behind such a run.

A wallet that is restored from the same key looks 20 unused addresses ahead (BIP-44's gap limit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from watcher.tables import ADDRESS, DEPOSIT

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

GAP_LIMIT = 20
"""BIP-44: unused addresses in a row after which a wallet stops looking."""

_LOOKED_AT = 200
"""Addresses at most: nobody needs to know how far above the limit a longer run is."""


async def unused(connection: AsyncConnection, chain: str) -> int:
    """Return how many indexes lie above the newest derived address that a block pays, up to the newest shown.

    An index that another chain with the same key took is unused here, too. At most 200 addresses are
    looked at.
    """
    paid = exists().where(
        DEPOSIT.c.chain == chain, DEPOSIT.c.address == ADDRESS.c.address, DEPOSIT.c.block_height.is_not(None)
    )
    derived = (ADDRESS.c.chain == chain) & ADDRESS.c.key_index.is_not(None) & ADDRESS.c.stray.is_(False)
    query = select(ADDRESS.c.key_index, paid).where(derived).order_by(ADDRESS.c.id.desc()).limit(_LOOKED_AT)
    rows = (await connection.execute(query)).all()
    if not rows:
        return 0
    below = min(index for index, _ in rows) - 1 if len(rows) == _LOOKED_AT else -1
    return int(max(i for i, _ in rows) - max((i for i, used in rows if used), default=below))
