"""The confirmed credits out of which a refund can be paid, with the indexes of their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from chains.base import UNATTRIBUTED, Coin
from watcher.facts import chunks
from watcher.refunds import LIVE
from watcher.tables import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record
    from watcher.model import Refund
    from watcher.refund_plan import Plan


async def coins(connection: AsyncConnection, wanted: Plan) -> list[Coin]:
    """Return what was received and is confirmed, in the order of its arrival."""
    chain = wanted.place[0]
    deposits = [p.deposit for p in wanted.payments]
    indexes = await _indexes(connection, chain, {d.address for d in deposits})
    return [
        Coin(d.asset, d.txid, d.slot, d.address, d.amount, d.block, indexes.get(d.address))
        for d in deposits
        if d.block is not None and not d.slot.startswith(UNATTRIBUTED)
    ]


async def _indexes(
    connection: AsyncConnection, chain: str, addresses: Collection[str]
) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for some in chunks(addresses):
        query = select(ADDRESS.c.address, ADDRESS.c.key_index)
        rows = await connection.execute(query.where(ADDRESS.c.chain == chain, ADDRESS.c.address.in_(some)))
        found |= {row.address: row.key_index for row in rows}
    return found


def used(record: Record, apart_from: Refund | None) -> set[tuple[str, str]]:
    """Return the outputs, by transaction and slot, that other refunds of the invoice are to spend."""
    return {
        (spent["txid"], f"vout:{spent['vout']}")
        for refund in record.refunds
        if refund.state in LIVE and (apart_from is None or refund.id != apart_from.id)
        for spent in (refund.unsigned or {}).get("inputs", ())
        if "vout" in spent
    }
