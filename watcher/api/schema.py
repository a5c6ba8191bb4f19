"""What the API answers about invoices and what was told of them, and every error. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from watcher.model import (  # noqa: TC001 - pydantic reads them
    EventType,
    Exceptional,
    Finality,
    GapReason,
    PaymentStatus,
    ResolutionKind,
    Status,
)

Amount = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]*[1-9])?$", examples=["25.5"])]
"""A decimal string in the asset's unit, without trailing zeros."""


class Fault(BaseModel):
    """What went wrong: a code for programs, a line for people, and the field by its dotted path."""

    code: str
    message: str
    field: str | None = None


class Problem(BaseModel):
    """The body of every error."""

    error: Fault


class InvoiceOption(BaseModel):
    """One way to pay, with what was asked for and what came."""

    chain: str
    asset: str
    asset_id: str = Field(description="CAIP-19.")
    address: str
    amount: Amount
    expected: Amount
    minimum: Amount
    seen: Amount
    confirmed: Amount
    fees: Amount
    net: Amount
    missing: Amount
    excess: Amount
    uri: str | None = Field(description="The wallet link, asking for what is missing.")


class Payment(BaseModel):
    """One deposit to an invoice's address."""

    id: str
    chain: str
    asset: str
    txid: str
    slot: str
    address: str
    amount: Amount
    net: Amount
    status: PaymentStatus
    confirmations: int
    required_confirmations: int | Finality
    block_height: int | None
    block_hash: str | None
    first_seen_at: datetime
    late: bool


class Invoice(BaseModel):
    """An invoice: its terms, what was paid, and where it stands."""

    id: str
    sequence: int = Field(description="That of its last event.")
    status: Status
    exceptions: list[Exceptional]
    needs_action: bool
    order_id: str | None
    description: str | None
    metadata: dict[str, Any]
    options: list[InvoiceOption]
    payments: list[Payment]
    refunds: list[dict[str, Any]]
    created_at: datetime
    expires_at: datetime
    monitor_until: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    return_url: str | None
    checkout_url: str


class JudgedPayment(Payment):
    """A payment with the rule by which it counts or does not."""

    counted: bool
    rule: str
    why: str


class MerchantDecision(BaseModel):
    """What the merchant decided about an invoice."""

    kind: ResolutionKind
    at: datetime
    by: str
    reason: str | None
    until: datetime | None


class ToldEvent(BaseModel):
    """One event of an invoice, without its body."""

    seq: int
    id: str
    type: EventType
    sequence: int | None
    occurred_at: datetime


class Attempt(BaseModel):
    """One try to deliver. `status` is the shop's; None with an `error` if it gave none."""

    number: int
    at: datetime
    duration_ms: int
    status: int | None
    error: str | None


class Delivery(BaseModel):
    """One event for one endpoint."""

    id: str
    event_id: str
    event_type: EventType
    webhook_id: str
    invoice_id: str | None
    address_id: str | None
    state: Literal["pending", "delivered", "dead", "cancelled"]
    attempts: int
    created_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None
    history: list[Attempt]


class UnreadOnChain(BaseModel):
    """Blocks of a chain that were not read, and may hold something for the invoice."""

    chain: str
    first: int = Field(alias="from")
    to: int
    reason: GapReason
    detail: str | None


class Explanation(BaseModel):
    """Why an invoice has its status."""

    invoice_id: str
    status: Status
    reasons: list[str]
    payments: list[JudgedPayment]
    decisions: list[MerchantDecision]
    unread_blocks: list[UnreadOnChain]
    events: list[ToldEvent]
    deliveries: list[Delivery]


class Event(BaseModel):
    """One event as webhooks carry it. `seq` orders all events."""

    seq: int
    id: str
    type: EventType
    timestamp: datetime
    data: dict[str, Any]
