"""What must be true in the end: held against a daemon that never died, the chains, and what the shop heard.

The killed daemon may have missed what came and went while it was dead, and it looks later. So these differ
by right, and are left out of the comparison with the other daemon, not out of the laws that each obeys alone:

- payments that are on no chain any more (replaced, dropped, reorganised): the dead saw some of them never.
  Where an invoice had one, at either daemon, its events and its exception `reverted` are not compared: its
  status, its sums and its living payments are;
- status events before the last: a step that was skipped is not told (CONTRACT, Events); how often an excess
  grew, as several payments may be seen at once; the order of payments among each other, and whether money is
  told to be late before or after it is confirmed;
- reminders: who has paid before the dead daemon is back is not reminded any more;
- whether an invoice ended before it was extended;
- moments, identifiers, confirmations above those required, and `chain.*`, which tell of its own nights.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from receiver import EXTRA, MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mail_office import Office
    from orders import Order
    from receiver import Arrival
    from subject import Subject

GONE = ("replaced", "reverted")
_STATUS = {
    "invoice.partially_paid": "partial",
    "invoice.confirming": "confirming",
    "invoice.paid": "paid",
    "invoice.underpaid": "underpaid",
    "invoice.expired": "expired",
    "invoice.cancelled": "cancelled",
    "invoice.refunding": "refunding",
    "invoice.refunded": "refunded",
}
_QUIET = {"invoice.reverted", "invoice.extended", "refund.cancelled", "refund.reverted"}
"""What may lead to another status without an event of its own."""
_GOING = {"payment.replaced", "payment.reverted", "invoice.reverted", "refund.reverted"}
_UNITS = {"ETH": 18, "USDT": 6, "LTC": 8}
_REFUND = ("chain", "asset", "address", "amount", "txid", "state", "reason")
SKEW = timedelta(seconds=60)
"""How far the ends of an invoice may be apart that was extended after its end: from each daemon's own now."""


@dataclass(frozen=True, slots=True)
class Books:
    """All that one daemon says in the end."""

    invoices: dict[str, dict[str, Any]]
    events: list[dict[str, Any]]

    def trace(self, invoice: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["data"].get("invoice", {}).get("id") == invoice]


async def books(subject: Subject) -> Books:
    invoices = await subject.all("/v1/invoices?limit=200")
    return Books({one["id"]: one for one in invoices}, await subject.all("/v1/events?after=0&limit=200"))


def living(invoice: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in invoice["payments"] if p["status"] not in GONE]


def credits_of(invoices: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], tuple[str, str, int]]:
    """Return every living payment by its identity: address, asset and base units."""
    found = {}
    for payment in (p for invoice in invoices for p in living(invoice)):
        units = int(Decimal(payment["amount"]).scaleb(_UNITS[payment["asset"]]))
        place = (payment["chain"], payment["txid"], payment["slot"])
        assert place not in found, f"{place} is credited twice"
        found[place] = (payment["address"], payment["asset"], units)
    return found


# --- the laws of one daemon


def sound(its: Books) -> None:
    """Every invoice's events are without a gap, tell each credit once, and end at what the invoice is."""
    for id_, invoice in its.invoices.items():
        trace = its.trace(id_)
        assert list(range(1, len(trace) + 1)) == [e["data"]["sequence"] for e in trace], id_
        assert invoice["sequence"] == len(trace), id_
        assert ["invoice.created"] == [e["type"] for e in trace if e["type"] == "invoice.created"], id_
        assert trace[0]["type"] == "invoice.created", id_
        _ends_at_status(invoice, trace)
        for payment in invoice["payments"]:
            _tells_once(payment, [e["type"] for e in trace if _is_of(e, payment)])
        for refund in invoice["refunds"]:
            _gives_back_once(refund, [e["type"] for e in trace if _is_about(e, refund)])
    addresses = Counter(
        (o["chain"], o["address"])
        for invoice in its.invoices.values()
        for o in {(o["chain"], o["address"]): o for o in invoice["options"]}.values()
    )
    assert [] == [place for place, times in addresses.items() if times > 1], "an address was given twice"


def _is_of(event: dict[str, Any], payment: dict[str, Any]) -> bool:
    return (event["data"].get("payment") or {}).get("id") == payment["id"]


