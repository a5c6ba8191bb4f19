"""Decides invoices again inside a running transaction, and writes what changed with the events it causes.

The one place where a decision is stored. The ledger calls it with new facts, the actions with a
merchant's word.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from watcher import facts, policy, reminders, resolutions
from watcher.decisions_saved import Change, mark_refunds, save
from watcher.happenings import events_for, fell
from watcher.matcher import decide
from watcher.model import (
    UNPROVEN,
    EventType,
    Exceptional,
    Happening,
    RefundState,
    Resolution,
    Status,
)
from watcher.refunds import judged
from watcher.tables import ADDRESS, GAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts import Record
    from watcher.model import Decision, Deposit, Refund, View
    from watcher.render import Links

_UNPROVEN = tuple(reason.value for reason in UNPROVEN)
_CLOSED = frozenset({Status.PAID, Status.UNDERPAID, Status.EXPIRED, Status.REFUNDED, Status.CANCELLED})
_CERTAIN = datetime(1, 1, 1, tzinfo=UTC)
_WISHES = 20
"""What a policy may do about one invoice at once, each from the facts that the last one made."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an invoice beside its record: deposits to it, what its refunds sent, the chains."""

    deposits: Sequence[Deposit]
    sent: Sequence[Deposit]
    views: Mapping[str, View]


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
        sent = await facts.sent_of(connection, some)
        for id_, record in records.items():
            seen = _passed_before(_limited(views, held.get(id_, ()), record), record)
            known = _Known(deposits[id_], sent[id_], seen)
            after, decision = await _decided(connection, record, known, now, links)
            change = _change(record, after, decision, (extra or {}).get(id_, ()), now)
            change = _reminded(change, _proven(record, seen), now)
            await mark_refunds(connection, sent[id_])
            written += await save(connection, change, views, now, links)
    return written


async def _decided(
    connection: AsyncConnection, record: Record, known: _Known, now: datetime, links: Links
) -> tuple[Record, Decision]:
    """Decide an invoice, and let its policy act until it is content; return the record with what it did."""
    for _ in range(_WISHES):
        refunds = tuple(_judged(refund, known, now) for refund in record.refunds)
        decision = decide(record.invoice, known.deposits, record.resolutions, known.views, refunds)
        proven = _proven(record, known.views)
        wish = policy.wish(record.invoice, decision, record.resolutions, proven, now)
        if wish is None:
            break
        record = await _grant(connection, record, wish, now, links)
    return replace(record, refunds=refunds), decision


async def _grant(
    connection: AsyncConnection, record: Record, wish: Resolution | policy.Return, now: datetime, links: Links
) -> Record:
    """Record what a policy wishes, as if the merchant had decided it."""
    if isinstance(wish, Resolution):
        await resolutions.resolve(connection, record.invoice.id, wish)
        return replace(record, resolutions=(*record.resolutions, wish))
    refund = resolutions.requested(record, wish, links, now)
    await resolutions.give_back(connection, record.invoice.id, refund)
    return replace(record, refunds=(*record.refunds, refund))


def _judged(refund: Refund, known: _Known, now: datetime) -> Refund:
    """Return how far a refund is, and since when it is confirmed."""
    new = judged(refund, known.sent, known.views.get(refund.chain))
    confirmed = new.state is RefundState.CONFIRMED
    return replace(new, confirmed_at=(refund.confirmed_at or now) if confirmed else None)


def _proven(record: Record, views: Mapping[str, View]) -> datetime:
    """Return until when every chain of an invoice is proven."""
    chains = {option.chain for option in record.invoice.options}
    return min(views[c].as_of if c in views else _CERTAIN for c in chains)


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
    if not old.passed and old.status not in (Status.EXPIRED, Status.UNDERPAID):
        return views
    chains = {option.chain for option in record.invoice.options} & set(views)
    return {**views, **{c: replace(views[c], as_of=max(views[c].as_of, old.deadline)) for c in chains}}


def _change(
    before: Record, after: Record, decision: Decision, extra: Sequence[Happening], now: datetime
) -> Change:
    """Return what a decision changes; `after` is the record with what the policy did meanwhile."""
    happenings = [*extra, *events_for(before.decision, decision)]
    invoice = before.invoice
    if fell(before.decision, decision) and not invoice.reverted:
        invoice = replace(invoice, reverted=True)
        decision = replace(decision, exceptions=_with_reverted(decision.exceptions))
    after = replace(
        after,
        invoice=replace(invoice, sequence=invoice.sequence + len(happenings)),
        decision=decision,
        paid_at=_paid_at(before, decision, now),
        closed_at=_since(before.closed_at, now, holds=decision.status in _CLOSED),
    )
    return Change(before, after, happenings)


def _reminded(change: Change, proven: datetime, now: datetime) -> Change:
    """Remind of a deadline that comes near; one that is over already is only noted."""
    after = change.after
    moment = reminders.moment(after.invoice, after.decision, after.resolutions)
    if moment is None or proven < moment:
        return change
    told = [Happening(EventType.INVOICE_REMINDER)] if now < after.decision.deadline else []
    invoice = replace(
        after.invoice,
        reminded_for=after.decision.deadline,
        sequence=after.invoice.sequence + len(told),
    )
    return replace(change, after=replace(after, invoice=invoice), happenings=[*change.happenings, *told])


def _paid_at(before: Record, decision: Decision, now: datetime) -> datetime | None:
    """Return since when it is paid; what was paid and is given back keeps the moment."""
    given_back = decision.status in (Status.REFUNDING, Status.REFUNDED)
    return before.paid_at if given_back else _since(before.paid_at, now, holds=decision.status is Status.PAID)


def _with_reverted(exceptions: tuple[Exceptional, ...]) -> tuple[Exceptional, ...]:
    return tuple(e for e in Exceptional if e in exceptions or e is Exceptional.REVERTED)


def _since(old: datetime | None, now: datetime, *, holds: bool) -> datetime | None:
    return (old or now) if holds else None
