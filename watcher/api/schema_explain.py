"""What the API answers about why an invoice has its status, and what can be done about it."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Literal

from pydantic import BaseModel, Field

from watcher.api.schema import Delivery, MerchantDecision, Payment, Refund
from watcher.api.schema_reports import AuditEntry  # noqa: TC001 - pydantic reads it
from watcher.model import (  # noqa: TC001 - pydantic reads them
    EventType,
    GapReason,
    Status,
)
from watcher.rules import Act  # noqa: TC001 - the same


class JudgedPayment(Payment):
    """A payment with the rule by which it counts or does not."""

    counted: bool
    rule: str
    why: str


class ExplainedRefund(Refund):
    """A refund with what is known of it, and what is to come."""

    why: str


class PossibleAction(BaseModel):
    """Whether the merchant may do something with an invoice now; if not, the code that says why."""

    action: Act
    possible: bool
    code: str | None
    condition: str | None = Field(description="What it takes, in words.")


class ToldEvent(BaseModel):
    """One event of an invoice, without its body."""

    seq: int
    id: str
    type: EventType
    sequence: int | None
    occurred_at: datetime


class Mail(BaseModel):
    """A reminder by mail. `uncertain`: the mail server's answer was never heard, so it is not sent again."""

    id: str
    recipient: str
    deadline: datetime
    state: Literal["pending", "sending", "sent", "failed", "uncertain"]
    attempts: int
    error: str | None
    next_at: datetime | None
    created_at: datetime
    sent_at: datetime | None


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
    refunds: list[ExplainedRefund]
    policies: list[str] = Field(description="What happens by itself, in words.")
    waits: list[str] = Field(
        description="What the merchant has to decide or to do; empty unless needs_action."
    )
    actions: list[PossibleAction]
    audit: list[AuditEntry] = Field(description="Who did what, when and why, refunds included.")
    unread_blocks: list[UnreadOnChain]
    events: list[ToldEvent]
    deliveries: list[Delivery]
    mails: list[Mail]