def _is_about(event: dict[str, Any], refund: dict[str, Any]) -> bool:
    return (event["data"].get("refund") or {}).get("id") == refund["id"]


def _ends_at_status(invoice: dict[str, Any], trace: Sequence[dict[str, Any]]) -> None:
    told = [e for e in trace if e["type"] in _STATUS or e["type"] in _QUIET]
    status = "pending"
    if told:
        last = told[-1]
        status = _STATUS.get(last["type"], last["data"]["invoice"]["status"])
    assert status == invoice["status"], (invoice["id"], [e["type"] for e in trace])
    assert status == trace[-1]["data"]["invoice"]["status"], (invoice["id"], [e["type"] for e in trace])


def _tells_once(payment: dict[str, Any], types: Sequence[str]) -> None:
    """Detected once; confirmed, and taken back, in turns; in the end what the payment is."""
    credited = 0
    for type_ in types:
        credited += (type_ == "payment.confirmed") - (type_ == "payment.reverted" and credited)
        assert credited in (0, 1), (payment["id"], types)
    assert (payment["status"] == "confirmed") == bool(credited), (payment["id"], payment["status"], types)
    assert types[:1] == ["payment.detected"], (payment["id"], types)


def _gives_back_once(refund: dict[str, Any], types: Sequence[str]) -> None:
    """Requested once; withdrawn once or not at all; confirmed, and taken back, in turns."""
    assert ["refund.requested"] == [t for t in types if t == "refund.requested"] == types[:1], (refund, types)
    assert (refund["state"] == "cancelled") == types.count("refund.cancelled"), (refund, types)
    confirmed = [t == "refund.confirmed" for t in types if t in {"refund.confirmed", "refund.reverted"}]
    assert not any(a and b for a, b in pairwise(confirmed)), (refund, types)
    assert (refund["state"] == "confirmed") == bool(confirmed and confirmed[-1]), (refund, types)


# --- against the daemon that never died


def same(orders: Iterable[Order], its: Books, other: Books) -> Counter[str]:
    """Compare each order's two invoices; return how many were compared how closely."""
    counted: Counter[str] = Counter()
    for order in orders:
        assert order.answer is not None
        assert order.twin is not None
        one, two = its.invoices[order.answer["id"]], other.invoices[order.twin["id"]]
        assert _final(two) == _final(one), (order.name, one["id"])
        assert abs(_life(one) - _life(two)) <= (SKEW if order.wish == "extend" else timedelta()), order.name
        traces = its.trace(one["id"]), other.trace(two["id"])
        if any(e["type"] in _GOING for trace in traces for e in trace):
            counted["moved"] += 1
            continue
        assert two["exceptions"] == one["exceptions"], order.name
        assert _essence(traces[1]) == _essence(traces[0]), (order.name, one["id"])
        counted.update(order.decided)
        counted["still"] += 1
        counted[one["status"]] += 1
    return counted


def _final(invoice: dict[str, Any]) -> dict[str, Any]:
    sums = (
        "chain",
        "asset",
        "address",
        "amount",
        "expected",
        "seen",
        "confirmed",
        "net",
        "missing",
        "excess",
    )
    facts = ("chain", "asset", "txid", "slot", "address", "amount", "status", "block_hash", "late")
    return {
        "status": invoice["status"],
        "options": [{key: option[key] for key in sums} for option in invoice["options"]],
        "payments": sorted([str(p[key]) for key in facts] for p in living(invoice)),
        "refunds": sorted([str(r[key]) for key in _REFUND] for r in invoice["refunds"]),
        "needs_action": invoice["needs_action"],
        "exceptions": [each for each in invoice["exceptions"] if each != "reverted"],
    }


def _life(invoice: dict[str, Any]) -> timedelta:
    """Return the time from an invoice's beginning to its end, which both daemons know alike."""
    return datetime.fromisoformat(invoice["expires_at"]) - datetime.fromisoformat(invoice["created_at"])


