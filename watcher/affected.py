"""Which invoices and standing addresses have to be decided again. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from watcher.facts import chunks
from watcher.model import RefundState, Standing
from watcher.tables import ADDRESS, CHAIN, DEPOSIT, INVOICE, OPTION, REFUND

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    """Return the subjects with a mined deposit, or with a refund on its way, that is not confirmed yet."""
    open_ = select(DEPOSIT.c.address).where(
        DEPOSIT.c.chain == chain,
        DEPOSIT.c.settled.is_(False),
        DEPOSIT.c.standing == Standing.MINED.value,
    )
    sent = (REFUND.c.chain == chain) & (REFUND.c.state == RefundState.SENT.value)
    refunding = set(await connection.scalars(select(REFUND.c.invoice_id).where(sent)))
    return refunding | await subjects(connection, chain, set(await connection.scalars(open_)))


async def subjects(connection: AsyncConnection, chain: str, addresses: Iterable[str]) -> set[str]:
    """Return whom these addresses concern: invoices, standing addresses, and invoices that refund to them."""
    found: set[str | None] = set()
    for some in chunks(addresses):
        owners = select(ADDRESS.c.invoice_id, ADDRESS.c.standing_id).where(
            ADDRESS.c.chain == chain, ADDRESS.c.address.in_(some)
        )
        for row in await connection.execute(owners):
            found |= {row.invoice_id, row.standing_id}
        refunded = select(REFUND.c.invoice_id).where(
            REFUND.c.chain == chain, REFUND.c.address.in_(some), REFUND.c.txid.is_not(None)
        )
        found |= set(await connection.scalars(refunded))
    return {subject for subject in found if subject}


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
