"""Giving money back without a key: what is promised, what to sign elsewhere, and what sent it.

The chain is asked before the transaction that records a refund; there it is checked again what is asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from chains.base import AddressError, ChainError
from watcher import refund_coins, refund_plan, refund_sent, render, resolutions
from watcher.errors import Refused
from watcher.ids import new_id
from watcher.merchant import CONFLICT, check
from watcher.model import Refund, RefundState
from watcher.money import format_amount
from watcher.refund_plan import place_of, plan
from watcher.rules import Act
from watcher.tables import REFUND
from watcher.terms import destination

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import ChainAdapter, Unsigned
    from watcher.drafts_merchant import DestinationDraft, RefundDraft, SentDraft, WithdrawDraft
    from watcher.facts import Record
    from watcher.idempotency import Idempotency
    from watcher.merchant import Desk
    from watcher.model import View
    from watcher.refund_plan import Plan

CREATED = 201


@dataclass(frozen=True, slots=True)
class _Signing:
    """What is to be signed for a refund, and what of it arrives."""

    arrives: int
    fields: Mapping[str, Any] | None


class Refunds:
    """Requests refunds, gives them a destination, notes that they were sent, and takes them back."""

    def __init__(self, desk: Desk, chains: Mapping[str, ChainAdapter]) -> None:
        """`chains` by name, for addresses and for what is to be signed."""
        self._desk = desk
        self._chains = chains

    async def refund(
        self, id_: str, draft: RefundDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Promise money back; return the refund with what to sign."""
        record = await self._desk.record(id_, idem)
        wanted, address, signing = await self._prepared(record, draft)
        refund_id = new_id("ref")

        async def effect(connection: AsyncConnection, now_it_is: Record, now: datetime) -> None:
            check(now_it_is, Act.REFUND, draft)
            same = plan(now_it_is, draft, wanted.place, wanted.decimals) == wanted
            if not same or now_it_is.decision.status is not record.decision.status:
                raise _changed()
            one = _requested(refund_id, now_it_is, wanted, by, now)
            one = replace(one, address=address, arrives=signing.arrives, unsigned=signing.fields)
            await resolutions.give_back(connection, id_, replace(one, reason=draft.reason))

        return await self._desk.decide(id_, idem, effect, _shown(refund_id), CREATED)

    async def preview(self, id_: str, draft: RefundDraft) -> dict[str, Any]:
        """Return what a refund would be: nothing is promised. `settles`: it gives back the payment itself."""
        wanted, address, signing = await self._prepared(await self._desk.record(id_), draft)
        chain, asset = wanted.place
        return {
            "chain": chain,
            "asset": asset,
            "address": address,
            "amount": format_amount(wanted.amount, wanted.decimals),
            "arrives": format_amount(signing.arrives, wanted.decimals),
            "settles": wanted.settles,
        }

    async def destine(
        self, id_: str, refund_id: str, draft: DestinationDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Give a refund that was not sent a destination, or what to sign once more; return it."""
        record = await self._desk.record(id_, idem)
        refund = _unsent(record, refund_id)
        address = self._destination(record, draft.address or refund.address, refund.chain)
        wanted = refund_plan.again(record, refund)
        signing = await self._signing(record, wanted, address, refund)

        async def effect(connection: AsyncConnection, now_it_is: Record, now: datetime) -> None:
            old = _unsent(now_it_is, refund_id)
            if refund_plan.again(now_it_is, old) != wanted:
                raise _changed()
            values = {"address": address, "arrives": signing.arrives, "unsigned": _text(signing)}
            await connection.execute(update(REFUND).where(REFUND.c.id == refund_id).values(**values))
            one = replace(old, address=address)
            await resolutions.note(connection, "refund.address", id_, one, by, now, draft.reason)

        return await self._desk.decide(id_, idem, effect, _shown(refund_id))

    async def sent(
        self, id_: str, refund_id: str, draft: SentDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Note by which transaction a refund was sent, from now on looked for on the chain; return it."""
        record = await self._desk.record(id_, idem)
        refund = _sendable(record, refund_id)
        adapter = self._chain(refund.chain)
        try:
            txid = adapter.transaction_id(draft.txid)
        except AddressError as error:
            raise Refused("invalid", str(error), field="txid") from error
        _refuse_payment(record, refund, txid)
        located = await refund_sent.locate(adapter, self._desk.store, refund, txid)

        async def effect(connection: AsyncConnection, now_it_is: Record, now: datetime) -> None:
            old = _sendable(now_it_is, refund_id)
            if old.address != refund.address:
                raise _changed()
            one = replace(old, txid=txid, sent_at=now)
            await refund_sent.record(connection, one, located, adapter, now)
            await resolutions.note(connection, "refund.sent", id_, one, by, now, draft.reason)

        answer = await self._desk.decide(id_, idem, effect, _shown(refund_id))
        self._desk.bus.scan[refund.chain].set()
        return answer

    async def withdraw(
        self, id_: str, refund_id: str, draft: WithdrawDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Take back a refund that no transaction sends; return it."""

        async def effect(connection: AsyncConnection, record: Record, now: datetime) -> None:
            one = refund_of(record, refund_id)
            if one.state is RefundState.CANCELLED:
                raise _conflict("already_cancelled", "this refund was withdrawn already")
            if one.state is not RefundState.REQUESTED and await refund_sent.was_seen(connection, one):
                raise _conflict("already_sent", "the transaction of this refund was seen: it is on its way")
            values = {"cancelled_at": now}
            await connection.execute(update(REFUND).where(REFUND.c.id == refund_id).values(**values))
            await resolutions.note(connection, "refund.cancel", id_, one, by, now, draft.reason)

        return await self._desk.decide(id_, idem, effect, _shown(refund_id))

    async def show(self, id_: str, refund_id: str) -> dict[str, Any]:
        """Return a refund with what to sign."""
        return dict(_shown(refund_id)(await self._desk.record(id_), {}))

    async def _prepared(self, record: Record, draft: RefundDraft) -> tuple[Plan, str, _Signing]:
        """Return what is asked for, where it goes, and what to sign; Refused says why it cannot be."""
        check(record, Act.REFUND, draft)
        place = place_of(record, draft)
        wanted = plan(record, draft, place, self._desk.links.decimals(*place))
        address = self._destination(record, draft.address, place[0])
        return wanted, address, await self._signing(record, wanted, address)

    def _chain(self, name: str) -> ChainAdapter:
        if name not in self._chains:
            raise Refused("unknown_chain", f"{name} is not configured any more", status=CONFLICT)
        return self._chains[name]

    def _destination(self, record: Record, text: str | None, chain: str) -> str:
        """Return where a refund goes: what is asked for, or what the payer said at the beginning."""
        text = text or resolutions.destination(record, chain)
        if text is None:
            raise Refused("invalid", "is required: the payer named no refund_address", field="address")
        address = destination("address", text, self._chain(chain))
        asked = {(o.chain, o.address) for o in record.invoice.options}
        paid = {(p.deposit.chain, p.deposit.address) for p in record.decision.payments}
        if (chain, address) in asked | paid:
            message = "is the invoice's own address; write one of the payer's"
            raise Refused("invalid_address", message, field="address")
        return address

    async def _signing(
        self, record: Record, wanted: Plan, address: str, again: Refund | None = None
    ) -> _Signing:
        """Ask the chain what to sign; `again`: for this refund, whose coins are its own."""
        chain, asset = wanted.place
        used = refund_coins.used(record, again)
        async with self._desk.store.read() as connection:
            coins = await refund_coins.coins(connection, wanted)
        free = [coin for coin in coins if (coin.txid, coin.slot) not in used]
        if used and sum(coin.amount for coin in free) < wanted.amount:
            note = "what was received is spent by another refund; pay this one out of your wallet"
            return _Signing(wanted.amount, {"kind": "none", "note": note})
        try:
            unsigned: Unsigned = await self._chain(chain).unsigned(free, address, asset, wanted.amount)
        except ChainError as error:
            message = f"{chain}: what to sign cannot be told now: {error}"
            raise Refused("chain_not_ready", message, status=503) from error
        except ValueError as error:  # AddressError is one
            raise Refused("invalid", str(error), field="amount", status=CONFLICT) from error
        return _Signing(unsigned.arrives, unsigned.fields)


def refund_of(record: Record, refund_id: str) -> Refund:
    """Return one refund of an invoice; Refused (404) if there is none."""
    for refund in record.refunds:
        if refund.id == refund_id:
            return refund
    raise Refused("not_found", f"{record.invoice.id} has no refund {refund_id}", status=404)


def _unsent(record: Record, refund_id: str) -> Refund:
    refund = refund_of(record, refund_id)
    if refund.state is RefundState.CANCELLED:
        raise _conflict("already_cancelled", "this refund was withdrawn")
    if refund.txid is not None:
        raise _conflict("already_sent", f"this refund was sent by {refund.txid}")
    return refund


def _sendable(record: Record, refund_id: str) -> Refund:
    refund = refund_of(record, refund_id)
    if refund.state is RefundState.CANCELLED:
        raise _conflict("already_cancelled", "this refund was withdrawn; request another one")
    if refund.state is RefundState.CONFIRMED:
        raise _conflict("already_confirmed", f"this refund is confirmed by {refund.txid}")
    if refund.address is None:
        raise _conflict("no_destination", "this refund has no address yet; give it one first")
    return refund


def _refuse_payment(record: Record, refund: Refund, txid: str) -> None:
    """Refuse what paid the invoice: its change may go to the refund's destination, and gives nothing back."""
    if any((p.deposit.chain, p.deposit.txid) == (refund.chain, txid) for p in record.decision.payments):
        message = "that transaction is a payment of this invoice; write the one that gives it back"
        raise Refused("refund_mismatch", message, field="txid", status=CONFLICT)


def _text(signing: _Signing) -> str | None:
    return None if signing.fields is None else json.dumps(signing.fields, ensure_ascii=False)


def _conflict(code: str, message: str) -> Refused:
    return Refused(code, message, status=CONFLICT)


def _changed() -> Refused:
    return _conflict("changed", "something else was decided or received meanwhile: look again")


def _requested(refund_id: str, record: Record, wanted: Plan, by: str, now: datetime) -> Refund:
    chain, asset = wanted.place
    return Refund(
        id=refund_id,
        chain=chain,
        asset=asset,
        decimals=wanted.decimals,
        amount=wanted.amount,
        arrives=wanted.amount,
        confirmations=resolutions.confirmations(record, wanted.place),
        by=by,
        at=now,
        covers=wanted.covers,
        settles=wanted.settles,
    )


def _shown(refund_id: str) -> Any:
    def show(record: Record, _views: Mapping[str, View]) -> dict[str, Any]:
        one = refund_of(record, refund_id)
        return {**render.refund(one), "unsigned": one.unsigned}

    return show
