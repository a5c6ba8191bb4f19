"""The formats of webhooks by name, and which events each of them can tell. Knows no body of any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.model import EventType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

STANDARD = "standard"

_TOLD: Mapping[str, Collection[EventType]] = {
    STANDARD: frozenset(EventType),
    "oxapay": frozenset(
        {
            EventType.INVOICE_PARTIALLY_PAID,
            EventType.INVOICE_CONFIRMING,
            EventType.INVOICE_PAID,
            EventType.INVOICE_UNDERPAID,
            EventType.INVOICE_EXPIRED,
            EventType.DEPOSIT_DETECTED,
            EventType.DEPOSIT_CONFIRMED,
            EventType.WEBHOOK_TEST,
        }
    ),
    "btcpay": frozenset(
        {
            EventType.INVOICE_CREATED,
            EventType.INVOICE_CONFIRMING,
            EventType.INVOICE_PAID,
            EventType.INVOICE_UNDERPAID,
            EventType.INVOICE_EXPIRED,
            EventType.INVOICE_LATE_PAYMENT,
            EventType.INVOICE_REVERTED,
            EventType.INVOICE_CANCELLED,
            EventType.PAYMENT_DETECTED,
            EventType.PAYMENT_CONFIRMED,
            EventType.WEBHOOK_TEST,
        }
    ),
}
_BY_NAME: Mapping[str, Collection[EventType]] = {
    "oxapay": frozenset({EventType.INVOICE_UNDERPAID, EventType.INVOICE_EXPIRED})
}
"""What only an endpoint gets that names the event: the other system does not promise to tell it."""

FORMATS = tuple(_TOLD)
"""Every format that an endpoint may ask for."""


def offers(form: str, events: frozenset[str], type_: EventType) -> bool:
    """Whether an endpoint that asks for these events gets this one in this format."""
    if type_ in _BY_NAME.get(form, ()):
        return type_.value in events
    family = type_.partition(".")[0]
    return type_ in _TOLD[form] and bool(events & {"*", type_.value, f"{family}.*"})


def silence(form: str, events: Collection[str]) -> str | None:
    """Return what is wrong with events of which an endpoint would get none in this format."""
    if any(offers(form, frozenset(events), type_) for type_ in EventType):
        return None
    return f'none of these is told in the format {form}; write ["*"], or those that the README lists for it'
