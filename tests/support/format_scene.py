"""Events as the daemon freezes them, out of an invoice's facts, for tests of the formats of other systems."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoice_facts import OPEN, T0, at, deposit, invoice, view, views
from watcher import render, render_receipts
from watcher.facts import Record
from watcher.model import Event, EventType, Happening
from watcher.receipts import Depths, StandingAddress, judge
from watcher.render import Links

if TYPE_CHECKING:
    from invoice_facts import Facts

CREATED = 1795348800
"""When the invoices of these tests are made, T0, in Unix seconds."""
HEARD = CREATED + 40
ID = "evt_01kb2m8v7r3w5x9yqz4n6t8p0d"
ENDPOINT = "whk_1"
LINKS = Links("https://pay.example", lambda _option, _missing: None, lambda _chain, _asset: 8)
ORDER = invoice(order_id="A-1001", description="Two books", metadata={"cart": 17})


def told(kind: EventType, some: Facts, payment: str | None = None) -> Event:
    """Return the event that tells of an invoice; `payment` names the deposit that it is about."""
    decision = some.decide()
    record = Record(replace(some.invoice, sequence=4), decision, (), None, None)
    shown = render.invoice(record, views(*some.views), LINKS)
    about = next((p for p in decision.payments if p.deposit.id == payment), None)
    seen = {one.chain: one for one in some.views}
    paid = render.payment(about, seen[about.deposit.chain], LINKS, some.invoice.options) if about else None
    return _event(kind, render.event_data(Happening(kind, about), "pending", shown, paid))


def deposited(kind: EventType, amount: int = 150, **address: Any) -> Event:
    """Return the event that tells of a deposit to a standing address."""
    terms: dict[str, Any] = {"label": "customer 7", **address}
    mine = StandingAddress("adr_7", "one", "address 0", Depths(2), T0, **terms)
    payment = judge(mine, deposit(amount, name="pay_1"), view(), 8)
    data = {
        "address": render_receipts.standing(mine),
        "payment": render.payment(payment, OPEN, LINKS),
        "sequence": 1,
    }
    return replace(_event(kind, data), invoice_id=None, standing_id="adr_7")


def plain(kind: EventType, **data: Any) -> Event:
    """Return an event about no invoice."""
    return replace(_event(kind, data), invoice_id=None)


def _event(kind: EventType, data: dict[str, Any]) -> Event:
    now = at(40.9)
    return Event(ID, kind, now, render.body(kind.value, now, data), invoice_id="inv", sequence=4)


def read(body: bytes) -> dict[str, Any]:
    """Return a body with its numbers as they are written: no float touches them."""
    found: dict[str, Any] = json.loads(body, parse_float=str)
    return found
