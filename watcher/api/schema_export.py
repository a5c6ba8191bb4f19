"""What the API exports: invoices and deposits with what an accountant asks for. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Literal

from pydantic import Field, RootModel

from watcher.api.schema import Amount, Invoice, MerchantDecision, Payment, Refund


class ExportedPayment(Payment):
    """A payment with what an accountant asks for beside."""

    asset_id: str | None
    fee: Amount
    counted: bool
    mined_at: datetime | None = Field(description="The time of its block.")


class ExportedRefund(Refund):
    """A refund with the asset's CAIP-19 name."""

    asset_id: str | None


class ExportedInvoice(Invoice):
    """An invoice with all its payments and refunds, and what its merchant decided."""

    kind: Literal["invoice"]
    payments: list[ExportedPayment]  # type: ignore[assignment]
    refunds: list[ExportedRefund]  # type: ignore[assignment]
    decisions: list[MerchantDecision]


class ExportedDeposit(ExportedPayment):
    """A deposit to a standing address; `rule` says what it is to it."""

    kind: Literal["deposit"]
    address_id: str
    label: str | None
    rule: str


class Export(RootModel[list[ExportedInvoice | ExportedDeposit]]):
    """Every invoice, then every deposit to a standing address."""
