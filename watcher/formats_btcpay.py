"""An event as BTCPay Server's Greenfield webhooks tell it: the `Invoice…` types. Pure.

https://docs.btcpayserver.org/API/Greenfield/v1/ (Webhooks)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from watcher.formats_event import data, difference, message_id, reaches_minimum, text, unix
from watcher.model import EventType
from watcher.render import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from watcher.formats_event import Shown
    from watcher.model import Event

    Part = tuple[str, dict[str, Any]]

_STORE = "deposit-watcher"
_STATUS = {"pending": "Processing", "confirmed": "Settled"}


def _created(_: Shown) -> Iterator[Part]:
    yield "InvoiceCreated", {}


def _received(told: Shown) -> Iterator[Part]:
    yield "InvoiceReceivedPayment", _payment(told["payment"])


def _payment_settled(told: Shown) -> Iterator[Part]:
    yield "InvoicePaymentSettled", _payment(told["payment"])


def _processing(told: Shown) -> Iterator[Part]:
    yield "InvoiceProcessing", {"overPaid": _over_paid(told["invoice"])}


def _settled(told: Shown) -> Iterator[Part]:
    accepted = "accepted" in told["invoice"]["exceptions"]
    yield "InvoiceSettled", {"manuallyMarked": accepted, "overPaid": _over_paid(told["invoice"])}


def _expired(_: Shown) -> Iterator[Part]:
    yield "InvoiceExpired", {"partiallyPaid": False}


def _underpaid(_: Shown) -> Iterator[Part]:
    yield "InvoiceExpired", {"partiallyPaid": True}
    yield "InvoiceExpiredPaidPartial", {}


def _late(told: Shown) -> Iterator[Part]:
    """Tell of late money: paid after expiration says that it is enough, so that less must not be told so."""
    enough = reaches_minimum(told["invoice"], told["payment"])
    yield "InvoicePaidAfterExpiration" if enough else "InvoiceExpiredPaidPartial", {}


def _reverted(_: Shown) -> Iterator[Part]:
    yield "InvoiceInvalid", {"manuallyMarked": False}


def _cancelled(_: Shown) -> Iterator[Part]:
    yield "InvoiceInvalid", {"manuallyMarked": True}


_PARTS: Mapping[EventType, Callable[[Shown], Iterator[Part]]] = {
    EventType.INVOICE_CREATED: _created,
    EventType.PAYMENT_DETECTED: _received,
    EventType.PAYMENT_CONFIRMED: _payment_settled,
    EventType.INVOICE_CONFIRMING: _processing,
    EventType.INVOICE_PAID: _settled,
    EventType.INVOICE_EXPIRED: _expired,
    EventType.INVOICE_UNDERPAID: _underpaid,
    EventType.INVOICE_LATE_PAYMENT: _late,
    EventType.INVOICE_REVERTED: _reverted,
    EventType.INVOICE_CANCELLED: _cancelled,
}


def bodies(event: Event, endpoint_id: str) -> tuple[bytes, ...]:
    """Return the bodies that tell the event, in order; none where BTCPay Server tells nothing."""
    if event.type is EventType.WEBHOOK_TEST:
        return (_indented(_test(event, endpoint_id)),)
    parts = _PARTS.get(event.type)
    if parts is None:
        return ()
    told = data(event)
    return tuple(
        _indented(_frame(name, event, part, endpoint_id) | _invoice(told["invoice"]) | fields)
        for part, (name, fields) in enumerate(parts(told))
    )


def _frame(name: str, event: Event, part: int, endpoint_id: str) -> dict[str, Any]:
    """Return what every body begins with. Its delivery is the message: the same id at each attempt."""
    message = message_id(event.id, part)
    return {
        "deliveryId": message,
        "webhookId": endpoint_id,
        "originalDeliveryId": message,
        "isRedelivery": False,
        "type": name,
        "timestamp": unix(event.occurred_at),
    }


def _invoice(invoice: Shown) -> dict[str, Any]:
    metadata = dict(invoice["metadata"])
    named = {"orderId": invoice["order_id"], "itemDesc": invoice["description"]}
    return {
        "storeId": text(metadata.get("storeId")) or _STORE,
        "invoiceId": invoice["id"],
        "metadata": metadata | {name: value for name, value in named.items() if value is not None},
    }


def _test(event: Event, endpoint_id: str) -> dict[str, Any]:
    """Return what BTCPay Server sends for a test, of a type that nobody takes for a payment."""
    invoice = {"storeId": _STORE, "invoiceId": f"__test__{event.id}__test__", "metadata": {}}
    return _frame("InvoiceCreated", event, 0, endpoint_id) | invoice


def _payment(payment: Shown) -> dict[str, Any]:
    return {
        "afterExpiration": payment["late"],
        "paymentMethodId": f"{payment['asset']}-CHAIN",
        "payment": {
            "id": f"{payment['txid']}-{payment['slot'].removeprefix('vout:')}",
            "receivedDate": unix(payment["first_seen_at"]),
            "value": payment["amount"],
            "fee": difference(payment["amount"], payment["net"]),
            "status": _STATUS.get(payment["status"], "Invalid"),
            "destination": payment["address"],
        },
    }


def _over_paid(invoice: Shown) -> bool:
    return any(option["excess"] != "0" for option in invoice["options"])


def _indented(body: dict[str, Any]) -> bytes:
    """Return a body on many lines, as theirs are; on one, where that makes it larger than a body may be."""
    spread = json.dumps(body, ensure_ascii=False, indent=2).encode()
    if len(spread) <= BODY_LIMIT:
        return spread
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
