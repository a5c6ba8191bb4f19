"""What the API answers about invoices and what was told of them, and every error. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from watcher.api.schema_works import Format  # noqa: TC001 - pydantic reads it
from watcher.model import (  # noqa: TC001 - pydantic reads them
    EventType,
    Exceptional,
    ExcessPolicy,
    Finality,
    LatePolicy,
    PaymentStatus,
    RefundState,
    ResolutionKind,
    ReturnPolicy,
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
    refund_address: str | None = Field(description="Where the payer wants money back, if known.")


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


class Refund(BaseModel):
    """Money that the merchant gives back, and how far that is."""

    id: str
    chain: str
    asset: str
    address: str | None = Field(description="None until it is known where the payer wants it.")
    amount: Amount
    arrives: Amount = Field(description="The amount, less the network's fee where that is taken from it.")
    state: RefundState
    reason: str | None
    by: str
    requested_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    txid: str | None


class SignableRefund(Refund):
    """A refund with what to sign elsewhere."""

    unsigned: dict[str, Any] | None = Field(
        description="A PSBT, or a transaction's fields and a link; None where nothing is left to sign."
    )


class Policy(BaseModel):
    """What happens by itself where an invoice is out of the ordinary."""

    accept_percent: Amount | None
    extend: int = Field(description="Seconds; 0: the deadline never moves by itself.")
    underpaid: ReturnPolicy
    overpaid: ExcessPolicy
    wrong_asset: ReturnPolicy


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
    refunds: list[Refund]
    created_at: datetime
    expires_at: datetime
    monitor_until: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    late: LatePolicy
    policy: Policy
    reminder_before: int = Field(description="Seconds; 0: nobody is reminded.")
    language: str
    link_id: str | None = Field(description="The payment link that it was made by.")
    return_url: str | None
    checkout_url: str


class MerchantDecision(BaseModel):
    """What the merchant, or a policy (by "policy"), decided about an invoice."""

    kind: ResolutionKind
    at: datetime
    by: str
    reason: str | None
    until: datetime | None


class Attempt(BaseModel):
    """One try to deliver. `status` is the shop's; None with an `error` if it gave none."""

    number: int
    at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    answer: str | None = Field(
        description="What the shop answered, as text: of what cannot be seen the escapes, such as \\x1b."
    )


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


class DeliveryWithBody(Delivery):
    """One event for one endpoint, and what is posted where."""

    url: str
    format: Format
    webhook_state: Literal["active", "disabled", "removed"]
    message_id: str
    body: str


class Event(BaseModel):
    """One event as webhooks carry it. `seq` orders all events."""

    seq: int
    id: str
    type: EventType
    timestamp: datetime
    data: dict[str, Any]
