"""What the API answers about standing addresses. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Any

from pydantic import BaseModel, Field

from watcher.api.schema import Amount, Payment
from watcher.model import Finality  # noqa: TC001 - pydantic reads it


class ConfirmationStep(BaseModel):
    """Deposits of at most `up_to`, in the asset's unit, need this many confirmations."""

    up_to: Amount
    confirmations: int | Finality


class StandingAddress(BaseModel):
    """A standing address: one customer's, for any amount, for as long as wanted."""

    id: str
    sequence: int = Field(description="That of its last event.")
    chain: str
    address: str
    label: str | None
    metadata: dict[str, Any]
    confirmations: int | Finality
    confirmations_by_amount: list[ConfirmationStep]
    created_at: datetime
    archived_at: datetime | None


class Total(BaseModel):
    """What an address holds of one asset: confirmed, pending, and aside (there, and told as nobody's)."""

    chain: str
    asset: str
    confirmed: Amount
    pending: Amount
    aside: Amount


class ReceivedDeposit(Payment):
    """One deposit to a standing address; `rule` says what it is to it."""

    rule: str


class StandingAddressWithDeposits(StandingAddress):
    """A standing address with all that it received, summed up, and its newest deposits."""

    totals: list[Total]
    deposits: list[ReceivedDeposit] = Field(description="The newest 20.")
