"""What a merchant may do: writes facts (a new invoice, a wish to read blocks again), never a status."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, insert, select

from watcher import (
    audit,
    decisions,
    decisions_saved,
    endpoints,
    facts,
    failpoint,
    idempotency,
    render,
    terms_policy,
    unused,
)
from watcher.addresses import Shown
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.matcher import opening
from watcher.model import EventType, GapReason, Happening, Invoice
from watcher.places import Places, Wanted
from watcher.receivers import Rules, check_url
from watcher.tables import ADDRESS, CHAIN, GAP, INVOICE, OPTION
from watcher.terms import ways_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, ChainAdapter
    from watcher.bus import Bus
    from watcher.drafts import InvoiceDraft
    from watcher.idempotency import Idempotency
    from watcher.links_opening import Opening
    from watcher.model import Clock, FeePayer, Option
    from watcher.places import Place
    from watcher.render import Links
    from watcher.settings import Settings
    from watcher.store import Store
    from watcher.terms import Way

CREATED = 201

log = structlog.get_logger()


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
        self._places = Places(store, chains)

    async def create(
        self,
        draft: InvoiceDraft,
        idem: Idempotency | None = None,
        link: Opening | None = None,
        by: str = "local",
    ) -> dict[str, Any]:
        """Make an invoice and return it as the API shows it; one of a payment link as its payer may see it.

        `by`: who asks; an opening of a link notes its payer. The addresses are watched once this returns.
        Raises Refused, or Replay if `idem` was answered before.
        """
        if idem:
            async with self._store.read() as connection:
                await idempotency.claim(connection, idem)
        ways, payer = await self.terms(draft)
        wanted = [Wanted(way.prefix, way.adapter, way.option.address) for way in ways]
        await self._places.check_ready(wanted)
        heads = await self._places.heads(wanted, "invoice")
        places = await self._places.find(wanted)
        failpoint.hit("invoice.placed")
        async with self._store.write("invoice") as connection:
            await idempotency.claim(connection, idem)
            now = self._clock()
            if link:
                await link.admit(connection, now)
            known = {name: view.head for name, view in (await facts.views(connection)).items()}
            options = tuple(_placed(w, p, known | heads) for w, p in zip(ways, places, strict=True))
            invoice = _invoice(draft, options, payer, self._settings, now)
            invoice = replace(invoice, link_id=link.link_id if link else None)
            await self._insert(connection, invoice)
            await self._watch(connection, invoice, zip(wanted, places, strict=True), known)
            shown = await self._announce(connection, invoice, now)
            if link:
                shown = await link.answer(connection, shown, now)
            else:
                await audit.note(connection, by, "invoice.create", invoice.id, now, order_id=invoice.order_id)
            await idempotency.remember(connection, idem, CREATED, shown, now)
            failpoint.hit("invoice.answered")
        self._bus.published()
        for way, place in zip(ways, places, strict=True):
            if place.index is not None:
                await self._warn_of_unused(way.option.chain)
        return shown

    async def terms(self, draft: InvoiceDraft) -> tuple[list[Way], FeePayer]:
        """Return the ways to pay a draft, and who bears the fees; Refused names the faulty field."""
        if draft.webhook_url:
            rules = Rules(self._settings.webhooks.allow_private, tuple(self._chains))
            check_url(draft.webhook_url, rules, "webhook_url")
        ways, payer = await ways_of(draft, self._settings, self._chains)
        terms_policy.check(draft, self._settings, [way.option for way in ways])
        return ways, payer

    async def _warn_of_unused(self, chain: str) -> None:
        """Say, now and then, that a wallet may not find what the newest address receives (hazard 37)."""
        async with self._store.read() as connection:
            row = await unused.unused(connection, chain)
        if row > unused.GAP_LIMIT and row % unused.GAP_LIMIT == 1:
            log.warning("addresses.unused", chain=chain, in_a_row=row, wallets_look_ahead=unused.GAP_LIMIT)

    async def rescan(self, chain: str, first: int, last: int | None, by: str = "local") -> dict[str, Any]:
        """Have blocks read again, up to `last` or to what is absorbed now. Idempotent. `by`: who asks."""
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
            now, blocks = self._clock(), {"from": first, "to": until}
            await audit.note(connection, by, "chain.rescan", chain, now, **blocks)
        self._bus.scan[chain].set()
        return {"chain": chain, "from": first, "to": until}

    async def _insert(self, connection: AsyncConnection, invoice: Invoice) -> None:
        """Write the invoice with its options."""
        record = facts.Record(invoice, opening(invoice), (), None, None)
        await connection.execute(insert(INVOICE), {**_row(invoice), **decisions_saved.columns(record)})
        await connection.execute(insert(OPTION), [_option_row(invoice.id, o) for o in invoice.options])

    async def _watch(
        self,
        connection: AsyncConnection,
        invoice: Invoice,
        asked: Iterable[tuple[Wanted, Place]],
        known: Mapping[str, BlockRef],
    ) -> None:
        """Watch the invoice's addresses, each once; `known` is the head absorbed of each chain."""
        for one, place in {(o.chain, p.address): (o, p) for o, p in asked}.values():
            script = one.adapter.key(place.address)
            shown = Shown(place.address, script, place.index, invoice.created_at, invoice_id=invoice.id)
            await self._places.watch(connection, one, shown, known)

    async def _announce(self, connection: AsyncConnection, invoice: Invoice, now: datetime) -> dict[str, Any]:
        """Write the invoice's own endpoint and its first event; return it as the API shows it."""
        if invoice.webhook_url:
            await endpoints.add_own(connection, invoice.id, invoice.webhook_url, now)
        created = {invoice.id: [Happening(EventType.INVOICE_CREATED)]}
        await decisions.settle(connection, [invoice.id], now, self._links, created)
        record = (await facts.load(connection, [invoice.id]))[invoice.id]
        return render.invoice(record, await facts.views(connection), self._links)


def _placed(way: Way, place: Place, heads: Mapping[str, BlockRef]) -> Option:
    head = heads[way.option.chain]
    return replace(way.option, address=place.address, from_height=head.height, from_hash=head.hash)


def _invoice(
    draft: InvoiceDraft, options: tuple[Option, ...], payer: FeePayer, settings: Settings, now: datetime
) -> Invoice:
    defaults = settings.invoices
    monitor = draft.monitor_for if draft.monitor_for is not None else defaults.monitor_for
    expires_at = now + timedelta(seconds=terms_policy.lifetime_of(draft, settings))
    return Invoice(
        id=new_id("inv"),
        options=options,
        created_at=now,
        expires_at=expires_at,
        monitor_until=expires_at + timedelta(seconds=monitor),
        fee_payer=payer,
        late=draft.late or defaults.late,
        policy=terms_policy.policy_of(draft, settings),
        reminder_before=terms_policy.reminder_of(draft, settings),
        language=terms_policy.language_of(draft, settings),
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
        "policy": facts.encode_policy(invoice.policy),
        "reminder_before": invoice.reminder_before,
        "order_id": invoice.order_id,
        "description": invoice.description,
        "metadata_json": json.dumps(dict(invoice.metadata), ensure_ascii=False),
        "customer_email": invoice.customer_email,
        "webhook_url": invoice.webhook_url,
        "return_url": invoice.return_url,
        "language": invoice.language,
        "link_id": invoice.link_id,
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
        "refund_address": option.refund_address,
    }
