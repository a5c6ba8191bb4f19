"""What a merchant decides about an invoice: accepted, extended, cancelled, given back. Writes facts only.

Each decision is one transaction: the rules are asked, the fact is recorded with who, when and why, the
invoice is decided again, and its events are written; or nothing is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from watcher import decisions, facts, idempotency, render, resolutions, rules
from watcher.errors import Refused
from watcher.model import Resolution, ResolutionKind
from watcher.rules import Act

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.bus import Bus
    from watcher.drafts_merchant import AcceptDraft, CancelDraft, Decided, ExtendDraft
    from watcher.facts import Record
    from watcher.idempotency import Idempotency
    from watcher.model import Clock, View
    from watcher.render import Links
    from watcher.store import Store

    Effect = Callable[[AsyncConnection, Record, datetime], Awaitable[None]]
    Shown = Callable[[Record, Mapping[str, View]], Mapping[str, Any]]

CONFLICT = 409
OK = 200

MESSAGES = {
    "not_underpaid": "it is {status}: neither short nor over, so that there is nothing to decide yet",
    "nothing_received": "it is {status}, and nothing that could be taken for a payment has come",
    "already_paid": "it is paid, and nothing of it waits for a decision",
    "already_refunding": "a refund of it is under way; send it, or withdraw it first",
    "already_refunded": "it was refunded, and nothing has come since",
    "already_cancelled": "it was cancelled",
    "already_expired": "it is over already: nothing is left to cancel",
    "something_received": "something was seen of it: accept, extend or refund it instead",
    "not_confirmed": "what came is not confirmed yet; wait, or it may vanish again",
}
"""Why an act is not possible, by the code; `status` is the invoice's."""


class Desk:
    """Where decisions are taken: one invoice, one transaction, one answer."""

    def __init__(self, store: Store, clock: Clock, links: Links, bus: Bus) -> None:
        """`links` names things in answers and events; `bus` wakes the notifier after each commit."""
        self.store = store
        self.clock = clock
        self.links = links
        self.bus = bus

    async def decide(
        self, id_: str, idem: Idempotency | None, effect: Effect, shown: Shown, status: int = OK
    ) -> dict[str, Any]:
        """Run an effect on an invoice's record, decide the invoice again, and return what is shown of it.

        Raises Refused, and Replay if `idem` was answered before.
        """
        async with self.store.write("decision") as connection:
            await idempotency.claim(connection, idem)
            now = self.clock()
            await effect(connection, await record_of(connection, id_), now)
            written = await decisions.settle(connection, [id_], now, self.links)
            answer = dict(shown(await record_of(connection, id_), await facts.views(connection)))
            await idempotency.remember(connection, idem, status, answer, now)
        self.bus.published()
        self.bus.decided([id_], written)
        return answer

    async def record(self, id_: str, idem: Idempotency | None = None) -> Record:
        """Return an invoice as it stands; Replay if `idem` was answered before."""
        async with self.store.read() as connection:
            await idempotency.claim(connection, idem)
            return await record_of(connection, id_)

    def invoice(self, record: Record, views: Mapping[str, View]) -> dict[str, Any]:
        """Return an invoice as the API shows it."""
        return render.invoice(record, views, self.links)


async def record_of(connection: AsyncConnection, id_: str) -> Record:
    """Return an invoice's record; Refused (404) if there is none."""
    record = (await facts.load(connection, [id_])).get(id_)
    if record is None:
        raise Refused("not_found", f"there is no invoice {id_}", status=404)
    return record


def check(record: Record, act: Act, draft: Decided, *, without_payment: bool = False) -> None:
    """Raise Refused (409) if the merchant saw another state of the invoice, or the act is not possible."""
    if draft.sequence is not None and draft.sequence != record.invoice.sequence:
        message = f"it is at sequence {record.invoice.sequence} by now: look again, and decide then"
        raise Refused("changed", message, field="sequence", status=CONFLICT)
    code = rules.obstacle(record, act, without_payment=without_payment)
    if code is not None:
        raise impossible(code, record)


def impossible(code: str, record: Record) -> Refused:
    """Return the answer to what cannot be done with an invoice now."""
    message = MESSAGES[code].format(status=record.decision.status.value)
    if code == "nothing_received" and rules.Condition.WITHOUT_PAYMENT in _conditions(record):
        message += "; to take it as paid nevertheless, set without_payment"
    return Refused(code, message, status=CONFLICT)


def _conditions(record: Record) -> set[rules.Condition | None]:
    return {rule.condition for rule in rules.TABLE[record.decision.status].values()}


class Merchant:
    """Accepts, extends and cancels; `by` is who does it: an API key's name, or "local"."""

    def __init__(self, desk: Desk) -> None:
        """Decide at this desk."""
        self._desk = desk

    async def accept(
        self, id_: str, draft: AcceptDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Take what came as the whole payment; return the invoice, which is paid."""

        async def effect(connection: AsyncConnection, record: Record, now: datetime) -> None:
            check(record, Act.ACCEPT, draft, without_payment=draft.without_payment)
            one = Resolution(ResolutionKind.ACCEPT, now, by, draft.reason)
            await resolutions.resolve(connection, id_, one)

        return await self._desk.decide(id_, idem, effect, self._desk.invoice)

    async def extend(
        self, id_: str, draft: ExtendDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Move the deadline; return the invoice."""

        async def effect(connection: AsyncConnection, record: Record, now: datetime) -> None:
            check(record, Act.EXTEND, draft)
            until = max(now, record.decision.deadline) + timedelta(seconds=draft.seconds)
            one = Resolution(ResolutionKind.EXTEND, now, by, draft.reason, until)
            await resolutions.resolve(connection, id_, one)

        return await self._desk.decide(id_, idem, effect, self._desk.invoice)

    async def cancel(
        self, id_: str, draft: CancelDraft, by: str, idem: Idempotency | None = None
    ) -> dict[str, Any]:
        """Withdraw an invoice of which nothing was seen; return it."""

        async def effect(connection: AsyncConnection, record: Record, now: datetime) -> None:
            check(record, Act.CANCEL, draft)
            one = Resolution(ResolutionKind.CANCEL, now, by, draft.reason)
            await resolutions.resolve(connection, id_, one)

        return await self._desk.decide(id_, idem, effect, self._desk.invoice)
