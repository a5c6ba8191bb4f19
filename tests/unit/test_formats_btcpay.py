"""What BTCPay Server's webhooks say of our events: every type with every field."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from format_scene import CREATED, ENDPOINT, HEARD, ID, ORDER, deposited, plain, told
from invoice_facts import (
    BASE,
    BOTH,
    CLOSED,
    CUSTOMER,
    DEADLINE,
    FEE,
    NOTHING,
    PAID,
    PARTLY,
    PAST,
    POOL,
    Facts,
    accept,
    cancel,
    deposit,
    facts,
    gone,
    invoice,
    option,
    token,
    two,
    view,
)
from watcher import formats_btcpay
from watcher.model import EventType, Standing
from watcher.render import BODY_LIMIT

COMMON = {
    "deliveryId": ID,
    "webhookId": ENDPOINT,
    "originalDeliveryId": ID,
    "isRedelivery": False,
    "timestamp": HEARD,
    "storeId": "deposit-watcher",
    "invoiceId": "inv",
    "metadata": {},
}
AFTER = view(BASE + 362, DEADLINE + 20)
"""Proven to beyond the deadline, with two blocks on top of what came late."""


def _late(amount: int, **fields: Any) -> Any:
    return deposit(amount, BASE + 361, name="late", arrived=DEADLINE + 5, **fields)


def _bodies(kind: EventType, some: Facts, payment: str | None = None) -> list[dict[str, Any]]:
    return [json.loads(body) for body in formats_btcpay.bodies(told(kind, some, payment), ENDPOINT)]


def _payment(**fields: Any) -> dict[str, Any]:
    paid = {
        "id": "tx p-0",
        "receivedDate": CREATED + 10,
        "value": "0.000001",
        "fee": "0",
        "status": "Settled",
        "destination": "address 0",
    }
    return {"afterExpiration": False, "paymentMethodId": "COIN-CHAIN", "payment": {**paid, **fields}}


@pytest.mark.parametrize(
    ("kind", "some", "payment", "expected"),
    [
        pytest.param(EventType.INVOICE_CREATED, NOTHING, None, ("InvoiceCreated", {}), id="created"),
        pytest.param(
            EventType.PAYMENT_DETECTED,
            POOL,
            "p",
            ("InvoiceReceivedPayment", _payment(status="Processing")),
            id="a payment is seen",
        ),
        pytest.param(
            EventType.PAYMENT_CONFIRMED,
            PAID,
            "p",
            ("InvoicePaymentSettled", _payment()),
            id="a payment is confirmed",
        ),
        pytest.param(
            EventType.PAYMENT_DETECTED,
            facts(gone(Standing.REPLACED, name="p")),
            "p",
            ("InvoiceReceivedPayment", _payment(status="Invalid")),
            id="a payment that is gone meanwhile",
        ),
        pytest.param(
            EventType.PAYMENT_CONFIRMED,
            facts(_late(60), seen=AFTER),
            "late",
            (
                "InvoicePaymentSettled",
                _payment(id="tx late-0", receivedDate=CREATED + 3605, value="0.0000006")
                | {"afterExpiration": True},
            ),
            id="a late payment",
        ),
        pytest.param(
            EventType.INVOICE_CONFIRMING,
            POOL,
            None,
            ("InvoiceProcessing", {"overPaid": False}),
            id="confirming",
        ),
        pytest.param(
            EventType.INVOICE_CONFIRMING,
            facts(deposit(101, None)),
            None,
            ("InvoiceProcessing", {"overPaid": True}),
            id="confirming too much",
        ),
        pytest.param(
            EventType.INVOICE_PAID,
            PAID,
            None,
            ("InvoiceSettled", {"manuallyMarked": False, "overPaid": False}),
            id="paid",
        ),
        pytest.param(
            EventType.INVOICE_PAID,
            facts(deposit(101)),
            None,
            ("InvoiceSettled", {"manuallyMarked": False, "overPaid": True}),
            id="paid too much",
        ),
        pytest.param(
            EventType.INVOICE_PAID,
            facts(deposit(40), resolutions=(accept(50),)),
            None,
            ("InvoiceSettled", {"manuallyMarked": True, "overPaid": False}),
            id="accepted by the merchant",
        ),
        pytest.param(
            EventType.INVOICE_EXPIRED,
            facts(seen=PAST),
            None,
            ("InvoiceExpired", {"partiallyPaid": False}),
            id="expired",
        ),
        pytest.param(
            EventType.INVOICE_REVERTED,
            PARTLY,
            None,
            ("InvoiceInvalid", {"manuallyMarked": False}),
            id="a payment went away",
        ),
        pytest.param(
            EventType.INVOICE_CANCELLED,
            facts(resolutions=(cancel(5),)),
            None,
            ("InvoiceInvalid", {"manuallyMarked": True}),
            id="cancelled",
        ),
    ],
)
def test_each_type_has_its_fields(
    kind: EventType, some: Facts, payment: str | None, expected: tuple[str, dict[str, Any]]
) -> None:
    name, fields = expected

    assert [COMMON | {"type": name} | fields] == _bodies(kind, some, payment)


def test_an_underpaid_invoice_is_two_messages_in_order_the_second_with_an_id_of_its_own() -> None:
    second = f"{ID}.2"

    assert [
        COMMON | {"type": "InvoiceExpired", "partiallyPaid": True},
        COMMON | {"type": "InvoiceExpiredPaidPartial", "deliveryId": second, "originalDeliveryId": second},
    ] == _bodies(EventType.INVOICE_UNDERPAID, CLOSED)


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        pytest.param(facts(_late(100), seen=AFTER), "InvoicePaidAfterExpiration", id="all of it"),
        pytest.param(facts(_late(99), seen=AFTER), "InvoiceExpiredPaidPartial", id="one unit short"),
        pytest.param(
            facts(deposit(40), _late(60), seen=AFTER),
            "InvoicePaidAfterExpiration",
            id="with what came in time",
        ),
        pytest.param(
            facts(deposit(40), _late(59), seen=AFTER), "InvoiceExpiredPaidPartial", id="not even with it"
        ),
        pytest.param(
            facts(_late(97), of=invoice(option(minimum=97)), seen=AFTER),
            "InvoicePaidAfterExpiration",
            id="within the tolerance",
        ),
        pytest.param(
            facts(_late(111), of=invoice(option(**FEE, expected=111), **CUSTOMER), seen=AFTER),
            "InvoicePaidAfterExpiration",
            id="with the fees that the payer bears",
        ),
        pytest.param(
            facts(_late(110), of=invoice(option(**FEE, expected=111), **CUSTOMER), seen=AFTER),
            "InvoiceExpiredPaidPartial",
            id="without all of the fees",
        ),
        pytest.param(
            facts(deposit(60), token(180, name="late"), of=two(), seen=BOTH),
            "InvoiceExpiredPaidPartial",
            id="ways to pay are not added up",
        ),
        pytest.param(
            facts(_late(100), seen=AFTER, resolutions=(cancel(5),)),
            "InvoicePaidAfterExpiration",
            id="cancelled",
        ),
        pytest.param(
            facts(_late(100, asset="JUNK"), seen=AFTER), "InvoiceExpiredPaidPartial", id="another asset"
        ),
    ],
)
def test_late_money_is_told_as_paid_only_if_it_is_enough(some: Facts, expected: str) -> None:
    assert [COMMON | {"type": expected}] == _bodies(EventType.INVOICE_LATE_PAYMENT, some, "late")


def test_what_was_given_back_does_not_make_a_late_payment_enough() -> None:
    event = told(EventType.INVOICE_LATE_PAYMENT, facts(deposit(99), _late(1), seen=AFTER), "late")
    whole = json.loads(event.body)
    whole["data"]["invoice"]["status"] = "refunded"
    (body,) = formats_btcpay.bodies(replace(event, body=json.dumps(whole).encode()), ENDPOINT)

    assert "InvoiceExpiredPaidPartial" == json.loads(body)["type"]


@pytest.mark.parametrize(
    ("mine", "expected"),
    [
        pytest.param(ORDER, {"cart": 17, "orderId": "A-1001", "itemDesc": "Two books"}, id="order and item"),
        pytest.param(invoice(metadata={"orderId": 5}), {"orderId": 5}, id="the merchant's own"),
        pytest.param(
            invoice(order_id="A-1", metadata={"orderId": 5}),
            {"orderId": "A-1"},
            id="the invoice's goes before",
        ),
    ],
)
def test_metadata_carries_the_order(mine: Any, expected: dict[str, Any]) -> None:
    (body,) = _bodies(EventType.INVOICE_PAID, replace(PAID, invoice=mine))

    assert expected == body["metadata"]


@pytest.mark.parametrize(
    ("metadata", "store"),
    [
        pytest.param({}, "deposit-watcher", id="one store"),
        pytest.param(
            {"storeId": "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776"}, None, id="the invoice names it"
        ),
        pytest.param({"storeId": 7}, "deposit-watcher", id="no text"),
    ],
)
def test_the_store_is_named_by_the_invoice(metadata: dict[str, Any], store: str | None) -> None:
    (body,) = _bodies(EventType.INVOICE_PAID, replace(PAID, invoice=invoice(metadata=metadata)))

    assert (store or metadata["storeId"]) == body["storeId"]


def test_a_payment_says_what_it_is_worth_after_the_merchants_deduction_and_where_it_lies() -> None:
    mine = invoice(option(**FEE, decimals=18))
    some = facts(deposit(100, slot="log:3"), of=mine)
    (body,) = _bodies(EventType.PAYMENT_DETECTED, some, "p")

    assert ("0.0000000000000001", "0.00000000000000001") == (body["payment"]["value"], body["payment"]["fee"])
    assert "tx p-log:3" == body["payment"]["id"]


def test_a_body_is_indented_json_with_the_types_in_camel_case() -> None:
    (body,) = formats_btcpay.bodies(told(EventType.INVOICE_CREATED, NOTHING), ENDPOINT)

    assert body.startswith(b'{\n  "deliveryId": "evt_')
    assert b'\n  "metadata": {}\n}' in body


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(told(EventType.INVOICE_PARTIALLY_PAID, PARTLY), id="its payment tells it"),
        pytest.param(told(EventType.INVOICE_OVERPAID, PAID), id="a flag of the others"),
        pytest.param(deposited(EventType.DEPOSIT_CONFIRMED), id="a standing address"),
        pytest.param(plain(EventType.CHAIN_STALLED, chain="one"), id="a chain"),
    ],
)
def test_what_btcpay_does_not_tell_has_no_body(event: Any) -> None:
    assert () == formats_btcpay.bodies(event, ENDPOINT)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"a": {"b": {"c": [1] * 1900}}}, id="a long list: a wide line for each item"),
        pytest.param({"k": "é" * 2000}, id="two bytes each"),
        pytest.param({"q": '"\\\n\t' * 500}, id="to be escaped"),
    ],
)
def test_hostile_metadata_and_texts_arrive_within_the_limit_as_they_were_written(metadata: Any) -> None:
    text = '🎉"</script>\\u0022\u2028' * 10
    mine = invoice(order_id=text, description=text * 2, metadata=metadata)
    event = told(EventType.INVOICE_PAID, replace(PAID, invoice=mine))
    (body,) = formats_btcpay.bodies(event, ENDPOINT)

    shown = json.loads(body)["metadata"]
    assert len(body) <= BODY_LIMIT
    assert metadata | {"orderId": text, "itemDesc": text * 2} == shown
