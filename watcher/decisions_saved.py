"""Writes what a decision changed: the invoice, its refunds, its deposits' flags, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, exists, insert, select, update

from watcher import audit, facts, outbox, policy, reminders, render
from watcher.ids import new_id
from watcher.matcher_rules import COUNTED, GONE, HELD
from watcher.model import Event, EventType, Standing, Status
from watcher.sums import arrivals
from watcher.tables import ADDRESS, DEPOSIT, INVOICE, MAIL, REFUND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record
    from watcher.model import Decision, Deposit, Happening, Payment, View
    from watcher.render import Links

_WAITING = frozenset({Status.PENDING, Status.PARTIAL})


@dataclass(frozen=True, slots=True)
class Change:
    """An invoice whose decision changed, with what is to be told of it."""

    before: Record
    after: Record
    happenings: Sequence[Happening]


_SAVE = update(INVOICE).where(INVOICE.c.id == bindparam("b_id"))


async def save(
    connection: AsyncConnection, change: Change, views: Mapping[str, View], now: datetime, links: Links
) -> int:
    """Write what changed, with its events; return how many these are."""
    await _mark_settled(connection, change.after.decision)
    if change.after == change.before:
        return 0
    after = change.after
    await connection.execute(_SAVE, {"b_id": after.invoice.id, **columns(after)})
    await _save_refunds(connection, change)
    await _note_status(connection, change, now)
    events = _events(change, views, now, links)
    if events:
        await outbox.publish(connection, events, now)
    if links.mail and any(h.type is EventType.INVOICE_REMINDER for h in change.happenings):
        await _mail(connection, after, now)
    return len(events)


def columns(record: Record) -> dict[str, object]:
    """Return what a decision sets in its invoice's row."""
    decision, invoice = record.decision, record.invoice
    first, full = arrivals(invoice, (p for p in decision.payments if p.rule in COUNTED | HELD))
    return {
        "status": decision.status.value,
        "exceptions": "".join(f",{e.value}" for e in decision.exceptions) + ",",
        "needs_action": decision.needs_action,
        "reverted": invoice.reverted,
        "reminded_for": invoice.reminded_for,
        "sequence": invoice.sequence,
        "decision": facts.encode_decision(decision),
        "due_at": _due_at(record),
        "paid_at": record.paid_at,
        "closed_at": record.closed_at,
        "first_at": first,
        "full_at": full,
    }


def _due_at(record: Record) -> datetime | None:
    """Return the next moment at which the passing of time alone changes something."""
    decision = record.decision
    if decision.status not in _WAITING:
        return decision.deadline if policy.may_extend(record.invoice, decision) else None
    reminder = reminders.moment(record.invoice, decision, record.resolutions)
    return min(reminder, decision.deadline) if reminder else decision.deadline


async def _save_refunds(connection: AsyncConnection, change: Change) -> None:
    """Keep how far each refund is."""
    known = {refund.id: refund for refund in change.before.refunds}
    for refund in change.after.refunds:
        if refund != known.get(refund.id):
            values = {"state": refund.state.value, "confirmed_at": refund.confirmed_at}
            await connection.execute(update(REFUND).where(REFUND.c.id == refund.id).values(**values))


async def _note_status(connection: AsyncConnection, change: Change, now: datetime) -> None:
    old, new = change.before.decision, change.after.decision
    if old.status is not new.status:
        await audit.note(
            connection,
            audit.CHAIN,
            "invoice.status",
            change.after.invoice.id,
            now,
            old=old.status.value,
            new=new.status.value,
            exceptions=[*new.exceptions],
        )


async def _mail(connection: AsyncConnection, record: Record, now: datetime) -> None:
    """Put the reminder into the queue of mails, where the payer is known; one for each deadline."""
    if record.invoice.customer_email is None:
        return
    row = {
        "id": new_id("mai"),
        "invoice_id": record.invoice.id,
        "deadline": record.decision.deadline,
        "recipient": record.invoice.customer_email,
        "state": "pending",
        "attempts": 0,
        "next_at": now,
        "created_at": now,
    }
    of_it = (MAIL.c.invoice_id == row["invoice_id"]) & (MAIL.c.deadline == row["deadline"])
    if await connection.scalar(select(MAIL.c.id).where(of_it)) is None:
        await connection.execute(insert(MAIL).values(**row))


async def _mark_settled(connection: AsyncConnection, decision: Decision) -> None:
    """Note which deposits new blocks need not look at again, and which they must."""
    for settled in (True, False):
        ids = [p.deposit.id for p in decision.payments if _is_settled(p) is settled]
        for some in facts.chunks(ids):
            wrong = DEPOSIT.c.id.in_(some) & DEPOSIT.c.settled.is_(not settled)
            await connection.execute(update(DEPOSIT).where(wrong).values(settled=settled))


def _is_settled(payment: Payment) -> bool:
    """Whether no new block can change it: an unconfirmed transaction can always be replaced.

    What is ignored gets deeper, too: it can be given back once it is deep enough.
    """
    return payment.final or payment.deposit.standing in GONE


async def mark_refunds(connection: AsyncConnection, sent: Iterable[Deposit]) -> None:
    """Take refunds' transactions out of the search for what matures: their refund is looked at anyway.

    But not what reached an address of our own: whom that belongs to has to see it mature.
    """
    ids = [d.id for d in sent if d.standing not in (Standing.MEMPOOL, Standing.UNPLACED)]
    theirs = exists().where(
        ADDRESS.c.chain == DEPOSIT.c.chain, ADDRESS.c.address == DEPOSIT.c.address, ADDRESS.c.refund
    )
    for some in facts.chunks(ids):
        open_ = DEPOSIT.c.id.in_(some) & DEPOSIT.c.settled.is_(False) & theirs
        await connection.execute(update(DEPOSIT).where(open_).values(settled=True))


def _events(change: Change, views: Mapping[str, View], now: datetime, links: Links) -> list[Event]:
    """Freeze the happenings, each with its own sequence and the invoice as it is after all of them."""
    shown = render.invoice(change.after, views, links)
    first = change.before.invoice.sequence + 1
    return [
        _freeze(change, happening, {**shown, "sequence": number}, views, now, links)
        for number, happening in enumerate(change.happenings, first)
    ]


def _freeze(  # noqa: PLR0913, PLR0917 - all that a body is made of
    change: Change,
    happening: Happening,
    shown: Mapping[str, object],
    views: Mapping[str, View],
    now: datetime,
    links: Links,
) -> Event:
    """Return one happening as the bytes that every delivery of it will send."""
    paid = None
    if happening.payment:
        view = views.get(happening.payment.deposit.chain)
        paid = render.payment(happening.payment, view, links, change.after.invoice.options)
    first = happening.type is EventType.INVOICE_CREATED
    previous = None if first else change.before.decision.status.value
    data = render.event_data(happening, previous, shown, paid)
    return Event(
        id=new_id("evt"),
        type=happening.type,
        occurred_at=now,
        body=render.body(happening.type.value, now, data),
        invoice_id=change.after.invoice.id,
        sequence=int(str(shown["sequence"])),
    )
