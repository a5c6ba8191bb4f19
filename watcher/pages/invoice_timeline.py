"""The story of an invoice: from what the API explains to one list of entries by time. Pure.

Who decided comes from the audit trail, what happened from the events, who was told from deliveries and mails.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watcher.pages import invoice_words as words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Json = Mapping[str, Any]

_STATUS = "invoice.status"


@dataclass(frozen=True, slots=True)
class Money:
    """A sum, and the transaction that moved it, where one is known. `address`: where it goes."""

    chain: str
    asset: str
    amount: str
    txid: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `state` is shown as a badge; `until` is a deadline; `by` is who did it.

    `delivery` and `refund` are identifiers of what has a page of its own; `attempts` are a delivery's.
    """

    at: str
    title: str
    state: str | None = None
    by: str | None = None
    reason: str | None = None
    note: str = ""
    until: str | None = None
    money: Money | None = None
    refund: str | None = None
    delivery: str | None = None
    attempts: tuple[Json, ...] = ()
    next_at: str | None = None


def entries(explained: Json, told: Mapping[str, Json]) -> list[Entry]:
    """Return what happened, newest first. `told`: the data of each event whose body is at hand, by its id."""
    found = [
        *_decisions(explained),
        *_events(explained, told),
        *map(_delivery, explained["deliveries"][::-1]),
        *map(_mail, explained["mails"]),
    ]
    return sorted(found, key=lambda entry: datetime.fromisoformat(entry.at))[::-1]


def _decisions(explained: Json) -> Iterator[Entry]:
    """Yield what was decided, and each change of the status, unless an event tells of it."""
    events = Counter((event["type"], event["occurred_at"]) for event in explained["events"])
    told = {(words.STATUS.get(event["type"]), event["occurred_at"]) for event in explained["events"]}
    for noted in explained["audit"]:
        if noted["action"] == _STATUS:
            if (noted["detail"]["new"], noted["at"]) not in told:
                yield Entry(at=noted["at"], title="Its status changed", state=noted["detail"]["new"])
        elif events[_told_by(noted)]:
            events[_told_by(noted)] -= 1  # stands in that event's place
        else:
            yield _decision(noted)


def _told_by(noted: Json) -> tuple[str | None, str]:
    return words.TOLD_BY.get(noted["action"]), noted["at"]


def _decision(noted: Json) -> Entry:
    detail = noted["detail"]
    return Entry(
        at=noted["at"],
        title=words.DECISIONS.get(noted["action"], noted["action"]),
        by=noted["actor"],
        reason=noted["reason"],
        until=detail.get("until"),
        money=_money(detail, detail.get("address")) if "amount" in detail else None,
        refund=detail.get("refund"),
    )


def _events(explained: Json, told: Mapping[str, Json]) -> Iterator[Entry]:
    """Yield what happened; in the place of an event that tells nothing but a decision, the decision."""
    decided: defaultdict[tuple[str | None, str], list[Json]] = defaultdict(list)
    for noted in explained["audit"]:
        decided[_told_by(noted)].append(noted)
    for event in explained["events"]:
        same = decided[event["type"], event["occurred_at"]]
        yield _decision(same.pop(0)) if same else _event(event, told.get(event["id"], {}))


def _event(event: Json, data: Json) -> Entry:
    payment, refund = data.get("payment"), data.get("refund")
    moved = payment or refund
    status = words.STATUS.get(event["type"])
    return Entry(
        at=event["occurred_at"],
        title=words.EVENTS.get(event["type"], event["type"]),
        state=status.value if status else None,
        note=" ".join(filter(None, [words.REASONS.get(data.get("reason", "")), _depth(event, payment)])),
        money=_money(moved) if moved else None,
        refund=refund["id"] if refund else None,
    )


def _money(moved: Json, address: str | None = None) -> Money:
    return Money(moved["chain"], moved["asset"], moved["amount"], moved.get("txid"), address)


def _depth(event: Json, payment: Json | None) -> str | None:
    """Return how deep a payment was at the event."""
    if payment is None or not event["type"].startswith("payment."):
        return None
    seen, needed = payment["confirmations"], payment["required_confirmations"]
    place = "" if payment["block_height"] is None else f", block {payment['block_height']}"
    if not isinstance(needed, int):
        return f"{needed}{place}."
    return f"{min(seen, needed)} of {needed} confirmations{place}."


def _delivery(one: Json) -> Entry:
    attempts = tuple(one["history"])
    failing = one["state"] == "pending" and attempts
    did = words.FAILING if failing else words.DELIVERIES[one["state"]]
    return Entry(
        at=attempts[-1]["at"] if attempts else one["created_at"],
        title=f"{did}: {one['event_type']}",
        state="failed" if failing else one["state"],
        delivery=one["id"],
        attempts=attempts,
        next_at=one["next_at"],
    )


def _mail(one: Json) -> Entry:
    return Entry(
        at=one["sent_at"] or one["created_at"],
        title=words.MAILS[one["state"]],
        state=one["state"],
        note=" ".join(filter(None, [f"To {one['recipient']}.", one["error"]])),
        next_at=one["next_at"],
    )
