"""What a merchant may do: writes facts (a new invoice, a wish to read blocks again), never a status."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy import func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from chains.base import ChainError
from watcher import addresses, decisions, endpoints, facts, failpoint, idempotency, render, unused
from watcher.addresses import Shown
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.matcher import opening
from watcher.model import EventType, GapReason, Happening, Invoice
from watcher.receivers import Rules, check_url
from watcher.tables import ADDRESS, CHAIN, GAP, INVOICE, KEY_INDEX, OPTION
from watcher.terms import ways_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, ChainAdapter
    from watcher.bus import Bus
    from watcher.drafts import InvoiceDraft
    from watcher.idempotency import Idempotency
    from watcher.model import Clock, FeePayer, Option
    from watcher.render import Links
    from watcher.settings import Settings
    from watcher.store import Store
    from watcher.terms import Way

CREATED = 201

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an option is to be paid: its address, and the index that it was derived from."""

    address: str
    index: int | None


class Actions:
    """The merchant's requests, each one transaction with the events that it causes."""

    def __init__(  # noqa: PLR0913, PLR0917 - the composition root names each of them
        self,
        store: Store,
        chains: Mapping[str, ChainAdapter],
        settings: Settings,
        clock: Clock,
        links: Links,
        bus: Bus,
    ) -> None:
        """`chains` by name, opened or not: only an address of the caller's own needs a node."""
        self._store = store
        self._chains = chains
        self._settings = settings
        self._clock = clock
        self._links = links
        self._bus = bus

    async def create(self, draft: InvoiceDraft, idem: Idempotency | None = None) -> dict[str, Any]:
        """Make an invoice and return it as the API shows it.

        Its addresses are watched once this returns. Raises Refused, or Replay if `idem` was answered before.
        """
        if idem:
            async with self._store.read() as connection:
                await idempotency.claim(connection, idem)
        if draft.webhook_url:
            rules = Rules(self._settings.webhooks.allow_private, tuple(self._chains))
            check_url(draft.webhook_url, rules, "webhook_url")
        ways, payer = await ways_of(draft, self._settings, self._chains)
        await self._check_ready(ways)
        heads = await self._heads(ways)
        places = await self._places(ways)
        failpoint.hit("invoice.placed")
        async with self._store.write("invoice") as connection:
            if idem:
                await idempotency.claim(connection, idem)
            now = self._clock()
            known = {name: view.head for name, view in (await facts.views(connection)).items()}
            options = tuple(_placed(w, p, known | heads) for w, p in zip(ways, places, strict=True))
            invoice = _invoice(draft, options, payer, self._settings, now)
            await self._insert(connection, invoice, ways, places, known)
            shown = await self._announce(connection, invoice, now)
            if idem:
                await idempotency.remember(connection, idem, CREATED, msgspec.json.encode(shown), now)
                failpoint.hit("invoice.answered")
        self._bus.published()
        for way, place in zip(ways, places, strict=True):
            if place.index is not None:
                await self._warn_of_unused(way.option.chain)
        return shown

    async def _warn_of_unused(self, chain: str) -> None:
        """Say, now and then, that a wallet may not find what the newest address receives (hazard 37)."""
        async with self._store.read() as connection:
            row = await unused.unused(connection, chain)
        if row > unused.GAP_LIMIT and row % unused.GAP_LIMIT == 1:
            log.warning("addresses.unused", chain=chain, in_a_row=row, wallets_look_ahead=unused.GAP_LIMIT)

    async def rescan(self, chain: str, first: int, last: int | None) -> dict[str, Any]:
        """Have blocks read again, up to `last` or to what is absorbed now. Idempotent."""
        if chain not in self._chains:
            raise Refused("unknown_chain", f"there is no chain {chain!r}", status=404)
        async with self._store.write("rescan") as connection:
            height = await connection.scalar(select(CHAIN.c.height).where(CHAIN.c.name == chain))
            if height is None:
                raise Refused(
                    "chain_not_ready", f"{chain} was never reached yet: nothing to read", status=503
                )
            until = height if last is None else min(last, height)
            if first > until:
                message = f"is above block {until}, the last to be read again"
                raise Refused("invalid_range", message, field="from")
            upto = await connection.scalar(select(func.max(ADDRESS.c.id)).where(ADDRESS.c.chain == chain))
            await connection.execute(
                insert(GAP).values(
                    chain=chain, first=first, last=until, after=0, upto=upto or 0, reason=GapReason.RESCAN
                )
            )
        self._bus.scan[chain].set()
        return {"chain": chain, "from": first, "to": until}

    async def _check_ready(self, ways: Sequence[Way]) -> None:
        """Where no block was absorbed yet, nothing says from where an address would have to be watched."""
        async with self._store.read() as connection:
            known = set(await connection.scalars(select(CHAIN.c.name)))
        for way in ways:
            if way.option.chain not in known:
                message = f"{way.option.chain} was never reached yet; see GET /v1/chains, and try again"
                raise Refused("chain_not_ready", message, field=f"{way.prefix}chain", status=503)

    async def _heads(self, ways: Sequence[Way]) -> dict[str, BlockRef]:
        """Return the head of each chain where the caller brings an address: it may have been paid before."""
        heads: dict[str, BlockRef] = {}
        for way in ways:
            name = way.option.chain
            if way.option.address and name not in heads:
                try:
                    heads[name] = (await way.adapter.tip()).head
                except ChainError as error:
                    message = (
                        f"{name}: the node has to say what came before this invoice, and cannot: {error}"
                    )
                    raise Refused("chain_not_ready", message, status=503) from error
        return heads

    async def _places(self, ways: Sequence[Way]) -> list[_Place]:
        """Return an address for each way: ways whose chains share a key share the index."""
        indexes: dict[str, int] = {}
        places = []
        for way in ways:
            if way.option.address:
                places.append(_Place(way.option.address, None))
                continue
            key = str(way.adapter.key_fingerprint())
            if key not in indexes:
                indexes[key] = await self._next_index(key, [w for w in ways if not w.option.address])
            address = await asyncio.to_thread(way.adapter.derive, indexes[key])
            places.append(_Place(address, indexes[key]))
        return places

    async def _next_index(self, key: str, ways: Sequence[Way]) -> int:
        """Take the next index whose addresses nobody had before; for good, even if what follows fails."""
        mine = [w for w in ways if w.adapter.key_fingerprint() == key]
        while True:
            async with self._store.write("index") as connection:
                taken = await connection.scalar(
                    upsert(KEY_INDEX)
                    .values(fingerprint=key, next_index=1)
                    .on_conflict_do_update(
                        index_elements=["fingerprint"], set_={"next_index": KEY_INDEX.c.next_index + 1}
                    )
                    .returning(KEY_INDEX.c.next_index)
                )
            index = int(taken or 1) - 1
            derived = [(w.option.chain, await asyncio.to_thread(w.adapter.derive, index)) for w in mine]
            async with self._store.read() as connection:
                if not [d for d in derived if await addresses.in_use(connection, *d)]:
                    return index

    async def _insert(
        self,
        connection: AsyncConnection,
        invoice: Invoice,
        ways: Sequence[Way],
        places: Sequence[_Place],
        known: Mapping[str, BlockRef],
    ) -> None:
        """Write the invoice with its options and addresses; `known` is the head absorbed of each chain."""
        record = facts.Record(invoice, opening(invoice), (), None, None)
        await connection.execute(insert(INVOICE).values(**_row(invoice), **decisions.columns(record)))
        await connection.execute(insert(OPTION), [_option_row(invoice.id, o) for o in invoice.options])
        for way, place in dict(
            zip(map(_spot, ways, places), zip(ways, places, strict=True), strict=True)
        ).values():
            prefix, name = way.prefix, way.option.chain
            shown = Shown(
                place.address, way.adapter.key(place.address), place.index, invoice.id, invoice.created_at
            )
            if not await addresses.take(connection, name, shown, known[name].height):
                message = f"{place.address} was used before; an address is never given to another invoice"
                raise Refused("address_in_use", message, field=f"{prefix}address", status=409)
            await addresses.watch_elsewhere(connection, shown, self._siblings(name, known))

    def _siblings(self, name: str, known: Mapping[str, BlockRef]) -> dict[str, int]:
        """Return the other chains on which the same accounts exist, with the height absorbed on each."""
        space = self._chains[name].namespace
        same = {n for n, chain in self._chains.items() if space is not None and chain.namespace == space}
        return {n: known[n].height for n in same - {name} if n in known}

    async def _announce(self, connection: AsyncConnection, invoice: Invoice, now: datetime) -> dict[str, Any]:
        """Write the invoice's own endpoint and its first event; return it as the API shows it."""
        if invoice.webhook_url:
            await endpoints.add_own(connection, invoice.id, invoice.webhook_url, now)
        created = {invoice.id: [Happening(EventType.INVOICE_CREATED)]}
        await decisions.settle(connection, [invoice.id], now, self._links, created)
        record = (await facts.load(connection, [invoice.id]))[invoice.id]
        return render.invoice(record, await facts.views(connection), self._links)


