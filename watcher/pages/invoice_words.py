"""What happened to an invoice, in a few words each: events, decisions, deliveries and mails. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.model import EventType, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS: Mapping[str, str] = {
    EventType.INVOICE_CREATED: "Created",
    EventType.INVOICE_PARTIALLY_PAID: "Partly paid",
    EventType.INVOICE_CONFIRMING: "Enough was seen, and is not confirmed yet",
    EventType.INVOICE_PAID: "Paid",
    EventType.INVOICE_UNDERPAID: "The deadline passed with too little",
    EventType.INVOICE_EXPIRED: "The deadline passed with nothing",
    EventType.INVOICE_OVERPAID: "More came than was asked for",
    EventType.INVOICE_LATE_PAYMENT: "Money came late",
    EventType.INVOICE_REVERTED: "Its status fell: money that had been seen went away again",
    EventType.INVOICE_EXTENDED: "The deadline moved",
    EventType.INVOICE_REMINDER: "The reminder of the deadline is due",
    EventType.INVOICE_CANCELLED: "Cancelled",
    EventType.INVOICE_REFUNDING: "Its payment is to be given back",
    EventType.INVOICE_REFUNDED: "Its payment was given back",
    EventType.PAYMENT_DETECTED: "Payment seen",
    EventType.PAYMENT_CONFIRMED: "Payment confirmed",
    EventType.PAYMENT_REPLACED: "Payment gone: replaced",
    EventType.PAYMENT_REVERTED: "Payment no longer confirmed, or gone",
    EventType.REFUND_REQUESTED: "Refund requested",
    EventType.REFUND_SENT: "Refund sent",
    EventType.REFUND_CONFIRMED: "Refund confirmed",
    EventType.REFUND_REVERTED: "The refund's transaction went away again",
    EventType.REFUND_CANCELLED: "Refund withdrawn",
    EventType.DEPOSIT_WRONG_ASSET: "Another asset came than was asked for",
    EventType.DEPOSIT_UNMATCHED: "The balance grew, and no transfer explains it",
}

REASONS: Mapping[str, str] = {
    "reorganised": "Its block left the chain: a reorganisation.",
    "replaced": "Another transaction spent the same coins.",
    "dropped": "The node no longer knows the transaction.",
}
"""Why money went away, as events name it."""

STATUS: Mapping[str, Status] = {
    EventType.INVOICE_CREATED: Status.PENDING,
    EventType.INVOICE_PARTIALLY_PAID: Status.PARTIAL,
    EventType.INVOICE_CONFIRMING: Status.CONFIRMING,
    EventType.INVOICE_PAID: Status.PAID,
    EventType.INVOICE_UNDERPAID: Status.UNDERPAID,
    EventType.INVOICE_EXPIRED: Status.EXPIRED,
    EventType.INVOICE_REFUNDING: Status.REFUNDING,
    EventType.INVOICE_REFUNDED: Status.REFUNDED,
    EventType.INVOICE_CANCELLED: Status.CANCELLED,
}
"""The status that an event tells of."""

DECISIONS: Mapping[str, str] = {
    "invoice.create": "Created",
    "invoice.accept": "Accepted",
    "invoice.extend": "Deadline moved",
    "invoice.cancel": "Cancelled",
    "refund.request": "Refund requested",
    "refund.address": "Refund's address changed",
    "refund.sent": "Refund sent",
    "refund.cancel": "Refund withdrawn",
}
"""What the audit trail calls it, and what people do."""

TOLD_BY: Mapping[str, str] = {
    "invoice.create": EventType.INVOICE_CREATED,
    "invoice.extend": EventType.INVOICE_EXTENDED,
    "invoice.cancel": EventType.INVOICE_CANCELLED,
    "refund.request": EventType.REFUND_REQUESTED,
    "refund.sent": EventType.REFUND_SENT,
    "refund.cancel": EventType.REFUND_CANCELLED,
}
"""The event that tells nothing but this decision: at the same moment, one entry is enough."""

DELIVERIES: Mapping[str, str] = {
    "pending": "To be delivered",
    "delivered": "Delivered",
    "dead": "Not delivered, and given up",
    "cancelled": "Not delivered: it is not sent any more",
}
FAILING = "Not delivered yet"
"""A delivery that waits for another attempt."""

MAILS: Mapping[str, str] = {
    "pending": "Reminder by mail: to be sent",
    "sending": "Reminder by mail: on its way",
    "sent": "Reminder by mail: sent",
    "failed": "Reminder by mail: not sent, and given up",
    "uncertain": "Reminder by mail: perhaps sent, the server's answer was never heard",
}
