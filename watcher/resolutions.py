"""A merchant's or a policy's decisions, written down as facts inside the caller's transaction.

Each with who, when and why, and an entry in the audit trail. What follows from them is not decided here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from watcher import audit, facts
from watcher.ids import new_id
from watcher.model import Refund
from watcher.money import format_amount
from watcher.policy import ACTOR, Return
from watcher.tables import REFUND, RESOLUTION

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record
    from watcher.model import Confirmations, Resolution
    from watcher.refunds import Place
    from watcher.render import Links


async def resolve(connection: AsyncConnection, invoice_id: str, one: Resolution) -> None:
    """Record that an invoice is accepted, extended or cancelled."""
    await connection.execute(
        insert(RESOLUTION).values(
            invoice_id=invoice_id,
            kind=one.kind.value,
            at=one.at,
            by=one.by,
            reason=one.reason,
            until=one.until,
        )
    )
    detail = {"until": one.until.isoformat()} if one.until else {}
    action = f"invoice.{one.kind.value}"
    await audit.note(connection, one.by, action, invoice_id, one.at, reason=one.reason, **detail)


async def give_back(connection: AsyncConnection, invoice_id: str, one: Refund) -> None:
    """Record that money is to be given back."""
    await connection.execute(insert(REFUND).values(**refund_row(invoice_id, one)))
    await note(connection, "refund.request", invoice_id, one, one.by, one.at, one.reason)


async def note(  # noqa: PLR0913, PLR0917 - an entry is all of this
    connection: AsyncConnection,
    action: str,
    invoice_id: str,
    one: Refund,
    by: str,
    at: datetime,
    reason: str | None,
) -> None:
    """Add what was done about a refund to the audit trail of its invoice."""
    await audit.note(
        connection,
        by,
        action,
        invoice_id,
        at,
        reason=reason,
        refund=one.id,
        chain=one.chain,
        asset=one.asset,
        amount=format_amount(one.amount, one.decimals),
        address=one.address,
        txid=one.txid,
    )


def requested(record: Record, wish: Return, links: Links, now: datetime) -> Refund:
    """Return the refund that a policy asks for: it goes where the payer said, if that is known."""
    chain, asset = wish.place
    return Refund(
        id=new_id("ref"),
        chain=chain,
        asset=asset,
        decimals=links.decimals(chain, asset),
        amount=wish.amount,
        arrives=wish.amount,
        confirmations=confirmations(record, wish.place),
        by=ACTOR,
        at=now,
        address=destination(record, chain),
        reason=wish.reason,
        covers=wish.covers,
        settles=wish.settles,
    )


def destination(record: Record, chain: str) -> str | None:
    """Return where the payer wants money back on a chain, if that is known."""
    known = (o.refund_address for o in record.invoice.options if o.chain == chain)
    return next((address for address in known if address), None)


def confirmations(record: Record, place: Place) -> Confirmations:
    """Return how deep a refund has to lie: as deep as a payment of the same kind."""
    chain, asset = place
    options = [o for o in record.invoice.options if o.chain == chain]
    same = [o for o in options if o.asset == asset] or options
    return same[0].confirmations if same else 1


def refund_row(invoice_id: str, one: Refund) -> dict[str, Any]:
    """Return a refund as its row."""
    return {
        "id": one.id,
        "invoice_id": invoice_id,
        "chain": one.chain,
        "asset": one.asset,
        "decimals": one.decimals,
        "address": one.address,
        "amount": one.amount,
        "arrives": one.arrives,
        "confirmations": facts.encode_confirmations(one.confirmations),
        "reason": one.reason,
        "by": one.by,
        "at": one.at,
        "covers": json.dumps(sorted(one.covers)),
        "settles": one.settles,
        "state": one.state.value,
        "txid": one.txid,
        "sent_at": one.sent_at,
        "confirmed_at": one.confirmed_at,
        "cancelled_at": one.cancelled_at,
        "unsigned": None if one.unsigned is None else json.dumps(one.unsigned, ensure_ascii=False),
    }
