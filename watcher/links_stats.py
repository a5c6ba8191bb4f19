"""What became of the invoices of payment links: how many, how they ended, what was received. Reads only.

Counts are the database's; amounts are added up as exact integers here (SQLite's own end at 2**63).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from watcher.facts import chunks
from watcher.model import Status
from watcher.money import format_amount
from watcher.render import moment
from watcher.tables import INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    Asset = tuple[str, str, int]
    """Chain, asset and decimals."""

_EMPTY = (Status.PENDING, Status.EXPIRED, Status.CANCELLED)
"""Of these nothing is counted."""


class _Sums(msgspec.Struct):
    """Of an option's sums what is asked here."""

    confirmed: int


class _Decision(msgspec.Struct):
    """Of a kept decision what is asked here."""

    options: tuple[_Sums, ...]


@dataclass(slots=True)
class Statistics:
    """What is known of one link's invoices. `received` in base units."""

    statuses: Counter[str] = field(default_factory=Counter)
    last: datetime | None = None
    received: Counter[Asset] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it; the share is a percentage."""
        return {
            "openings": self.statuses.total(),
            "statuses": {status.value: self.statuses[status] for status in Status},
            "paid_percent": self._paid(),
            "received": [
                {"chain": chain, "asset": asset, "amount": format_amount(units, decimals)}
                for (chain, asset, decimals), units in sorted(self.received.items())
            ],
            "last_opened_at": moment(self.last),
        }

    def _paid(self) -> str | None:
        """Return the share of the openings that are paid, in percent with two decimals, half rounded up."""
        every = self.statuses.total()
        if not every:
            return None
        return format_amount((2 * 10_000 * self.statuses[Status.PAID] + every) // (2 * every), 2)


async def statistics(conn: AsyncConnection, ids: Iterable[str]) -> dict[str, Statistics]:
    """Return the statistics of each of these links."""
    wanted = list(ids)
    found = {id_: Statistics() for id_ in wanted}
    for some in chunks(wanted):
        await _count(conn, some, found)
        await _receive(conn, some, found)
    return found


async def _count(conn: AsyncConnection, ids: Sequence[str], found: dict[str, Statistics]) -> None:
    query = (
        select(INVOICE.c.link_id, INVOICE.c.status, func.count(), func.max(INVOICE.c.created_at))
        .where(INVOICE.c.link_id.in_(ids))
        .group_by(INVOICE.c.link_id, INVOICE.c.status)
    )
    for link_id, status, count, last in await conn.execute(query):
        one = found[link_id]
        one.statuses[status] += count
        one.last = max(filter(None, (one.last, last)))


async def _receive(conn: AsyncConnection, ids: Sequence[str], found: dict[str, Statistics]) -> None:
    """Add up what is confirmed and counted, from the kept decisions of the invoices that money came to."""
    paid = INVOICE.c.link_id.in_(ids) & INVOICE.c.status.not_in(_EMPTY)
    ways = select(OPTION.c.invoice_id, OPTION.c.chain, OPTION.c.asset, OPTION.c.decimals)
    ordered = ways.join(INVOICE, OPTION.c.invoice_id == INVOICE.c.id).where(paid).order_by(OPTION.c.position)
    assets: dict[str, list[Asset]] = defaultdict(list)
    for invoice_id, *asset in await conn.execute(ordered):
        assets[invoice_id].append((asset[0], asset[1], asset[2]))
    decided = select(INVOICE.c.id, INVOICE.c.link_id, INVOICE.c.decision).where(paid)
    for id_, link_id, text in await conn.execute(decided):
        sums = msgspec.json.decode(text, type=_Decision).options
        for asset_, one in zip(assets[id_], sums, strict=True):
            if one.confirmed:
                found[link_id].received[asset_] += one.confirmed
