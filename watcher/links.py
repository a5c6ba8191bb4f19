"""Payment links: made, listed and removed by merchants, opened by payers. Each opening makes an invoice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sqlalchemy import insert, select, update

from watcher import audit, idempotency, links_shown
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.links_check import check
from watcher.links_choice import chosen
from watcher.links_opening import Opening, find, obstacle, uses
from watcher.links_stats import statistics
from watcher.listing import Cursor, below, following
from watcher.tables import LINK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import ChainAdapter
    from watcher.actions import Actions
    from watcher.drafts_link import LinkDraft, OpeningDraft
    from watcher.idempotency import Idempotency
    from watcher.model import Clock
    from watcher.settings import Settings
    from watcher.store import Store

CREATED = 201

_THE_PAYERS = ("amount", "refund_address")
"""Fields of an option that a payer fills; what is wrong with another one is the merchant's to correct."""


class PaymentLinks:
    """What can be done with payment links, each act one transaction."""

    def __init__(
        self,
        store: Store,
        chains: Mapping[str, ChainAdapter],
        settings: Settings,
        clock: Clock,
        actions: Actions,
    ) -> None:
        """`actions` makes the invoices."""
        self._store = store
        self._chains = chains
        self._settings = settings
        self._clock = clock
        self._actions = actions
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- the merchant

    async def create(self, draft: LinkDraft, by: str, idem: Idempotency | None = None) -> dict[str, Any]:
        """Make a link and return it; Refused where its invoices could not be made. Replay as for invoices."""
        await self._claim(idem)
        await check(draft, self._actions.terms)
        async with self._store.write("link") as conn:
            await idempotency.claim(conn, idem)
            now = self._clock()
            row = _row(draft, now)
            await conn.execute(insert(LINK).values(**row))
            await audit.note(conn, by, "link.create", row["id"], now)
            (shown,) = await self._shown(conn, [await find(conn, row["id"])])
            await idempotency.remember(conn, idem, CREATED, shown, now)
        return shown

    async def listing(
        self, cursor: str | None, limit: int, *, removed: bool = False
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return one page of the links that are there, or of those that were removed, newest first."""
        start = Cursor.decode(cursor) if cursor is not None else None
        gone = LINK.c.removed_at.is_not(None) if removed else LINK.c.removed_at.is_(None)
        query = (
            select(LINK)
            .where(gone, *below(LINK, start))
            .order_by(LINK.c.created_at.desc(), LINK.c.id.desc())
            .limit(limit + 1)
        )
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
            return await self._shown(conn, rows[:limit]), following(rows, limit)

    async def show(self, id_: str) -> dict[str, Any]:
        """Return one link, also one that was removed: its invoices are still there."""
        async with self._store.read() as conn:
            rows = (await conn.execute(select(LINK).where(LINK.c.id == id_))).all()
            if not rows:
                raise Refused("not_found", f"there is no payment link {id_}", status=404)
            (shown,) = await self._shown(conn, rows)
        return shown

    async def remove(self, id_: str, by: str) -> None:
        """Let a link be opened no more. Its invoices stay as they are."""
        async with self._store.write("link") as conn:
            await find(conn, id_)
            now = self._clock()
            await conn.execute(update(LINK).where(LINK.c.id == id_).values(removed_at=now))
            await audit.note(conn, by, "link.remove", id_, now)

    # --- the payer

    async def offer(self, id_: str) -> dict[str, Any]:
        """Return what a link offers. Makes nothing: previews look at links, too."""
        async with self._store.read() as conn:
            row = await find(conn, id_)
            now = self._clock()
            refused = obstacle(row, (await uses(conn, [id_], now))[id_], now)
        ways = links_shown.payable(links_shown.decode(row), self._chains)
        reason = refused.code if refused else None
        return links_shown.offer(row, ways, self._settings, reason if ways else reason or "not_payable_now")

    async def open(self, id_: str, wanted: OpeningDraft, idem: Idempotency | None = None) -> dict[str, Any]:
        """Make an invoice and return what its payer may see of it. Replay as for invoices.

        One opening of a link at a time: whoever is refused has taken no address.
        """
        turn = self._turns.get(id_) or self._turns.setdefault(id_, asyncio.Lock())
        async with turn:
            await self._claim(idem)
            async with self._store.read() as conn:
                await Opening(id_).admit(conn, self._clock())
                template = links_shown.decode(await find(conn, id_))
            ways = [one for one, _ in links_shown.payable(template, self._chains)]
            if not ways:
                raise _not_payable()
            draft = chosen(template, ways, wanted)
            try:
                return await self._actions.create(draft, idem, Opening(id_))
            except Refused as refused:
                raise _for_the_payer(refused) from None

    async def _claim(self, idem: Idempotency | None) -> None:
        if idem:
            async with self._store.read() as conn:
                await idempotency.claim(conn, idem)

    async def _shown(self, conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        ids = [row.id for row in rows]
        counted, found = await uses(conn, ids, self._clock()), await statistics(conn, ids)
        url = self._settings.server.public_url
        return [links_shown.link(row, counted[row.id], found[row.id], url) for row in rows]


def _row(draft: LinkDraft, now: datetime) -> dict[str, Any]:
    until = draft.valid_until
    if draft.valid_for is not None:
        until = now + timedelta(seconds=draft.valid_for)
    if until is not None and until <= now:
        raise Refused("invalid_time", "has passed; give a moment to come", field="valid_until")
    return {
        "id": new_id("lnk"),
        "created_at": now,
        "template": links_shown.encode(draft),
        "max_uses": draft.max_uses,
        "valid_until": until,
    }


def _for_the_payer(refused: Refused) -> Refused:
    """Return why there is no invoice in the payer's fields, without what is the merchant's alone."""
    last = (refused.field or "").rpartition(".")[2]
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Refused(refused.code, "the chain cannot be asked now; try again later", status=refused.status)
    if refused.status != HTTPStatus.UNPROCESSABLE_ENTITY:
        return refused
    return Refused(refused.code, refused.message, field=last) if last in _THE_PAYERS else _not_payable()


def _not_payable() -> Refused:
    message = "this link asks for what cannot be paid any more; tell whoever gave it to you"
    return Refused("not_payable_now", message, status=409)
