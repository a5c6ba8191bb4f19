"""An event as OxaPay's callbacks tell it, version 1: `Paying`, `Paid` and, if asked for, two more. Pure.

https://docs.oxapay.com/webhook
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from watcher.formats_event import data, option_paid, payer_bears_fees, payments_of, text, unix
from watcher.model import EventType
from watcher.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.formats_event import Shown
    from watcher.model import Event

_STATUS: Mapping[EventType, str] = {
    EventType.INVOICE_PARTIALLY_PAID: "Paying",
    EventType.INVOICE_CONFIRMING: "Paying",
    EventType.INVOICE_PAID: "Paid",
    EventType.INVOICE_UNDERPAID: "Underpaid",
    EventType.INVOICE_EXPIRED: "Expired",
    EventType.DEPOSIT_DETECTED: "Paying",
    EventType.DEPOSIT_CONFIRMED: "Paid",
}
"""Shops compare with capitals and all."""

ECHO_LIMIT = 4000
"""Bytes of a body as PHP writes it. OxaPay's own plugin repeats all of it before the "OK" in its answer, of
which 4096 bytes are read: a longer one would be sent again and again, however often the shop took it."""

_MODULE = "deposit-watcher"
_AROUND = b"\xef\xbb\xbf \t\r\n"  # with the byte order mark that editors leave before "<?php"
_OK = re.compile(rb"(?<![A-Za-z])(?<!(?i:not)[\s_-])OK$")
_PERCENT_DIGITS = 8
_LEFT_OUT = ("note", "description", "email")


def bodies(event: Event, _endpoint_id: str) -> tuple[bytes, ...]:
    """Return the one body that tells the event, or none where OxaPay tells nothing."""
    if event.type is EventType.WEBHOOK_TEST:
        return (msgspec.json.encode(_test(event)),)
    status = _STATUS.get(event.type)
    if status is None:
        return ()
    told = data(event)
    body = _invoice(told["invoice"], status) if "invoice" in told else _deposit(told, status)
    return (_fitted(body),)


def is_ok(answer: bytes) -> bool:
    """Whether an answer takes the callback: "ok", or a longer text that ends in "OK" as their plugin's."""
    said = answer.strip(_AROUND)
    return said.lower() == b"ok" or _OK.search(said) is not None


def _invoice(invoice: Shown, status: str) -> dict[str, Any]:
    option = option_paid(invoice)
    return _body(
        track_id=invoice["id"],
        status=status,
        type="payment_link" if invoice["link_id"] else "invoice",
        amount=_number(option["amount"]),
        value=_number(option["net"]),
        sent_value=_number(option["seen"]),
        currency=option["asset"],
        order_id=text(invoice["order_id"]),
        description=text(invoice["description"]),
        fee_paid_by_payer=int(payer_bears_fees(option)),
        under_paid_coverage=_number(_coverage(option)),
        date=unix(invoice["created_at"]),
        txs=[_transaction(one) for one in payments_of(invoice, option)],
        **_written(invoice),
    )


def _deposit(told: Shown, status: str) -> dict[str, Any]:
    address, payment = told["address"], told["payment"]
    return _body(
        track_id=address["id"],
        status=status,
        type="static_address",
        amount=_number(payment["amount"]),
        value=_number(payment["net"]),
        sent_value=_number(payment["amount"]),
        currency=payment["asset"],
        order_id=text(address["label"]),
        date=unix(payment["first_seen_at"]),
        txs=[_transaction(payment)],
        **_written(address),
    )


def _test(event: Event) -> dict[str, Any]:
    """Return what no shop takes for a payment: no status of theirs, no order, no money."""
    return _body(track_id=event.id, status="Test", type="invoice", date=unix(event.occurred_at))


def _body(**fields: Any) -> dict[str, Any]:
    """Return a body with every field that OxaPay documents, in its order."""
    empty = {
        "track_id": "",
        "status": "",
        "type": "",
        "module_name": _MODULE,
        "amount": 0,
        "value": 0,
        "sent_value": 0,
        "currency": "",
        "order_id": "",
        "email": "",
        "note": "",
        "fee_paid_by_payer": 0,
        "under_paid_coverage": 0,
        "description": "",
        "date": 0,
        "txs": [],
    }
    return empty | fields


def _written(noun: Shown) -> dict[str, str]:
    """Return what the merchant wrote into the metadata under names of OxaPay's."""
    return {name: text(noun["metadata"].get(name)) for name in ("email", "note")}


def _transaction(payment: Shown) -> dict[str, Any]:
    sent, received = _number(payment["amount"]), _number(payment["net"])
    return {
        "status": "confirmed" if payment["status"] == "confirmed" else "confirming",
        "tx_hash": payment["txid"],
        "sent_amount": sent,
        "received_amount": received,
        "sent_value": sent,
        "value": received,
        "currency": payment["asset"],
        "network": payment["chain"],
        "sender_address": "",
        "address": payment["address"],
        "memo": "",
        "rate": 1,
        "confirmations": payment["confirmations"],
        "auto_convert_amount": 0,
        "auto_convert_currency": "",
        "date": unix(payment["first_seen_at"]),
    }


def _number(decimal: str) -> msgspec.Raw:
    """Return a decimal text as a JSON number, digit for digit: a float keeps no 18 decimals."""
    return msgspec.Raw(decimal.encode())


def _coverage(option: Shown) -> str:
    """Return by how many percent an invoice may be short, rounded down."""
    amount = Fraction(option["amount"])
    short = (amount - Fraction(option["minimum"])) / (amount or 1)
    return format_amount(short * 100 * 10**_PERCENT_DIGITS // 1, _PERCENT_DIGITS)


def _fitted(body: dict[str, Any]) -> bytes:
    """Leave out what a shop needs least, the oldest transactions first, until its answer can be read."""
    while _echoed(encoded := msgspec.json.encode(body)) > ECHO_LIMIT:
        written = next((name for name in _LEFT_OUT if body[name]), None)
        if len(body["txs"]) > 1:
            body = body | {"txs": body["txs"][1:]}
        elif written:
            body = body | {written: ""}
        else:
            break
    return encoded


def _echoed(encoded: bytes) -> int:
    """Return the bytes that PHP makes of it: six for a UTF-16 unit beyond ASCII, two for a slash."""
    content = encoded.decode()
    units = len(content.encode("utf-16-le")) // 2
    plain = sum(character.isascii() for character in content)
    return plain + 6 * (units - plain) + content.count("/")