def _essence(trace: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what timing may not change: each payment's events in order, the last status, what else was."""
    payments: dict[str, list[str]] = defaultdict(list)
    refunds: dict[str, list[str]] = defaultdict(list)
    remarks: set[tuple[str, str]] = set()
    extended = any(event["type"] == "invoice.extended" for event in trace)
    for event in trace:
        paid = event["data"]["payment"]
        if event["type"].startswith("payment."):
            payments[f"{paid['txid']} {paid['slot']}"].append(event["type"])
        elif event["type"].startswith("refund."):
            refunds[event["data"]["refund"]["address"]].append(event["type"])
        elif event["type"] not in {*_STATUS, "invoice.reminder"}:
            remarks.add((event["type"], paid["txid"] if paid else ""))
    return {
        "payments": payments,
        "refunds": refunds,
        "remarks": remarks,
        "last": [] if extended else [e["type"] for e in trace if e["type"] in _STATUS][-1:],
    }


# --- what the shop heard


def heard(its: Books, arrivals: Sequence[Arrival]) -> Counter[str]:
    """Every event arrived with its bytes, one body an id, in the order of its invoice; return the counts."""
    told = {e["id"]: e for e in its.events}
    bodies: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    first: dict[str, list[str]] = defaultdict(list)
    for arrival in arrivals:
        if not bodies[arrival.path, arrival.id]:
            first[arrival.path].append(arrival.id)
        bodies[arrival.path, arrival.id].add(arrival.body)
    assert [] == [place for place, each in bodies.items() if len(each) > 1], "an id had two bodies"
    assert [] == [id_ for _, id_ in bodies if id_ not in told], "an event arrived that nobody wrote"
    general = {id_ for id_, event in told.items() if event["type"] != "webhook.test"}
    assert set() == general - set(first[MAIN]), "events were lost"
    for (path, id_), (body,) in bodies.items():
        event = {key: told[id_][key] for key in ("type", "timestamp", "data")}
        assert event == json.loads(body), (path, id_)
    for path, ids in first.items():
        _in_order(path, [told[id_] for id_ in ids])
    return Counter(events=len(told), requests=len(arrivals), repeated=len(arrivals) - len(bodies))


def _in_order(path: str, events: Iterable[dict[str, Any]]) -> None:
    """Whoever gets all events of an invoice or address gets each after the one before; others in order."""
    last: Counter[str] = Counter()
    for event in events:
        if subject := event["data"].get("invoice") or event["data"].get("address"):
            before, sequence = last[subject["id"]], event["data"]["sequence"]
            assert before < sequence, (path, subject["id"], before, sequence)
            assert path == EXTRA or sequence == before + 1, (path, subject["id"], before, sequence)
            last[subject["id"]] = sequence


def heard_own(orders: Iterable[Order], its: Books, arrivals: Sequence[Arrival]) -> int:
    """An invoice's own webhook_url got all of its events; return how many invoices have one."""
    own = [order for order in orders if order.own_hook]
    got: dict[str, set[str]] = defaultdict(set)
    for arrival in arrivals:
        got[arrival.path].add(arrival.id)
    for order in own:
        assert order.answer is not None
        wanted = {event["id"] for event in its.trace(order.answer["id"])}
        assert set() == wanted - got[f"order-{order.number}"], order.name
    return len(own)


def reminded(its: Books, office: Office) -> int:
    """No payer got a second mail about a deadline, and each mail is of a reminder; return how many came."""
    reminders = [e["data"]["invoice"] for e in its.events if e["type"] == "invoice.reminder"]
    told = [(invoice["checkout_url"], invoice["expires_at"]) for invoice in reminders]
    assert len(told) == len(set(told)), "reminded twice of one deadline"
    assert [] == [id_ for id_, times in Counter(office.accepted).items() if times > 1], "a second mail"
    for mail in office.got:
        assert [url for url, _ in told if url in mail.get_content()], mail["Subject"]
    assert 0 < len(office.accepted) <= len(told)
    return len(office.accepted)


# --- what was promised by 201


def promised(orders: Sequence[Order], its: Books) -> None:
    """What was answered exists; a creation with a key made one invoice, however often it was repeated."""
    names = Counter(invoice["order_id"] for invoice in its.invoices.values())
    for order in orders:
        assert order.answer is not None
        assert order.answer["id"] in its.invoices, f"{order.name} was answered 201 and is not there"
        assert names[order.name] == 1, order.name
