"""What a program writes to ask for something: the fields of the API's requests, as Python types.

Amounts are decimal strings in the asset's unit, or Decimals; times are seconds. Checked as the API does.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from watcher.api.requests import check, read_json
from watcher.errors import Refused
from watcher.settings_source import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

Amount: TypeAlias = str | Decimal
Confirmations: TypeAlias = int | Literal["safe", "finalized"]


class OptionFields(TypedDict, total=False):
    """One way to pay; `chain`, `asset` and `amount` are required."""

    chain: str
    asset: str
    amount: Amount
    address: str | None
    refund_address: str | None


class ToleranceFields(TypedDict, total=False):
    """By how much an invoice may be short and still count as paid: the larger of the two."""

    percent: Amount
    absolute: Amount


class FeesFields(TypedDict, total=False):
    """What is deducted from each deposit, and who bears it."""

    percent: Amount | None
    fixed: Amount | None
    payer: Literal["merchant", "customer"]


class PolicyFields(TypedDict, total=False):
    """What happens by itself to an invoice that is out of the ordinary."""

    accept_percent: Amount | None
    extend: int | None
    underpaid: Literal["hold", "refund"] | None
    overpaid: Literal["keep", "hold", "refund"] | None
    wrong_asset: Literal["hold", "refund"] | None


class InvoiceFields(TypedDict, total=False):
    """A new invoice: `chain`, `asset` and `amount`, or `options`. Everything else is as configured."""

    chain: str | None
    asset: str | None
    amount: Amount | None
    address: str | None
    refund_address: str | None
    options: Sequence[OptionFields] | None
    expires_in: int | None
    monitor_for: int | None
    tolerance: ToleranceFields | None
    fees: FeesFields | None
    confirmations: Confirmations | None
    late: Literal["hold", "accept", "refund"] | None
    policy: PolicyFields | None
    reminder_before: int | None
    language: str | None
    order_id: str | None
    description: str | None
    metadata: Mapping[str, Any]
    customer_email: str | None
    webhook_url: str | None
    return_url: str | None


class AddressFields(TypedDict, total=False):
    """A new standing address; `chain` is required."""

    chain: str
    address: str | None
    label: str | None
    metadata: Mapping[str, Any]
    confirmations: Confirmations | None


class RefundFields(TypedDict, total=False):
    """Money to give back. Without `amount`: the excess of a paid invoice, or else all that was received."""

    address: str | None
    chain: str | None
    asset: str | None
    amount: Amount | None
    reason: str | None
    sequence: int | None


def draft(model: type[BaseModel], fields: Mapping[str, Any]) -> Any:
    """Return a checked request; Refused names the field that is wrong, as the API does."""
    try:
        text = json.dumps(plain(fields))
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused("invalid", f"cannot be written as JSON: {error}") from None
    return check(model, read_json(text.encode()), "field")
