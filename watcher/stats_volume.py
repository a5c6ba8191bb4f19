"""What money came, by asset and time: deposits that count for invoices, and those to standing addresses.

The same money as in the export: its confirmed lines that are counted, gross, by the time of their block; what
is good without one goes by when it was first seen. Sums are exact integers. Reads only.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, or_, select

from watcher.model import PaymentStatus, Standing, Status
from watcher.money import format_amount
from watcher.receipts import Last
from watcher.render import moment
from watcher.stats import stream
from watcher.tables import ADDRESS, DEPOSIT, INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Column, ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.buckets import Bucket
    from watcher.render import Links
    from watcher.stats import StatsFilter

    Asset = tuple[str, str, int]
    """Chain, asset and decimals."""

_WITH_MONEY = (
    Status.PARTIAL,
    Status.CONFIRMING,
    Status.PAID,
    Status.UNDERPAID,
    Status.REFUNDING,
    Status.REFUNDED,
)
"""Of all others nothing is counted."""

_HERE = (DEPOSIT.c.chain == ADDRESS.c.chain) & (DEPOSIT.c.address == ADDRESS.c.address)
_THERE = (Standing.MEMPOOL.value, Standing.MINED.value, Standing.UNPLACED.value)


class _Block(msgspec.Struct):
    time: datetime


class _Deposit(msgspec.Struct):
    amount: int
    arrived_at: datetime
    block: _Block | None


class _Payment(msgspec.Struct):
    deposit: _Deposit
    option: int | None
    status: str
    counted: bool


class _Decision(msgspec.Struct):
    """Of a kept decision what is asked here."""

    payments: tuple[_Payment, ...]


_DECODER = msgspec.json.Decoder(_Decision)


class Volume:
    """Money added up by asset and bucket, in base units; an asset may once have had other decimals."""

    def __init__(self, bucket: Bucket) -> None:
        """`bucket` is what stands together."""
        self._bucket = bucket
        self._found: dict[tuple[str, str], dict[datetime, dict[str, Counter[int]]]] = {}

    def add(self, asset: Asset, amount: int, at: datetime, source: str) -> None:
        """Add a payment; `source` says to what it came: "invoices" or "addresses"."""
        chain, symbol, decimals = asset
        points = self._found.setdefault((chain, symbol), {})
        point = points.setdefault(self._bucket.start(at), {"invoices": Counter(), "addresses": Counter()})
        point[source][decimals] += amount

    def shown(self) -> list[dict[str, Any]]:
        """Return it as the API shows it."""
        return [
            {"chain": chain, "asset": asset, "amount": _total(points.values()), "points": _points(points)}
            for (chain, asset), points in sorted(self._found.items())
        ]


def _points(points: Mapping[datetime, Mapping[str, Counter[int]]]) -> list[dict[str, Any]]:
    return [
        {
            "start": moment(start),
            "amount": _total([points[start]]),
            **{source: _text(units) for source, units in points[start].items()},
        }
        for start in sorted(points)
    ]


def _total(points: Iterable[Mapping[str, Counter[int]]]) -> str:
    units: Counter[int] = Counter()
    for point in points:
        for part in point.values():
            units.update(part)
    return _text(units)


def _text(units: Counter[int]) -> str:
    """Return base units, by their decimals, as one amount."""
    most = max(units, default=0)
    return format_amount(sum(amount * 10 ** (most - decimals) for decimals, amount in units.items()), most)


async def volume(conn: AsyncConnection, wanted: StatsFilter, bucket: Bucket, links: Links) -> Volume:
    """Add up the money of the period."""
    found = Volume(bucket)
    await _of_invoices(conn, wanted, found)
    await _of_addresses(conn, wanted, found, links)
    return found


async def _of_invoices(conn: AsyncConnection, wanted: StatsFilter, found: Volume) -> None:
    names = (OPTION.c.position, OPTION.c.chain, OPTION.c.asset, OPTION.c.decimals, INVOICE.c.decision)
    query = (
        select(*names)
        .select_from(INVOICE)
        .join(OPTION, OPTION.c.invoice_id == INVOICE.c.id)
        .where(*_with_money(wanted), *_filters(wanted, OPTION.c.chain, OPTION.c.asset))
    )
    async for row in stream(conn, query):
        for one in _DECODER.decode(row.decision).payments:
            deposit = one.deposit
            at = deposit.block.time if deposit.block else deposit.arrived_at
            if one.option == row.position and _is_good(one) and _is_inside(at, wanted):
                found.add((row.chain, row.asset, row.decimals), deposit.amount, at, "invoices")


def _with_money(wanted: StatsFilter) -> Iterable[ColumnElement[bool]]:
    """Leave out the invoices to whose addresses nothing came in the period, however old the others are.

    The payments lead to them: SQLite would rather look at all of a status, could it use the index of those.
    """
    came = _came(wanted)
    if came is None:
        return [INVOICE.c.status.in_(_WITH_MONEY)]
    paid = select(ADDRESS.c.invoice_id).join(DEPOSIT, _HERE).where(came)
    return [INVOICE.c.status.concat("").in_(_WITH_MONEY), INVOICE.c.id.in_(paid)]


def _came(wanted: StatsFilter) -> ColumnElement[bool] | None:
    """Return whether a deposit came in the period, in a form that its index of times serves; None: always."""
    if wanted.after is None and wanted.before is None:
        return None
    mined, seen = DEPOSIT.c.block_time, DEPOSIT.c.arrived_at
    return or_(and_(*_period(mined, wanted)), and_(mined.is_(None), *_period(seen, wanted)))


def _period(column: Column[Any], wanted: StatsFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.after is not None:
        yield column >= wanted.after
    if wanted.before is not None:
        yield column < wanted.before


def _is_good(one: _Payment) -> bool:
    return one.counted and one.status == PaymentStatus.CONFIRMED


async def _of_addresses(conn: AsyncConnection, wanted: StatsFilter, found: Volume, links: Links) -> None:
    """Add up what was last told of as confirmed: each deposit that is its customer's and deep enough."""
    came = _came(wanted)
    good = DEPOSIT.c.told.startswith(f"{Last.CONFIRMED.value} ") & DEPOSIT.c.standing.in_(_THERE)
    query = (
        select(
            DEPOSIT.c.chain,
            DEPOSIT.c.asset,
            DEPOSIT.c.amount,
            DEPOSIT.c.arrived_at,
            DEPOSIT.c.block_time,
        )
        .join_from(ADDRESS, DEPOSIT, _HERE)
        .where(ADDRESS.c.standing_id.is_not(None), good, *_filters(wanted, DEPOSIT.c.chain, DEPOSIT.c.asset))
        .where(*() if came is None else (came,))
    )
    async for row in stream(conn, query):
        at = row.block_time or row.arrived_at
        if _is_inside(at, wanted):
            asset = (row.chain, row.asset, links.decimals(row.chain, row.asset))
            found.add(asset, row.amount, at, "addresses")


def _filters(wanted: StatsFilter, chain: Any, asset: Any) -> Iterable[ColumnElement[bool]]:
    return [column.in_(names) for column, names in ((chain, wanted.chain), (asset, wanted.asset)) if names]


def _is_inside(at: datetime, wanted: StatsFilter) -> bool:
    return (wanted.after is None or at >= wanted.after) and (wanted.before is None or at < wanted.before)
