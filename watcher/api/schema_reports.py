"""What the API answers about the whole: statistics and the audit trail. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any

from pydantic import BaseModel, Field

from watcher.api.schema import Amount  # noqa: TC001 - pydantic reads it
from watcher.buckets import Bucket  # noqa: TC001 - the same

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


class Span(BaseModel):
    """Those that were paid in full in at most `up_to` seconds, but more than that of the span before."""

    up_to: Seconds | None = Field(description="Seconds from the creation; null: any longer time.")
    count: int = Field(description="How many.")
    share: Percent | None = Field(description="Of all that were paid in full, those up to here.")


class Counts(BaseModel):
    """How many invoices there are, and how they stand now."""

    created: int
    open: int
    paid: int
    underpaid: int
    expired: int
    refunded: int = Field(description="Those being refunded included.")
    cancelled: int
    late: int = Field(description="Of all: money came after the deadline, and waits or was accepted.")


class Tally(Counts):
    """How invoices stand now, and how long their payers took."""

    shares: Shares
    first_payment: Percentiles
    full_payment: Percentiles
    distribution: list[Span] = Field(description="Of the times to the full payment.")
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


class Outcomes(Counts):
    """The invoices that were made in one day, week or month, and how they stand now."""

    start: datetime


class Income(BaseModel):
    """The money of one day, week or month."""

    start: datetime
    amount: Amount
    invoices: Amount = Field(description="What came to invoices and counts for them.")
    addresses: Amount = Field(description="What came to standing addresses.")


class Volume(BaseModel):
    """What came of one asset: confirmed and counted, before fees and refunds."""

    chain: str
    asset: str
    amount: Amount
    points: list[Income] = Field(description="Oldest first, without those in which nothing came.")


class Series(BaseModel):
    """Statistics by day, week (from Monday) or month, in UTC."""

    bucket: Bucket
    invoices: list[Outcomes] = Field(description="Oldest first, without those in which none was made.")
    volume: list[Volume] = Field(description="The money, by its asset.")


class AuditEntry(BaseModel):
    """Who did what to what, when and why."""

    id: int
    at: datetime
    actor: str = Field(description="A key's name, local (the operator), payer, policy, or chain (the facts).")
    action: str
    subject: str
    reason: str | None
    detail: dict[str, Any]
