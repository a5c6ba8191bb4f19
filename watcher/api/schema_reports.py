"""What the API answers about the whole: statistics and the audit trail. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any

from pydantic import BaseModel, Field

Percent = Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?$", examples=["83.33"])]
"""A percentage as decimal text."""

Seconds = Annotated[int, Field(ge=0)]


class Shares(BaseModel):
    """Of all that were created; they add up to 100."""

    open: Percent
    paid: Percent
    underpaid: Percent
    expired: Percent
    refunded: Percent
    cancelled: Percent


class Percentiles(BaseModel):
    """Seconds from the creation that so many percent did not exceed (nearest rank); `of` so many invoices."""

    of: int
    p50: Seconds | None
    p75: Seconds | None
    p90: Seconds | None
    p95: Seconds | None
    p99: Seconds | None


class Caught(BaseModel):
    """How many of those paid in full would have been in time with an `expires_in` of so many seconds."""

    seconds: Seconds
    caught: int
    of: int
    share: Percent | None


class Tally(BaseModel):
    """How invoices stand now, and how long their payers took."""

    created: int
    open: int
    paid: int
    underpaid: int
    expired: int
    refunded: int = Field(description="Those being refunded included.")
    cancelled: int
    late: int = Field(description="Of all: money came after the deadline, and waits or was accepted.")
    shares: Shares
    first_payment: Percentiles
    full_payment: Percentiles
    suggested_expires_in: Seconds | None = Field(
        description="The shortest that would have caught 99 % of those who paid in full, also late."
    )
    no_suggestion: str | None
    default_expires_in: Caught


class GroupTally(Tally):
    """The invoices of one chain and asset."""

    chain: str
    asset: str


class Statistics(BaseModel):
    """The total, and each chain and asset; an invoice belongs to exactly one."""

    total: Tally
    groups: list[GroupTally]


class AuditEntry(BaseModel):
    """Who did what to what, when and why."""

    id: int
    at: datetime
    actor: str = Field(description="A key's name, local (the operator), payer, policy, or chain (the facts).")
    action: str
    subject: str
    reason: str | None
    detail: dict[str, Any]
