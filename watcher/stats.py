"""Statistics: how invoices ended and how long their payers took, per chain and asset. Reads columns only.

An invoice belongs to one group: the way to pay that was paid the largest part of, else the first one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, exists, select, type_coerce

from watcher.model import Exceptional, Standing
from watcher.stats_tally import Tally
from watcher.tables import DEPOSIT, INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    Group = tuple[str, str]
    """Chain and asset."""

_AT_ONCE = 1000
"""Rows between two moments in which others may work."""

_THERE = (Standing.MEMPOOL.value, Standing.MINED.value, Standing.UNPLACED.value)
_LATE = f",{Exceptional.LATE.value},"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsFilter:
    """Which invoices; what is empty or None does not restrict. Made at `after` or later, before `before`."""

    after: datetime | None = None
    before: datetime | None = None
    chain: Collection[str] = ()
    asset: Collection[str] = ()


async def statistics(conn: AsyncConnection, wanted: StatsFilter, expires_in: int) -> dict[str, Any]:
    """Return the total and each group as the API shows them; `expires_in` is the present default."""
    groups: defaultdict[Group, Tally] = defaultdict(Tally)
    async for row, group in grouped(conn, wanted):
        groups[group].add(row.status, late=is_late(row), first=row.first, full=row.full)
    total = Tally()
    for tally in groups.values():
        total.merge(tally)
    return {
        "total": total.shown(expires_in),
        "groups": [
            {"chain": chain, "asset": asset, **groups[chain, asset].shown(expires_in)}
            for chain, asset in sorted(groups)
        ],
    }


async def grouped(conn: AsyncConnection, wanted: StatsFilter) -> AsyncIterator[tuple[Row[Any], Group]]:
    """Yield each invoice with the chain and asset that it belongs to; its times in microseconds."""
    elsewhere = await _paid_elsewhere(conn, wanted)
    async for row in stream(conn, _invoices(wanted)):
        chain, asset = elsewhere.get(row.id, (row.chain, row.asset))
        if _in(wanted.chain, chain) and _in(wanted.asset, asset):
            yield row, (chain, asset)


def is_late(row: Row[Any]) -> bool:
    """Return whether money for an invoice came after its deadline, and waits or was accepted."""
    return _LATE in row.exceptions


def _in(names: Collection[str], name: str) -> bool:
    """Return whether a filter lets a name through; one without names lets all through."""
    return not names or name in names


async def stream(conn: AsyncConnection, query: Select[Any]) -> AsyncIterator[Row[Any]]:
    """Yield rows without ever holding all of them, or the process."""
    async with conn.stream(query) as result:
        async for rows in result.partitions(_AT_ONCE):
            for row in rows:
                yield row


def _invoices(wanted: StatsFilter) -> Select[Any]:
    """Select the invoices with their first way to pay, and its times in microseconds."""
    first = and_(OPTION.c.invoice_id == INVOICE.c.id, OPTION.c.position == 0)
    return (
        select(
            INVOICE.c.id,
            INVOICE.c.status,
            INVOICE.c.exceptions,
            type_coerce(INVOICE.c.created_at, BigInteger).label("created"),
            _since_creation(INVOICE.c.first_at).label("first"),
            _since_creation(INVOICE.c.full_at).label("full"),
            OPTION.c.chain,
            OPTION.c.asset,
        )
        .join(OPTION, first)
        .where(*_period(wanted))
    )


def _since_creation(column: Column[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger) - type_coerce(INVOICE.c.created_at, BigInteger)


def _period(wanted: StatsFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.after is not None:
        yield INVOICE.c.created_at >= wanted.after
    if wanted.before is not None:
        yield INVOICE.c.created_at < wanted.before


async def _paid_elsewhere(conn: AsyncConnection, wanted: StatsFilter) -> dict[str, Group]:
    """Return the group of each invoice of which another way than the first was paid the largest part."""
    found: dict[str, Group] = {}
    rows: list[Row[Any]] = []
    async for row in stream(conn, _parts(wanted)):
        if rows and row.invoice_id != rows[0].invoice_id:
            found |= _other(rows)
            rows = []
        rows.append(row)
    return found | _other(rows)


def _other(rows: list[Row[Any]]) -> dict[str, Group]:
    """Judge the payments of one invoice, which come by position."""
    parts = {
        position: (sum(row.amount for row in paid), paid[0])
        for position, paid in ((p, list(some)) for p, some in groupby(rows, attrgetter("position")))
    }
    best = max(parts, key=lambda p: (Fraction(parts[p][0], parts[p][1].expected), -p), default=0)
    if best == 0:
        return {}
    row = parts[best][1]
    return {row.invoice_id: (row.chain, row.asset)}


def _parts(wanted: StatsFilter) -> Select[Any]:
    """Select what was paid of each way, where an invoice has several."""
    second = OPTION.alias("second")
    several = exists().where(second.c.invoice_id == INVOICE.c.id, second.c.position == 1)
    paid = and_(
        DEPOSIT.c.chain == OPTION.c.chain,
        DEPOSIT.c.address == OPTION.c.address,
        DEPOSIT.c.asset == OPTION.c.asset,
        DEPOSIT.c.arrived_at >= INVOICE.c.created_at,
        DEPOSIT.c.standing.in_(_THERE),
    )
    names = (OPTION.c.invoice_id, OPTION.c.position, OPTION.c.chain, OPTION.c.asset, OPTION.c.expected)
    return (
        select(*names, DEPOSIT.c.amount)
        .select_from(INVOICE)
        .join(OPTION, OPTION.c.invoice_id == INVOICE.c.id)
        .join(DEPOSIT, paid)
        .where(INVOICE.c.first_at.is_not(None), several, *_period(wanted))
        .order_by(INVOICE.c.created_at, INVOICE.c.id, OPTION.c.position)
    )
