"""What OxaPay's callbacks say of our events: each field, exact numbers, which answers count."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from format_scene import CREATED, ENDPOINT, ORDER, deposited, plain, read, told
from invoice_facts import (
    ACCEPTS_LATE,
    BASE,
    BOTH,
    CLOSED,
    CUSTOMER,
    DEADLINE,
    FEE,
    NOTHING,
    ONE_DEEP,
    PAID,
    PARTLY,
    PAST,
    POOL,
    Facts,
    deposit,
    facts,
    gone,
    invoice,
    option,
    token,
    two,
    view,
)
from watcher.formats_oxapay import bodies
from watcher.model import EventType, Standing

if TYPE_CHECKING:
    from watcher.model import Invoice

EXPIRED = facts(seen=PAST)


def _told(kind: EventType, some: Facts) -> dict[str, Any]:
    (body,) = bodies(told(kind, some), ENDPOINT)
    return read(body)


def test_a_paid_invoice_is_told_with_every_field_that_oxapay_documents() -> None:
    expected = {
        "track_id": "inv",
        "status": "Paid",
        "type": "invoice",
        "module_name": "deposit-watcher",
        "amount": "0.000001",
        "value": "0.000001",
        "sent_value": "0.000001",
        "currency": "COIN",
        "order_id": "A-1001",
        "email": "",
        "note": "",
        "fee_paid_by_payer": 0,
        "under_paid_coverage": 0,
        "description": "Two books",
        "date": CREATED,
        "txs": [
            {
                "status": "confirmed",
                "tx_hash": "tx p",
                "sent_amount": "0.000001",
                "received_amount": "0.000001",
                "sent_value": "0.000001",
                "value": "0.000001",
                "currency": "COIN",
                "network": "one",
                "sender_address": "",
                "address": "address 0",
                "memo": "",
                "rate": 1,
                "confirmations": 2,
                "auto_convert_amount": 0,
                "auto_convert_currency": "",
                "date": CREATED + 10,
            }
        ],
    }

    assert expected == _told(EventType.INVOICE_PAID, replace(PAID, invoice=ORDER))


@pytest.mark.parametrize(
    ("kind", "some", "status", "transactions"),
    [
        pytest.param(EventType.INVOICE_PARTIALLY_PAID, PARTLY, "Paying", ["confirming"], id="partial"),
        pytest.param(EventType.INVOICE_CONFIRMING, POOL, "Paying", ["confirming"], id="all, unconfirmed"),
        pytest.param(EventType.INVOICE_CONFIRMING, ONE_DEEP, "Paying", ["confirming"], id="all, one deep"),
        pytest.param(EventType.INVOICE_PAID, PAID, "Paid", ["confirmed"], id="paid"),
        pytest.param(EventType.INVOICE_PAID, NOTHING, "Paid", [], id="accepted without payment"),
        pytest.param(EventType.INVOICE_UNDERPAID, CLOSED, "Underpaid", ["confirming"], id="underpaid"),
        pytest.param(EventType.INVOICE_EXPIRED, EXPIRED, "Expired", [], id="expired"),
    ],
)
def test_a_status_is_written_as_shops_compare_it(
    kind: EventType, some: Facts, status: str, transactions: list[str]
) -> None:
    body = _told(kind, some)

    assert (status, transactions) == (body["status"], [one["status"] for one in body["txs"]])


def test_an_event_that_oxapay_does_not_tell_has_no_body() -> None:
    kinds = [EventType.INVOICE_CREATED, EventType.INVOICE_REVERTED, EventType.PAYMENT_CONFIRMED]

    assert [()] * 4 == [bodies(told(kind, PAID, "p"), ENDPOINT) for kind in kinds] + [
        bodies(plain(EventType.CHAIN_STALLED, chain="one"), ENDPOINT)
    ]


def test_the_invoice_of_a_payment_link_is_of_another_type() -> None:
    assert (
        "payment_link"
        == _told(EventType.INVOICE_PAID, replace(PAID, invoice=invoice(link_id="lnk_1")))["type"]
    )


def test_email_and_note_come_from_the_metadata_and_only_as_texts() -> None:
    some = replace(PAID, invoice=invoice(metadata={"email": "jo@shop.example", "note": {"no": "text"}}))

    body = _told(EventType.INVOICE_PAID, some)
    assert ("jo@shop.example", "") == (body["email"], body["note"])


@pytest.mark.parametrize(
    ("decimals", "units", "written"),
    [
        pytest.param(18, 1, "0.000000000000000001", id="one wei"),
        pytest.param(18, 123456789012345678901234567890, "123456789012.34567890123456789", id="30 digits"),
        pytest.param(18, 2**256 - 1, f"{2**256 - 1}"[:60] + "." + f"{2**256 - 1}"[60:], id="the largest"),
        pytest.param(8, 2550000000, "25.5", id="no zeros behind"),
        pytest.param(6, 25_000_000, 25, id="a whole number"),
        pytest.param(0, 7, 7, id="no decimals"),
    ],
)
def test_amounts_are_json_numbers_to_the_last_digit(decimals: int, units: int, written: object) -> None:
    some = facts(deposit(units), of=invoice(option(amount=units, decimals=decimals)))
    (body,) = bodies(told(EventType.INVOICE_PAID, some), ENDPOINT)

    shown = read(body)
    assert [written] * 3 == [shown[name] for name in ("amount", "value", "sent_value")]
    assert [written] * 2 == [shown["txs"][0][name] for name in ("sent_amount", "received_amount")]
    assert isinstance(json.loads(body)["amount"], float | int)
    assert not re.search(rb'"[0-9.]+"', body.replace(b'"tx_hash"', b""))


def test_fees_that_the_payer_bears_are_said_and_taken_off() -> None:
    mine = invoice(option(**FEE, expected=111, minimum=100), **CUSTOMER)
    body = _told(EventType.INVOICE_PAID, facts(deposit(111), of=mine))

    assert (1, "0.000001") == (body["fee_paid_by_payer"], body["amount"])
    assert ("0.00000111", "0.000001") == (body["sent_value"], body["value"])
    assert ("0.00000111", "0.000001") == tuple(body["txs"][0][n] for n in ("sent_amount", "received_amount"))


@pytest.mark.parametrize(
    ("amount", "minimum", "coverage"),
    [
        pytest.param(1000, 1000, 0, id="none"),
        pytest.param(1000, 975, "2.5", id="two and a half"),
        pytest.param(3, 2, "33.33333333", id="without end: rounded down"),
        pytest.param(5, 0, 100, id="everything"),
    ],
)
def test_the_tolerance_is_a_percentage(amount: int, minimum: int, coverage: object) -> None:
    some = facts(of=invoice(option(amount=amount, minimum=minimum)))

    assert coverage == _told(EventType.INVOICE_PAID, some)["under_paid_coverage"]


@pytest.mark.parametrize(
    ("some", "currency", "amount", "hashes"),
    [
        pytest.param(facts(of=two(), seen=BOTH), "COIN", "0.000001", [], id="nothing came: the first"),
        pytest.param(facts(token(300), of=two(), seen=BOTH), "TOKEN", "0.000003", ["tx t"], id="the second"),
        pytest.param(
            facts(deposit(40), token(150), of=two(), seen=BOTH),
            "TOKEN",
            "0.000003",
            ["tx t"],
            id="the larger part",
        ),
        pytest.param(
            facts(deposit(50), token(150), of=two(), seen=BOTH),
            "COIN",
            "0.000001",
            ["tx p"],
            id="a tie: the first",
        ),
    ],
)
def test_of_several_ways_to_pay_the_one_is_told_of_which_most_was_paid(
    some: Facts, currency: str, amount: str, hashes: list[str]
) -> None:
    body = _told(EventType.INVOICE_CONFIRMING, some)

    assert (currency, amount) == (body["currency"], body["amount"])
    assert hashes == [one["tx_hash"] for one in body["txs"]]


def test_what_is_gone_or_is_another_asset_is_no_transaction_of_the_invoice() -> None:
    some = facts(
        deposit(100),
        gone(Standing.REPLACED, name="old"),
        deposit(9, name="other", asset="JUNK"),
    )

    assert ["tx p"] == [one["tx_hash"] for one in _told(EventType.INVOICE_PAID, some)["txs"]]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param(EventType.DEPOSIT_DETECTED, "Paying", id="seen"),
        pytest.param(EventType.DEPOSIT_CONFIRMED, "Paid", id="confirmed"),
    ],
)
def test_a_deposit_to_a_standing_address_is_told_as_theirs(kind: EventType, status: str) -> None:
    (body,) = bodies(deposited(kind, metadata={"email": "jo@shop.example"}), ENDPOINT)

    shown = read(body)
    assert {
        "track_id": "adr_7",
        "status": status,
        "type": "static_address",
        "amount": "0.0000015",
        "value": "0.0000015",
        "sent_value": "0.0000015",
        "currency": "COIN",
        "order_id": "customer 7",
        "email": "jo@shop.example",
        "date": CREATED + 10,
    }.items() <= shown.items()
    assert [("tx p".replace("p", "pay_1"), "address 0")] == [
        (one["tx_hash"], one["address"]) for one in shown["txs"]
    ]


def test_what_is_nobodys_is_not_told() -> None:
    kinds = (EventType.DEPOSIT_UNMATCHED, EventType.DEPOSIT_WRONG_ASSET, EventType.DEPOSIT_REVERTED)

    assert [()] * 3 == [bodies(deposited(kind), ENDPOINT) for kind in kinds]


HOSTILE = ['"; DROP TABLE orders; --', '\\"\\u0022</script>\n\t', "commande n° 7 \u2013 été 🎉", "/" * 200]


@pytest.mark.parametrize("order", HOSTILE)
def test_hostile_texts_arrive_as_they_were_written(order: str) -> None:
    some = replace(PAID, invoice=invoice(order_id=order, description=order))

    body = _told(EventType.INVOICE_PAID, some)
    assert (order, order) == (body["order_id"], body["description"])


@pytest.mark.parametrize(
    ("mine", "hashes", "value"),
    [
        pytest.param(invoice(), ["tx p"], "0.0000004", id="held: it does not count"),
        pytest.param(ACCEPTS_LATE, ["tx p", "tx late"], "0.0000009", id="accepted: it counts"),
    ],
)
def test_late_money_is_among_the_transactions_as_far_as_it_counts(
    mine: Invoice, hashes: list[str], value: str
) -> None:
    late = deposit(50, BASE + 361, name="late", arrived=DEADLINE + 5)
    body = _told(
        EventType.INVOICE_UNDERPAID, facts(deposit(40), late, of=mine, seen=view(BASE + 362, DEADLINE + 20))
    )

    assert (hashes, value) == ([one["tx_hash"] for one in body["txs"]], body["sent_value"])
