"""What a caller writes to ask for an invoice: checked for form here, against the chains in the actions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from watcher.model import ExcessPolicy, FeePayer, LatePolicy, ReturnPolicy
from watcher.settings_mail import LANGUAGE
from watcher.settings_policy import step
from watcher.wording import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

METADATA_LIMIT = 4096
"""Bytes of metadata as JSON: every event's body carries it."""

METADATA_DEPTH = 32
"""Objects and lists within each other: in an indented body deep ones would grow without end."""

OPTIONS_LIMIT = 10
"""Ways to pay one invoice."""

Amount = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,78}(\.[0-9]{1,77})?$"),
    Field(examples=["25.50"]),
    in_words('is not a decimal number; write up to 78 digits with at most one point, such as "25.50"'),
]
"""A decimal string in the asset's unit."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Text = Annotated[
    str,
    StringConstraints(max_length=500, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"),
    in_words("is no text of up to 500 characters, none of them a control character"),
]
Url = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^https?://[^\s/?#]+[^\s]*$"),
    in_words('is no web address of up to 2000 characters, such as "https://shop.example/paid"'),
]
_MAIL_PART = r'[^@\s\x00-\x1f\x7f:;,<>()\[\]\\"]+'
"""What stands on a side of the @: nothing that in a header would begin, end or quote something else."""
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=f"^{_MAIL_PART}@{_MAIL_PART}$"),
    in_words('is no email address of up to 254 characters, such as "jo@shop.example"'),
]
Address = Annotated[str, StringConstraints(min_length=1, max_length=128)]
RefundAddress = Annotated[Address, Field(description="Where the payer wants money back, on this chain.")]
Language = Annotated[
    str,
    StringConstraints(pattern=f"^{LANGUAGE}$", max_length=35),
    in_words('is not a language; write its code in small letters, such as "en" or "pt-br"'),
]
Confirmations = Annotated[
    Annotated[int, Field(ge=0, le=100_000)] | Literal["safe", "finalized"],
    in_words('write a number of blocks (0 to 100000), "safe" or "finalized"'),
]


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if _is_deep(value):
        raise ValueError(f"is nested more than {METADATA_DEPTH} deep")
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > METADATA_LIMIT:
        raise ValueError(f"is {size} bytes as JSON; at most {METADATA_LIMIT} are kept")
    return value


def _is_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(METADATA_DEPTH):
        lists = [one.values() if isinstance(one, dict) else one for one in level]
        level = [inner for one in lists for inner in one if isinstance(inner, dict | list)]
    return bool(level)


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
"""The caller's own JSON object."""


class Draft(BaseModel):
    """A part of a request: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OptionDraft(Draft):
    """One way to pay. Without `address` the next one below the chain's key is taken."""

    chain: Name
    asset: Name
    amount: Amount
    address: Address | None = None
    refund_address: RefundAddress | None = None


class ToleranceDraft(Draft):
    """By how much an invoice may be short and still count as paid: the larger of the two."""

    percent: Amount = "0"
    absolute: Amount = "0"


class FeesDraft(Draft):
    """What is deducted from each deposit, and who bears it. `fixed` is in the asset's unit.

    What is left out is as the chain is configured.
    """

    percent: Amount | None = None
    fixed: Amount | None = None
    payer: Annotated[FeePayer, Field(strict=False)] = FeePayer.MERCHANT


class PolicyDraft(Draft):
    """What happens by itself to an invoice that is out of the ordinary. What is left out is as configured."""

    accept_percent: Amount | None = Field(
        default=None,
        description="Underpaid with at least this much confirmed, it is accepted; null: never.",
        examples=["97"],
    )
    extend: Annotated[int, Field(ge=0, le=2_592_000), AfterValidator(step)] | None = Field(
        default=None,
        description="Seconds by which the deadline moves while enough is seen, but not in a block; 0: never.",
    )
    underpaid: Annotated[ReturnPolicy, Field(strict=False)] | None = None
    overpaid: Annotated[ExcessPolicy, Field(strict=False)] | None = None
    wrong_asset: Annotated[ReturnPolicy, Field(strict=False)] | None = None


class TermsDraft(Draft):
    """What can be asked for whatever the ways to pay are. Times in seconds."""

    expires_in: Annotated[int, Field(ge=60, le=2_592_000)] | None = None
    monitor_for: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    tolerance: ToleranceDraft | None = None
    fees: FeesDraft | None = None
    confirmations: Confirmations | None = None
    late: Annotated[LatePolicy, Field(strict=False)] | None = None
    policy: PolicyDraft | None = None
    reminder_before: Annotated[int, Field(ge=0, le=2_592_000)] | None = None
    language: Language | None = Field(default=None, description="Of the mails to the payer.")
    order_id: Annotated[Text, StringConstraints(max_length=200)] | None = None
    description: Text | None = None
    metadata: Metadata = Field(default_factory=dict)
    webhook_url: Url | None = None
    return_url: Url | None = None


def check_form(draft: Any, single: Sequence[str]) -> None:
    """Refuse a draft (ValueError) that has both `options` and fields of a single way to pay, or neither."""
    beside = [name for name in single if getattr(draft, name) is not None]
    if draft.options is not None and beside:
        raise ValueError(f"{beside[0]} stands beside options; name it inside each option instead")
    lacking = [name for name in ("chain", "asset", "amount") if getattr(draft, name) is None]
    if draft.options is None and lacking:
        raise ValueError(f"{lacking[0]} is missing; give chain, asset and amount, or options")


class InvoiceDraft(TermsDraft):
    """A new invoice: one chain, asset and amount, or several `options`."""

    chain: Name | None = None
    asset: Name | None = None
    amount: Amount | None = None
    address: Address | None = None
    refund_address: RefundAddress | None = None
    options: Annotated[list[OptionDraft], Field(min_length=1, max_length=OPTIONS_LIMIT)] | None = None
    customer_email: Email | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        check_form(self, ("chain", "asset", "amount", "address", "refund_address"))
        return self

    def ways(self) -> list[tuple[str, OptionDraft]]:
        """Return each way to pay with the prefix of its fields' names ("options.0.", or "")."""
        if self.options is not None:
            return [(f"options.{i}.", option) for i, option in enumerate(self.options)]
        return [("", OptionDraft.model_construct(**{n: getattr(self, n) for n in OptionDraft.model_fields}))]
