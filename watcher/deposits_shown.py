"""What is known of the addresses that were shown, as far as the arrival of a deposit depends on it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from watcher.facts import chunks
from watcher.tables import ADDRESS, BLOCK, OPTION, REFUND, STANDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, ScalarSelect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Shown:
    """When an address was made, whether it is the caller's own, and the height of the chain at that moment.

    `branched`: another block stands at that height now, so that a payment below it may be a later one.
    `refunds`: it is a payer's, to whom these transactions are said to refund; None where it is ours.
    """

    made_at: datetime
    own: bool
    from_height: int
    branched: bool
    refunds: frozenset[str] | None = None


async def of(
    connection: AsyncConnection, chain: str, addresses: Iterable[str], branch: Mapping[int, str]
) -> dict[str, Shown]:
    """Return what is known of each address; `branch` are blocks about to be absorbed, height to hash."""
    found: dict[str, Shown] = {}
    for some in chunks(addresses):
        rows = (await connection.execute(_rows(chain, some))).all()
        hashes = await _hashes(connection, chain, {r.from_height for r in rows if r.from_hash}) | dict(branch)
        sent = await _sent(connection, chain, [row.address for row in rows if row.refund])
        for row in rows:
            height = -1 if row.from_height is None else row.from_height
            branched = row.from_hash is not None and hashes.get(height, row.from_hash) != row.from_hash
            refunds = frozenset(sent[row.address]) if row.refund else None
            found[row.address] = Shown(row.created_at, row.key_index is None, height, branched, refunds)
    return found


async def _sent(connection: AsyncConnection, chain: str, addresses: list[str]) -> Mapping[str, set[str]]:
    """Return the transactions that are said to refund something to these addresses."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    query = select(REFUND.c.address, REFUND.c.txid).where(
        REFUND.c.chain == chain, REFUND.c.address.in_(addresses), REFUND.c.txid.is_not(None)
    )
    for row in await connection.execute(query) if addresses else ():
        found[row.address].add(row.txid)
    return found


def _rows(chain: str, addresses: list[str]) -> Select[Any]:
    """Select the addresses with what came before, where an invoice or a standing address shows them.

    No GROUP BY: it would lead SQLite through every address of the chain, in the order of their rows.
    """
    mine = (STANDING.c.id == ADDRESS.c.standing_id) & (STANDING.c.chain == ADDRESS.c.chain)
    height = func.coalesce(_newest(OPTION.c.from_height), STANDING.c.from_height, ADDRESS.c.from_height)
    return (
        select(
            ADDRESS.c.address,
            ADDRESS.c.created_at,
            ADDRESS.c.key_index,
            ADDRESS.c.refund,
            height.label("from_height"),
            func.coalesce(_newest(OPTION.c.from_hash), STANDING.c.from_hash).label("from_hash"),
        )
        .outerjoin(STANDING, mine)
        .where(ADDRESS.c.chain == chain, ADDRESS.c.address.in_(addresses))
    )


def _newest(column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Select the largest value of the options that show the address."""
    same = (
        (OPTION.c.invoice_id == ADDRESS.c.invoice_id)
        & (OPTION.c.chain == ADDRESS.c.chain)
        & (OPTION.c.address == ADDRESS.c.address)
    )
    return select(func.max(column)).where(same).correlate(ADDRESS).scalar_subquery()


async def _hashes(connection: AsyncConnection, chain: str, heights: Iterable[int]) -> dict[int, str]:
    """Return the kept blocks at these heights; deeper ones cannot change any more."""
    query = select(BLOCK.c.height, BLOCK.c.hash).where(BLOCK.c.chain == chain, BLOCK.c.height.in_(heights))
    return {row.height: row.hash for row in await connection.execute(query)}
