"""Lists: which invoices match the filters, newest first, one page at a time.

Reads columns only; what an invoice looks like is not its business.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, or_, select, union_all

from watcher.errors import Refused
from watcher.listing_search import Search, found_by
from watcher.tables import ADDRESS, CHAIN, DEPOSIT, INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement, CompoundSelect, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the creation and id of its last row, opaque to clients."""

    created_at: datetime
    id: str

    def encode(self) -> str:
        """Return the cursor as clients hand it back."""
        text = json.dumps([(self.created_at - _EPOCH) // _MICROSECOND, self.id])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read one back; Refused if it is none of ours."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            moment, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            created = _EPOCH + timedelta(microseconds=moment)
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            raise _not_ours() from None
        if not isinstance(moment, int) or not isinstance(id_, str) or not id_.isascii():
            raise _not_ours()
        return cls(created, id_)


def _not_ours() -> Refused:
    return Refused("invalid", "must be `next` of an earlier page", field="cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFilter:
    """Which invoices; what is empty or None does not restrict. `created_after` is included."""

    status: Collection[str] = ()
    chain: Collection[str] = ()
    asset: Collection[str] = ()
    order_id: Collection[str] = ()
    link_id: Collection[str] = ()
    address: Collection[str] = ()
    txid: Collection[str] = ()
    exception: Collection[str] = ()
    needs_action: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    search: Search | None = None


def below(table: Table, cursor: Cursor | None) -> list[ColumnElement[bool]]:
    """Return the condition for what comes after a cursor in a list by `created_at` and `id`, newest first."""
    if cursor is None:
        return []
    created, id_ = table.c.created_at, table.c.id
    begin = created <= cursor.created_at  # what an index can begin at
    return [begin, or_(created < cursor.created_at, id_ < cursor.id)]


async def invoices(
    conn: AsyncConnection, wanted: InvoiceFilter, cursor: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Return the ids of one page, newest first, and the cursor of the next page, None on the last."""
    start = Cursor.decode(cursor) if cursor is not None else None
    rows = (await conn.execute(query(wanted, start, limit))).all()
    return [row.id for row in rows[:limit]], following(rows, limit)


def query(
    wanted: InvoiceFilter, start: Cursor | None, limit: int
) -> Select[tuple[str, datetime]] | CompoundSelect[tuple[str, datetime]]:
    """Return what reads one page and one row more.

    Of several statuses each is read along its index, and no further than the page goes.
    """
    wishes = [replace(wanted, status=[status]) for status in dict.fromkeys(wanted.status)] or [wanted]
    first, *others = (_matching(wish, start) for wish in wishes)
    found = union_all(first, *others) if others else first
    created, id_ = found.selected_columns.created_at, found.selected_columns.id
    return found.order_by(created.desc(), id_.desc()).limit(limit + 1)


def _matching(wanted: InvoiceFilter, start: Cursor | None) -> Select[tuple[str, datetime]]:
    return select(INVOICE.c.id, INVOICE.c.created_at).where(*_conditions(wanted), *below(INVOICE, start))


def following(rows: Sequence[object], limit: int) -> str | None:
    """Return the cursor after the last row of a page that was read with one row too many."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return Cursor(last.created_at, last.id).encode()  # type: ignore[attr-defined]


def _conditions(wanted: InvoiceFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.status:
        yield _status(wanted)
    if wanted.order_id:
        yield INVOICE.c.order_id.in_(wanted.order_id)
    if wanted.link_id:
        yield INVOICE.c.link_id.in_(wanted.link_id)
    if wanted.exception:
        yield or_(*(INVOICE.c.exceptions.contains(f",{e},", autoescape=True) for e in wanted.exception))
    if wanted.needs_action is not None:
        yield _waits(wanted=wanted.needs_action)
    if wanted.created_after:
        yield INVOICE.c.created_at >= wanted.created_after
    if wanted.created_before:
        yield INVOICE.c.created_at < wanted.created_before
    yield from _related(wanted)


def _status(wanted: InvoiceFilter) -> ColumnElement[bool]:
    """Few have an order, a link, an address or a transaction: SQLite would rather read all of a status."""
    few = wanted.order_id or wanted.link_id or wanted.address or wanted.txid
    return (INVOICE.c.status.concat("") if few else INVOICE.c.status).in_(wanted.status)


def _waits(*, wanted: bool) -> ColumnElement[bool]:
    """Few wait: an index finds them. Nearly all do not: said as `IS NOT`, that keeps off no better index."""
    return INVOICE.c.needs_action.is_(True) if wanted else INVOICE.c.needs_action.is_not(True)


def _related(wanted: InvoiceFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that ask other tables, too."""
    if wanted.chain or wanted.asset or wanted.address:
        yield _option(wanted)
    if wanted.txid:
        yield _paid_by(wanted.txid)
    if wanted.search:
        yield found_by(wanted.search)


def _option(wanted: InvoiceFilter) -> ColumnElement[bool]:
    """One and the same option has to match.

    Few have an address: its index finds them. Else each invoice's own options are looked at, newest first:
    SQLite would rather read all that a chain has, for each invoice again, could it use the index of chains.
    """
    chain, asset, address = OPTION.c.chain, OPTION.c.asset, OPTION.c.address
    same_asset = [asset.in_(wanted.asset)] if wanted.asset else []
    if wanted.address:
        chains = chain.in_(wanted.chain or select(CHAIN.c.name))
        found = select(OPTION.c.invoice_id).where(chains, address.in_(wanted.address), *same_asset)
        return INVOICE.c.id.in_(found)
    same_chain = [chain.concat("").in_(wanted.chain)] if wanted.chain else []
    return exists().where(OPTION.c.invoice_id == INVOICE.c.id, *same_chain, *same_asset)


def _paid_by(txids: Collection[str]) -> ColumnElement[bool]:
    """Return whether a recorded deposit of such a transaction reached one of the invoice's addresses."""
    same = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
    paid = select(ADDRESS.c.invoice_id).join(DEPOSIT, same).where(DEPOSIT.c.txid.in_(txids))
    return INVOICE.c.id.in_(paid)
