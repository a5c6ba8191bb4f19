"""Whether a payment link may be opened now, by what became of its invoices; what an opening leaves behind.

A stranger who opens a link without paying takes nothing away for long: an invoice that was cancelled, or that
ended with nothing received, is no use of its link. How many nobody has paid is limited, since each takes an
address for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, not_, select

from watcher import audit, render_payer
from watcher.errors import Refused
from watcher.facts import chunks
from watcher.model import Status
from watcher.tables import INVOICE, LINK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

OPEN_LIMIT = 100
"""Invoices of one link that wait for their first payment, at most, at a time."""

IDLE_LIMIT = 1000
"""Invoices of one link that were made in the last day and for which nobody paid, at most."""

_DAY = timedelta(days=1)
_RETRY = 60
"""Seconds after which it is worth trying again: the shortest life of an invoice."""

_NOTHING_CAME = and_(
    INVOICE.c.exceptions.in_(("", ",")), INVOICE.c.needs_action.is_(False), INVOICE.c.first_at.is_(None)
)
_FREED = and_(INVOICE.c.status.in_((Status.EXPIRED, Status.CANCELLED)), _NOTHING_CAME)
_WAITING = and_(INVOICE.c.status == Status.PENDING, _NOTHING_CAME)


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a link was used, how many of its invoices wait for money, and how many came to nothing."""

    used: int = 0
    waiting: int = 0
    idle: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a link, as it takes part in the transaction that makes its invoice."""

    link_id: str

    async def admit(self, conn: AsyncConnection, now: datetime) -> None:
        """Refuse it if the link may not be opened now: what was true before may no longer be."""
        row = await find(conn, self.link_id)
        refused = obstacle(row, (await uses(conn, [row.id], now))[row.id], now)
        if refused:
            raise refused

    async def answer(self, conn: AsyncConnection, shown: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Note it, and return of the invoice what its payer may see."""
        await audit.note(conn, audit.PAYER, "link.open", self.link_id, now, invoice=shown["id"])
        return render_payer.invoice(shown)


async def find(conn: AsyncConnection, id_: str) -> Row[Any]:
    """Return a link's row; Refused (404) if there is none any more."""
    row = (await conn.execute(select(LINK).where(LINK.c.id == id_))).one_or_none()
    if row is None or row.removed_at is not None:
        raise Refused("not_found", f"there is no payment link {id_}", status=404)
    return row


async def uses(conn: AsyncConnection, ids: Iterable[str], now: datetime) -> dict[str, Uses]:
    """Return what the limits of these links look at."""
    wanted = list(ids)
    found = dict.fromkeys(wanted, Uses())
    lately = INVOICE.c.created_at > now - _DAY
    for some in chunks(wanted):
        query = select(
            INVOICE.c.link_id,
            func.count().filter(not_(_FREED)).label("used"),
            func.count().filter(_WAITING).label("waiting"),
            func.count().filter(_WAITING | _FREED, lately).label("idle"),
        )
        grouped = query.where(INVOICE.c.link_id.in_(some)).group_by(INVOICE.c.link_id)
        for row in await conn.execute(grouped):
            found[row.link_id] = Uses(row.used, row.waiting, row.idle)
    return found


def obstacle(row: Row[Any], counted: Uses, now: datetime) -> Refused | None:
    """Return why a link cannot be opened now, None if it can."""
    if row.valid_until is not None and now >= row.valid_until:
        return Refused("not_valid_any_more", "this link is not valid any more", status=409)
    if row.max_uses is not None and counted.used >= row.max_uses:
        return Refused("used_up", "this link was used as often as it may be", status=409)
    if counted.waiting >= OPEN_LIMIT or counted.idle >= IDLE_LIMIT:
        message = "this link was opened too often without a payment; try again later"
        return Refused("too_many_open", message, status=429, retry_after=_RETRY)
    return None
