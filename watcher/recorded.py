"""What the ledger claims to know of one chain: how far it is read, for which addresses, and every deposit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select

from watcher.errors import Refused
from watcher.facts import chunks
from watcher.ids import start
from watcher.money import format_amount
from watcher.tables import ADDRESS, CHAIN, DEPOSIT, GAP, OPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_LONGEST = 18
"""Digits of a row's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositFilter:
    """Which deposits: those placed in these blocks (both included), or those of these transactions."""

    first: int | None = None
    last: int | None = None
    txid: Collection[str] = ()


async def extent(conn: AsyncConnection, chain: str) -> dict[str, Any]:
    """Return how far a chain is read, and which blocks will be read again; Refused (503) before the first."""
    row = (await conn.execute(select(CHAIN).where(CHAIN.c.name == chain))).first()
    if row is None:
        raise Refused("chain_not_ready", f"{chain} was never reached yet", status=503)
    gaps = await conn.execute(select(GAP).where(GAP.c.chain == chain).order_by(GAP.c.id))
    return {
        "chain": chain,
        "chain_id": row.chain_id,
        "genesis": row.genesis,
        "head": {"height": row.height, "hash": row.hash},
        "gaps": [
            {"from": gap.first, "to": gap.last, "after": gap.after, "upto": gap.upto, "reason": gap.reason}
            for gap in gaps
        ],
    }


async def addresses(
    conn: AsyncConnection, chain: str, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of the watched addresses, oldest first, and the cursor of the next.

    `from_height`: every block above it is read for the address.
    """
    query = (
        select(
            ADDRESS.c.id,
            ADDRESS.c.address,
            ADDRESS.c.invoice_id,
            ADDRESS.c.standing_id.label("address_id"),
            ADDRESS.c.key_index.label("index"),
            ADDRESS.c.stray,
            _paid(chain).label("used"),
            func.coalesce(ADDRESS.c.from_height, func.max(OPTION.c.from_height)).label("from_height"),
        )
        .outerjoin(
            OPTION,
            (OPTION.c.invoice_id == ADDRESS.c.invoice_id)
            & (OPTION.c.chain == ADDRESS.c.chain)
            & (OPTION.c.address == ADDRESS.c.address),
        )
        .where(ADDRESS.c.chain == chain, ADDRESS.c.refund.is_(False), ADDRESS.c.id > _number(cursor))
        .group_by(ADDRESS.c.id)
        .order_by(ADDRESS.c.id)
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    shown = [dict(row._mapping) for row in rows[:limit]]  # noqa: SLF001 - its public name
    return shown, _following(rows, limit)


async def deposits(
    conn: AsyncConnection,
    chain: str,
    wanted: DepositFilter,
    page: tuple[str | None, int],
    decimals: Callable[[str, str], int],
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page (cursor, limit) of the deposits, oldest first, and the cursor of the next."""
    cursor, limit = page
    owner = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
    query = (
        select(DEPOSIT, ADDRESS.c.invoice_id, ADDRESS.c.standing_id)
        .outerjoin(ADDRESS, owner)
        .where(DEPOSIT.c.chain == chain, ADDRESS.c.refund.is_not(True), _placed(wanted))
        .where(DEPOSIT.c.id > start(cursor, "pay"))
        .order_by(DEPOSIT.c.id)
        .limit(limit + 1)
    )
    rows = (await conn.execute(query)).all()
    return [_deposit(row, decimals(chain, row.asset)) for row in rows[:limit]], _following(rows, limit)


def _paid(chain: str) -> ColumnElement[bool]:
    return exists().where(
        DEPOSIT.c.chain == chain, DEPOSIT.c.address == ADDRESS.c.address, DEPOSIT.c.block_height.is_not(None)
    )


def _placed(wanted: DepositFilter) -> ColumnElement[bool]:
    if wanted.txid:
        return or_(*(DEPOSIT.c.txid.in_(some) for some in chunks(wanted.txid)))
    height = DEPOSIT.c.block_height
    lower = [] if wanted.first is None else [height >= wanted.first]
    upper = [] if wanted.last is None else [height <= wanted.last]
    return and_(height.is_not(None), *lower, *upper)


def _deposit(row: Any, decimals: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "txid": row.txid,
        "slot": row.slot,
        "asset": row.asset,
        "decimals": decimals,
        "address": row.address,
        "amount": format_amount(row.amount, decimals),
        "standing": row.standing,
        "block_height": row.block_height,
        "block_hash": row.block_hash,
        "invoice_id": row.invoice_id,
        "address_id": row.standing_id,
    }


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST):
        raise Refused("invalid", "must be `next` of an earlier page", field="cursor")
    return int(cursor)


def _following(rows: Sequence[Any], limit: int) -> str | None:
    return str(rows[limit - 1].id) if len(rows) > limit else None
