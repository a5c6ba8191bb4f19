"""The story of an invoice as the dashboard tells it: which entries, in which order, with which words."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.model import EventType, Status
from watcher.pages import invoice_words as words
from watcher.pages.invoice_timeline import Entry, Money, entries

EARLY, NOON, LATER = "2026-01-01T11:59:59.5Z", "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.25Z"
PAYMENT = {
    "chain": "ethereum",
    "asset": "USDT",
    "amount": "10",
    "txid": "0xab",
    "confirmations": 1,
    "required_confirmations": 2,
    "block_height": 7,
}
SUM = {"chain": "ethereum", "asset": "USDT", "amount": "4"}
REFUND = {"id": "ref_1", **SUM, "txid": None}
COMES = Money("ethereum", "USDT", "10", "0xab")


def explained(**parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"audit": [], "events": [], "deliveries": [], "mails": [], **parts}


def event(kind: str, at: str = NOON, id_: str = "evt_1") -> dict[str, Any]:
    return {"type": kind, "occurred_at": at, "id": id_}


def noted(
    action: str, at: str = NOON, by: str = "anna", reason: str | None = None, **detail: Any
) -> dict[str, Any]:
    return {"action": action, "at": at, "actor": by, "reason": reason, "detail": detail}


def delivery(state: str, *history: dict[str, Any], next_at: str | None = None) -> dict[str, Any]:
    known = {"id": "dlv_1", "event_type": "invoice.paid", "created_at": EARLY}
    return {**known, "state": state, "history": [*history], "next_at": next_at}


def mail(state: str, sent_at: str | None = None, error: str | None = None) -> dict[str, Any]:
    known = {"recipient": "jo@shop.example", "created_at": EARLY, "next_at": None}
    return {**known, "state": state, "sent_at": sent_at, "error": error}


FAILED = {"number": 1, "at": NOON, "duration_ms": 5, "status": 503, "error": None, "answer": "no"}
TAKEN = {"number": 2, "at": LATER, "duration_ms": 5, "status": 200, "error": None, "answer": "ok"}


@pytest.mark.parametrize(
    ("given", "told", "expected"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param(
            {"audit": [noted("invoice.create", order_id="A")], "events": [event("invoice.created")]},
            {},
            [Entry(at=NOON, title="Created", by="anna")],
            id="created: one entry, not two",
        ),
        pytest.param(
            {"events": [event("invoice.created")]},
            {},
            [Entry(at=NOON, title="Created", state="pending")],
            id="created by the payer of a link",
        ),
        pytest.param(
            {"events": [event("payment.detected")]},
            {"evt_1": {"payment": PAYMENT}},
            [Entry(at=NOON, title="Payment seen", money=COMES, note="1 of 2 confirmations, block 7.")],
            id="seen",
        ),
        pytest.param(
            {"events": [event("payment.detected")]},
            {"evt_1": {"payment": PAYMENT | {"block_height": None, "confirmations": 0}}},
            [Entry(at=NOON, title="Payment seen", money=COMES, note="0 of 2 confirmations.")],
            id="seen in no block",
        ),
        pytest.param(
            {"events": [event("payment.confirmed")]},
            {"evt_1": {"payment": PAYMENT | {"confirmations": 9}}},
            [Entry(at=NOON, title="Payment confirmed", money=COMES, note="2 of 2 confirmations, block 7.")],
            id="confirmed, and found deeper than needed",
        ),
        pytest.param(
            {"events": [event("payment.confirmed")]},
            {"evt_1": {"payment": PAYMENT | {"required_confirmations": "finalized"}}},
            [Entry(at=NOON, title="Payment confirmed", money=COMES, note="finalized, block 7.")],
            id="confirmed by finality",
        ),
        pytest.param(
            {"events": [event("payment.detected")]},
            {},
            [Entry(at=NOON, title="Payment seen")],
            id="seen, its body not at hand",
        ),
        pytest.param(
            {"events": [event("invoice.reverted")]},
            {"evt_1": {"reason": "reorganised", "payment": None}},
            [Entry(at=NOON, title=words.EVENTS["invoice.reverted"], note=words.REASONS["reorganised"])],
            id="reorganised",
        ),
        pytest.param(
            {
                "audit": [noted("invoice.status", old="partial", new="paid")],
                "events": [event("invoice.paid")],
            },
            {},
            [Entry(at=NOON, title="Paid", state="paid")],
            id="a status that its event tells",
        ),
        pytest.param(
            {"audit": [noted("invoice.status", old="underpaid", new="partial")]},
            {},
            [Entry(at=NOON, title="Its status changed", state="partial")],
            id="a status that no event tells",
        ),
        pytest.param(
            {
                "audit": [noted("invoice.accept", reason="kind")],
                "events": [event("invoice.paid"), event("invoice.expired", EARLY)],
            },
            {},
            [
                Entry(at=NOON, title="Paid", state="paid"),
                Entry(at=NOON, title="Accepted", by="anna", reason="kind"),
                Entry(at=EARLY, title=words.EVENTS["invoice.expired"], state="expired"),
            ],
            id="accepted, and paid by it",
        ),
        pytest.param(
            {
                "audit": [noted("invoice.extend", by="policy", until=LATER)],
                "events": [event("invoice.extended")],
            },
            {},
            [Entry(at=NOON, title="Deadline moved", by="policy", until=LATER)],
            id="extended by a policy",
        ),
        pytest.param(
            {
                "audit": [noted("refund.request", refund="ref_1", address="0xcd", **SUM)],
                "events": [event("refund.requested"), event("invoice.refunding", id_="evt_2")],
            },
            {"evt_1": {"refund": REFUND}},
            [
                Entry(at=NOON, title=words.EVENTS["invoice.refunding"], state="refunding"),
                Entry(
                    at=NOON,
                    title="Refund requested",
                    by="anna",
                    money=Money("ethereum", "USDT", "4", None, "0xcd"),
                    refund="ref_1",
                ),
            ],
            id="a refund is requested",
        ),
        pytest.param(
            {"events": [event("refund.confirmed")]},
            {"evt_1": {"refund": REFUND | {"txid": "0xef"}}},
            [
                Entry(
                    at=NOON,
                    title="Refund confirmed",
                    money=Money("ethereum", "USDT", "4", "0xef"),
                    refund="ref_1",
                )
            ],
            id="a refund is confirmed",
        ),
        pytest.param(
            {
                "audit": [noted("refund.cancel", by="anna"), noted("refund.cancel", by="bert")],
                "events": [event("refund.cancelled")],
            },
            {},
            [
                Entry(at=NOON, title="Refund withdrawn", by="anna"),
                Entry(at=NOON, title="Refund withdrawn", by="bert"),
            ],
            id="two decisions at the moment of one event",
        ),
        pytest.param(
            {"deliveries": [delivery("delivered", FAILED, TAKEN)]},
            {},
            [
                Entry(
                    at=LATER,
                    title="Delivered: invoice.paid",
                    state="delivered",
                    delivery="dlv_1",
                    attempts=(FAILED, TAKEN),
                )
            ],
            id="delivered at the second attempt",
        ),
        pytest.param(
            {"deliveries": [delivery("pending", FAILED, next_at=LATER)]},
            {},
            [
                Entry(
                    at=NOON,
                    title="Not delivered yet: invoice.paid",
                    state="failed",
                    delivery="dlv_1",
                    attempts=(FAILED,),
                    next_at=LATER,
                )
            ],
            id="failed, and to be tried again",
        ),
        pytest.param(
            {"deliveries": [delivery("pending", next_at=NOON), delivery("dead", FAILED)]},
            {},
            [
                Entry(
                    at=NOON,
                    title="Not delivered, and given up: invoice.paid",
                    state="dead",
                    delivery="dlv_1",
                    attempts=(FAILED,),
                ),
                Entry(
                    at=EARLY,
                    title="To be delivered: invoice.paid",
                    state="pending",
                    delivery="dlv_1",
                    next_at=NOON,
                ),
            ],
            id="given up, and not tried yet",
        ),
        pytest.param(
            {"mails": [mail("sent", LATER), mail("failed", error="550 no such user")]},
            {},
            [
                Entry(at=LATER, title=words.MAILS["sent"], state="sent", note="To jo@shop.example."),
                Entry(
                    at=EARLY,
                    title=words.MAILS["failed"],
                    state="failed",
                    note="To jo@shop.example. 550 no such user",
                ),
            ],
            id="mails",
        ),
        pytest.param(
            {
                "events": [
                    event("invoice.created", EARLY),
                    event("payment.detected"),
                    event("invoice.paid", LATER),
                ],
            },
            {},
            [
                Entry(at=LATER, title="Paid", state="paid"),
                Entry(at=NOON, title="Payment seen"),
                Entry(at=EARLY, title="Created", state="pending"),
            ],
            id="the newest first, by the moment and not by its letters",
        ),
        pytest.param(
            {"audit": [noted("invoice.sing")], "events": [event("invoice.sung")]},
            {},
            [Entry(at=NOON, title="invoice.sung"), Entry(at=NOON, title="invoice.sing", by="anna")],
            id="what a later version may know",
        ),
    ],
)
def test_a_story_has_one_entry_for_each_thing_that_happened(
    given: dict[str, Any], told: dict[str, Any], expected: list[Entry]
) -> None:
    assert expected == entries(explained(**given), told)


def test_every_event_of_an_invoice_every_status_and_state_has_words() -> None:
    others = ("deposit.detected", "deposit.confirmed", "deposit.reverted")
    of_invoices = [e for e in EventType if e.partition(".")[0] in {"invoice", "payment", "refund", "deposit"}]

    assert {e for e in of_invoices if e not in others} == set(words.EVENTS)
    assert set(Status) == set(words.STATUS.values())
    assert set(words.TOLD_BY) <= set(words.DECISIONS)
    assert {"pending", "delivered", "dead", "cancelled"} == set(words.DELIVERIES)
    assert {"pending", "sending", "sent", "failed", "uncertain"} == set(words.MAILS)
    assert len(words.EVENTS) == len(set(words.EVENTS.values()))
