"""Decides invoices again inside a running transaction, and writes what changed with the events it causes.

The one place where a decision is stored. The ledger calls it with new facts, the actions with a
merchant's word.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from watcher import facts, outbox, render
from watcher.happenings import events_for, fell
from watcher.ids import new_id
from watcher.matcher import decide
from watcher.model import UNPROVEN, Event, EventType, Exceptional, PaymentStatus, Standing, Status
from watcher.tables import ADDRESS, DEPOSIT, GAP, INVOICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record
    from watcher.model import Decision, Happening, View
    from watcher.render import Links

_UNPROVEN = tuple(reason.value for reason in UNPROVEN)
_CLOSED = frozenset({Status.PAID, Status.UNDERPAID, Status.EXPIRED, Status.REFUNDED, Status.CANCELLED})
_WAITING = frozenset({Status.PENDING, Status.PARTIAL})


@dataclass(frozen=True, slots=True)
class _Change:
    """An invoice whose decision changed, with what is to be told of it."""

    before: Record
    after: Record
    happenings: Sequence[Happening]


async def settle(
    connection: AsyncConnection,
    ids: Iterable[str],
    now: datetime,
    links: Links,
    extra: Mapping[str, Sequence[Happening]] | None = None,
) -> int:
    """Decide these invoices from the facts as they stand now; return the number of events written.

    `extra` are happenings that a merchant's action causes by itself, told before those of the decision.
    """
    views = await facts.views(connection)
    written = 0
    for some in facts.chunks(ids):
        held = await _held_back(connection, some)
        records = await facts.load(connection, some)
        deposits = await facts.deposits_of(connection, some)
        for id_, record in records.items():
            seen = _passed_before(_limited(views, held.get(id_, ()), record), record)
            after = decide(record.invoice, deposits[id_], record.resolutions, seen)
            change = _change(record, after, (extra or {}).get(id_, ()), now)
            written += await _save(connection, change, views, now, links)
    return written


async def _held_back(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the chains on which an invoice's address still has blocks to be read again."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = await connection.execute(
        select(ADDRESS.c.invoice_id, ADDRESS.c.chain)
        .join(
            GAP,
            (GAP.c.chain == ADDRESS.c.chain) & (GAP.c.after < ADDRESS.c.id) & (ADDRESS.c.id <= GAP.c.upto),
        )
        .where(ADDRESS.c.invoice_id.in_(ids), GAP.c.reason.in_(_UNPROVEN))
    )
    for row in rows:
        found[row.invoice_id].append(row.chain)
    return found


def _limited(views: Mapping[str, View], chains: Iterable[str], record: Record) -> Mapping[str, View]:
    """Where blocks have to be read again, nothing after the invoice's creation is proven yet."""
    held = {c: replace(views[c], as_of=record.invoice.created_at) for c in chains if c in views}
    return {**views, **held}


def _passed_before(views: Mapping[str, View], record: Record) -> Mapping[str, View]:
    """Keep a deadline passed that was proven and told: another branch of the chain may end before it.

    Money may still come. Only a later deadline, which the merchant sets, has to be proven anew.
    """
    old = record.decision
    if old.status not in (Status.EXPIRED, Status.UNDERPAID):
        return views
    chains = {option.chain for option in record.invoice.options} & set(views)
    return {**views, **{c: replace(views[c], as_of=max(views[c].as_of, old.deadline)) for c in chains}}


def _change(before: Record, decision: Decision, extra: Sequence[Happening], now: datetime) -> _Change:
    happenings = [*extra, *events_for(before.decision, decision)]
    invoice = before.invoice
    if fell(before.decision, decision) and not invoice.reverted:
        invoice = replace(invoice, reverted=True)
        decision = replace(decision, exceptions=_with_reverted(decision.exceptions))
    after = replace(
        before,
        invoice=replace(invoice, sequence=invoice.sequence + len(happenings)),
        decision=decision,
        paid_at=_since(before.paid_at, now, holds=decision.status is Status.PAID),
        closed_at=_since(before.closed_at, now, holds=decision.status in _CLOSED),
    )
    return _Change(before, after, happenings)


def _with_reverted(exceptions: tuple[Exceptional, ...]) -> tuple[Exceptional, ...]:
    return tuple(e for e in Exceptional if e in exceptions or e is Exceptional.REVERTED)


def _since(old: datetime | None, now: datetime, *, holds: bool) -> datetime | None:
    return (old or now) if holds else None


async def _save(
    connection: AsyncConnection, change: _Change, views: Mapping[str, View], now: datetime, links: Links
) -> int:
    await _mark_settled(connection, change.after.decision)
    if change.after == change.before:
        return 0
    await connection.execute(
        update(INVOICE).where(INVOICE.c.id == change.after.invoice.id).values(**columns(change.after))
    )
    events = _events(change, views, now, links)
    if events:
        await outbox.publish(connection, events, now)
    return len(events)


def columns(record: Record) -> dict[str, object]:
    """Return what a decision sets in its invoice's row."""
    decision = record.decision
    return {
        "status": decision.status.value,
        "exceptions": "".join(f",{e.value}" for e in decision.exceptions) + ",",
        "needs_action": decision.needs_action,
        "reverted": record.invoice.reverted,
        "sequence": record.invoice.sequence,
        "decision": facts.encode_decision(decision),
        "due_at": decision.deadline if decision.status in _WAITING else None,
        "paid_at": record.paid_at,
        "closed_at": record.closed_at,
    }


async def _mark_settled(connection: AsyncConnection, decision: Decision) -> None:
    """Note which deposits new blocks need not look at again, and which they must."""
    for settled in (True, False):
        ids = [
            p.deposit.id for p in decision.payments if _is_settled(p.status, p.deposit.standing) is settled
        ]
        for some in facts.chunks(ids):
            wrong = DEPOSIT.c.id.in_(some) & DEPOSIT.c.settled.is_(not settled)
            await connection.execute(update(DEPOSIT).where(wrong).values(settled=settled))


def _is_settled(status: PaymentStatus, standing: Standing) -> bool:
    """Whether no new block can change it: an unconfirmed transaction can always be replaced."""
    return status is not PaymentStatus.PENDING and standing not in (Standing.MEMPOOL, Standing.UNPLACED)


def _events(change: _Change, views: Mapping[str, View], now: datetime, links: Links) -> list[Event]:
    """Freeze the happenings, each with its own sequence and the invoice as it is after all of them."""
    shown = render.invoice(change.after, views, links)
    first = change.before.invoice.sequence + 1
    return [
        _freeze(change, happening, {**shown, "sequence": number}, views, now, links)
        for number, happening in enumerate(change.happenings, first)
    ]


def _freeze(  # noqa: PLR0913, PLR0917 - all that a body is made of
    change: _Change,
    happening: Happening,
    shown: Mapping[str, object],
    views: Mapping[str, View],
    now: datetime,
    links: Links,
) -> Event:
    """Return one happening as the bytes that every delivery of it will send."""
    paid = None
    if happening.payment:
        paid = render.payment(happening.payment, views.get(happening.payment.deposit.chain), links)
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
