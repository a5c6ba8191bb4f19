"""Who is told what in which format, and that a test of an endpoint is no payment in any of them."""

from __future__ import annotations

import itertools
import json

import pytest

from format_scene import ENDPOINT, ID, deposited, plain, told
from invoice_facts import PAID
from watcher import dialects, formats
from watcher.model import EventType

OXAPAY = ["invoice.partially_paid", "invoice.confirming", "invoice.paid", "deposit.detected"]
OXAPAY += ["deposit.confirmed", "webhook.test"]
BTCPAY = ["invoice.created", "invoice.confirming", "invoice.paid", "invoice.underpaid", "invoice.expired"]
BTCPAY += ["invoice.late_payment", "invoice.reverted", "invoice.cancelled", "payment.detected"]
BTCPAY += ["payment.confirmed", "webhook.test"]


def _offered(form: str, *events: str) -> list[str]:
    return [type_.value for type_ in EventType if formats.offers(form, frozenset(events), type_)]


@pytest.mark.parametrize(
    ("form", "events", "expected"),
    [
        pytest.param("standard", ["*"], list(EventType), id="standard: everything"),
        pytest.param(
            "standard", ["chain.*"], ["chain.stalled", "chain.recovered", "chain.alert"], id="family"
        ),
        pytest.param("standard", ["invoice.expired"], ["invoice.expired"], id="standard: one"),
        pytest.param("oxapay", ["*"], OXAPAY, id="oxapay: what OxaPay promises"),
        pytest.param("oxapay", ["invoice.*"], OXAPAY[:3], id="oxapay: a family names no event"),
        pytest.param("oxapay", ["deposit.*"], OXAPAY[3:5], id="oxapay: standing addresses"),
        pytest.param(
            "oxapay", ["invoice.paid", "payment.detected"], ["invoice.paid"], id="oxapay: one of two"
        ),
        pytest.param(
            "oxapay",
            ["invoice.paid", "invoice.underpaid", "invoice.expired"],
            ["invoice.paid", "invoice.underpaid", "invoice.expired"],
            id="oxapay: the options, named",
        ),
        pytest.param("oxapay", ["*", "invoice.expired"], ["invoice.expired"], id="oxapay: all and an option"),
        pytest.param("btcpay", ["*"], BTCPAY, id="btcpay: all that BTCPay Server has"),
        pytest.param("btcpay", ["payment.*"], BTCPAY[8:10], id="btcpay: a family"),
        pytest.param("btcpay", ["deposit.*", "chain.*"], [], id="btcpay: what it does not know"),
    ],
)
def test_an_endpoint_gets_what_it_asks_for_and_its_format_can_tell(
    form: str, events: list[str], expected: list[str]
) -> None:
    wanted = sorted({*OXAPAY, *expected}) if "*" in events and form == "oxapay" else sorted(expected)

    assert wanted == sorted(_offered(form, *events))
    assert (not expected) == bool(dialects.silence(form, events))


@pytest.mark.parametrize(("form", "kind"), [*itertools.product(formats.FORMATS, EventType)])
def test_what_an_endpoint_is_offered_has_a_body_and_nothing_else_has_one(form: str, kind: EventType) -> None:
    event = _any(kind)
    by_name = formats.offers(form, frozenset({kind.value}), kind)

    assert by_name == bool(formats.bodies(form, event, ENDPOINT))


def _any(kind: EventType) -> object:
    family = kind.partition(".")[0]
    if family == "deposit":
        return deposited(kind)
    return told(kind, PAID, "p") if family in {"invoice", "payment", "refund"} else plain(kind, webhook={})


def test_the_standard_format_is_the_events_own_bytes() -> None:
    event = told(EventType.INVOICE_PAID, PAID)

    assert (event.body,) == formats.bodies("standard", event, ENDPOINT)


def test_a_test_in_the_words_of_oxapay_is_no_payment_of_anything() -> None:
    (body,) = formats.bodies("oxapay", plain(EventType.WEBHOOK_TEST, webhook={"id": ENDPOINT}), ENDPOINT)

    shown = json.loads(body)
    assert ("Test", "invoice", ID, "") == tuple(shown[n] for n in ("status", "type", "track_id", "order_id"))
    assert (0, 0, 0, []) == tuple(shown[name] for name in ("amount", "value", "sent_value", "txs"))


def test_a_test_in_the_words_of_btcpay_is_marked_as_theirs_are() -> None:
    (body,) = formats.bodies("btcpay", plain(EventType.WEBHOOK_TEST, webhook={"id": ENDPOINT}), ENDPOINT)

    shown = json.loads(body)
    assert ("InvoiceCreated", f"__test__{ID}__test__", {}) == tuple(
        shown[name] for name in ("type", "invoiceId", "metadata")
    )
