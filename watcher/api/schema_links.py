"""What the API answers about payment links: to their merchant, and to payers. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Any, Literal

from pydantic import BaseModel, Field

from watcher.api.schema import Amount  # noqa: TC001 - pydantic reads them
from watcher.model import Exceptional, Finality, PaymentStatus, RefundState, Status  # noqa: TC001


class Received(BaseModel):
    """What the invoices of a link received in one asset: confirmed, and counted."""

    chain: str
    asset: str
    amount: Amount


class LinkStatistics(BaseModel):
    """What became of a link's invoices."""

    openings: int
    statuses: dict[Status, int]
    paid_percent: str | None = Field(description="Of all openings, with two decimals; null without any.")
    received: list[Received]
    last_opened_at: datetime | None


class Link(BaseModel):
    """A payment link: a template of which each opening makes an invoice."""

    id: str
    url: str
    template: dict[str, Any] = Field(description="What was asked for.")
    max_uses: int | None
    uses: int = Field(description="Without the invoices that were cancelled or ended with nothing received.")
    created_at: datetime
    valid_until: datetime | None
    removed_at: datetime | None
    statistics: LinkStatistics


class AmountLimits(BaseModel):
    """What the payer may choose from, both included."""

    min: Amount
    max: Amount


class Offered(BaseModel):
    """One way to pay."""

    chain: str
    asset: str
    asset_id: str = Field(description="CAIP-19.")
    amount: Amount | AmountLimits


class Offer(BaseModel):
    """What a payment link offers."""

    id: str
    description: str | None
    options: list[Offered]
    fees_added: bool = Field(description="Whether the invoice asks for the fees on top of the amount.")
    expires_in: int = Field(description="Seconds to pay in, once the invoice is made.")
    valid_until: datetime | None
    usable: bool
    reason: Literal["used_up", "not_valid_any_more", "too_many_open", "not_payable_now"] | None


class PayersOption(BaseModel):
    """One way to pay an invoice; `amount` is what the payer is asked for, `missing` what is still to come."""

    chain: str
    asset: str
    asset_id: str = Field(description="CAIP-19.")
    address: str
    amount: Amount
    seen: Amount
    confirmed: Amount
    missing: Amount
    uri: str | None = Field(description="The wallet link, asking for what is missing.")


class PayersPayment(BaseModel):
    """One payment as its payer may see it."""

    chain: str
    asset: str
    txid: str
    address: str
    amount: Amount
    status: PaymentStatus
    confirmations: int
    required_confirmations: int | Finality
    first_seen_at: datetime
    late: bool


class PayersRefund(BaseModel):
    """Money that goes back to the payer."""

    chain: str
    asset: str
    amount: Amount
    arrives: Amount
    address: str | None
    state: RefundState
    txid: str | None
    confirmed_at: datetime | None


class PayersInvoice(BaseModel):
    """An invoice as its payer may see it."""

    id: str
    status: Status
    exceptions: list[Exceptional]
    description: str | None
    options: list[PayersOption]
    payments: list[PayersPayment]
    refunds: list[PayersRefund]
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    return_url: str | None = Field(description="The way back to the shop, once it is paid.")
    checkout_url: str
