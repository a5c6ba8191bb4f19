"""Which invoices have to be decided again, beside those that new transfers touch. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from watcher.model import Standing
from watcher.tables import ADDRESS, CHAIN, DEPOSIT, INVOICE, OPTION

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Gap


def due(chain: str, as_of: datetime) -> Select[tuple[str]]:
    """Select the open invoices whose deadline is proven on all of their chains."""
    behind = (
        select(OPTION.c.invoice_id)
        .outerjoin(CHAIN, CHAIN.c.name == OPTION.c.chain)
        .where(
            OPTION.c.invoice_id == INVOICE.c.id,
            OPTION.c.chain != chain,
            CHAIN.c.as_of.is_(None) | (CHAIN.c.as_of < INVOICE.c.due_at),
        )
    )
    here = select(OPTION.c.invoice_id).where(OPTION.c.invoice_id == INVOICE.c.id, OPTION.c.chain == chain)
    return select(INVOICE.c.id).where(INVOICE.c.due_at <= as_of, exists(here), ~exists(behind))


async def maturing(connection: AsyncConnection, chain: str) -> set[str]:
    """Return the invoices with a mined deposit that is not confirmed yet."""
    rows = await connection.scalars(
        select(ADDRESS.c.invoice_id)
        .join(DEPOSIT, (DEPOSIT.c.chain == ADDRESS.c.chain) & (DEPOSIT.c.address == ADDRESS.c.address))
        .where(
            DEPOSIT.c.chain == chain,
            DEPOSIT.c.settled.is_(False),
            DEPOSIT.c.standing == Standing.MINED.value,
            ADDRESS.c.invoice_id.is_not(None),
        )
        .distinct()
    )
    return set(rows)


async def between(connection: AsyncConnection, gap: Gap) -> set[str]:
    """Return the invoices that a new-address gap held back: a deadline may have been proven meanwhile."""
    rows = await connection.scalars(
        select(ADDRESS.c.invoice_id)
        .join(INVOICE, INVOICE.c.id == ADDRESS.c.invoice_id)
        .where(
            ADDRESS.c.chain == gap.chain,
            ADDRESS.c.id > gap.after,
            ADDRESS.c.id <= gap.upto,
            INVOICE.c.due_at.is_not(None),
        )
    )
    return set(rows)
