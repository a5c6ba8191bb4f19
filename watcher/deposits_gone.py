"""Retires unconfirmed deposits that are gone: replaced, dropped, reorganised. In the ledger's transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from watcher.model import Standing
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Batch

KEPT_IN_MEMPOOLS = timedelta(hours=336)
"""What another node may still have, it has forgotten after so long (Bitcoin Core's -mempoolexpiry)."""

FLOATING = (Standing.MEMPOOL.value, Standing.UNPLACED.value)
"""Where a deposit stands that no block holds, and that may still come or go."""


async def drop(
    connection: AsyncConnection,
    batch: Batch,
    spent: Mapping[str, str],
    live: set[tuple[str, str]] | None,
) -> set[str]:
    """Retire the unconfirmed deposits that something replaced or, if the mempool was read, that left it.

    They are not settled before somebody has looked at what became of them.
    """
    chain, missed = batch.chain, batch.mempool.missed if batch.mempool else frozenset()
    rows = await connection.execute(
        select(
            DEPOSIT.c.id,
            DEPOSIT.c.txid,
            DEPOSIT.c.slot,
            DEPOSIT.c.address,
            DEPOSIT.c.standing,
            DEPOSIT.c.spends,
            DEPOSIT.c.arrived_at,
        ).where(DEPOSIT.c.chain == chain, DEPOSIT.c.settled.is_(False), DEPOSIT.c.standing.in_(FLOATING))
    )
    changed: set[str] = set()
    for row in rows.all():
        may_stand = row.txid in missed and batch.observed_at - row.arrived_at < KEPT_IN_MEMPOOLS
        standing = _fate(row, spent, None if may_stand else live)
        if standing is None:
            continue
        await connection.execute(
            update(DEPOSIT).where(DEPOSIT.c.id == row.id).values(standing=standing.value, settled=False)
        )
        changed.add(row.address)
    return changed


def _fate(row: Any, spent: Mapping[str, str], live: set[tuple[str, str]] | None) -> Standing | None:
    """Return what became of an unconfirmed deposit; None while it may still stand."""
    if live is not None and (row.txid, row.slot) in live:
        return None
    was_mined = row.standing == Standing.UNPLACED
    if any(spent.get(outpoint, row.txid) != row.txid for outpoint in json.loads(row.spends)):
        return Standing.REORGANISED if was_mined else Standing.REPLACED
    if live is None:
        return None
    return Standing.REORGANISED if was_mined else Standing.DROPPED