def _spot(way: Way, place: _Place) -> tuple[str, str]:
    return way.option.chain, place.address


def _placed(way: Way, place: _Place, heads: Mapping[str, BlockRef]) -> Option:
    head = heads[way.option.chain]
    return replace(way.option, address=place.address, from_height=head.height, from_hash=head.hash)


def _invoice(
    draft: InvoiceDraft, options: tuple[Option, ...], payer: FeePayer, settings: Settings, now: datetime
) -> Invoice:
    defaults = settings.invoices
    lifetime = draft.expires_in if draft.expires_in is not None else defaults.expires_in
    monitor = draft.monitor_for if draft.monitor_for is not None else defaults.monitor_for
    reminder = draft.reminder_before if draft.reminder_before is not None else defaults.reminder_before
    expires_at = now + timedelta(seconds=lifetime)
    return Invoice(
        id=new_id("inv"),
        options=options,
        created_at=now,
        expires_at=expires_at,
        monitor_until=expires_at + timedelta(seconds=monitor),
        fee_payer=payer,
        late=draft.late or defaults.late,
        reminder_before=reminder,
        order_id=draft.order_id,
        description=draft.description,
        metadata=draft.metadata,
        customer_email=draft.customer_email,
        webhook_url=draft.webhook_url,
        return_url=draft.return_url,
    )


def _row(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "created_at": invoice.created_at,
        "expires_at": invoice.expires_at,
        "monitor_until": invoice.monitor_until,
        "fee_payer": invoice.fee_payer.value,
        "late": invoice.late.value,
        "reminder_before": invoice.reminder_before,
        "order_id": invoice.order_id,
        "description": invoice.description,
        "metadata_json": json.dumps(dict(invoice.metadata), ensure_ascii=False),
        "customer_email": invoice.customer_email,
        "webhook_url": invoice.webhook_url,
        "return_url": invoice.return_url,
    }


def _option_row(invoice_id: str, option: Option) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "position": option.position,
        "chain": option.chain,
        "asset": option.asset,
        "asset_id": option.asset_id,
        "decimals": option.decimals,
        "address": option.address,
        "amount": option.amount,
        "expected": option.expected,
        "minimum": option.minimum,
        "confirmations": facts.encode_confirmations(option.confirmations),
        "from_height": option.from_height,
        "fee_percent": str(option.fee_percent),
        "fee_fixed": option.fee_fixed,
        "dust": option.dust,
        "from_hash": option.from_hash,
    }
