"""What a caller writes to make a payment link, and its payer to open it: checked for form here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from watcher.drafts import (
    OPTIONS_LIMIT,
    Address,
    Amount,
    Draft,
    Email,
    Language,
    Name,
    TermsDraft,
    check_form,
)
from watcher.times import read_time
from watcher.wording import in_words

LONGEST = 315_360_000
"""Seconds for which a link may be valid: ten years; `valid_until` may be later."""


class Limits(Draft):
    """What the payer may choose from, both included."""

    min: Amount
    max: Amount


LinkAmount = Annotated[
    Amount | Limits,
    in_words('is neither an amount, such as "25.50", nor limits, such as {"min": "5", "max": "100"}'),
]
NoAddress = Annotated[
    None, in_words("has no place in a link: each opening takes a new one, and none is given twice")
]
Moment = Annotated[datetime, BeforeValidator(read_time)]


class LinkOptionDraft(Draft):
    """One way to pay."""

    chain: Name
    asset: Name
    amount: LinkAmount
    address: NoAddress = Field(default=None, description="Refused: each opening takes the next one.")


class LinkDraft(TermsDraft):
    """A template for invoices: as one of them, but that the payer may choose the amount within limits.

    `max_uses`: how many such invoices there may be; `valid_until`, `valid_for`: how long it may be opened.
    """

    chain: Name | None = None
    asset: Name | None = None
    amount: LinkAmount | None = None
    address: NoAddress = Field(default=None, description="Refused: each opening takes the next one.")
    options: Annotated[list[LinkOptionDraft], Field(min_length=1, max_length=OPTIONS_LIMIT)] | None = None
    max_uses: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None,
        description="One that was cancelled, or that ended with nothing received, is no use of it.",
    )
    valid_until: Moment | None = None
    valid_for: Annotated[int, Field(ge=1, le=LONGEST)] | None = Field(
        default=None, description="Seconds from now, in place of valid_until."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        check_form(self, ("chain", "asset", "amount"))
        if len({isinstance(one.amount, Limits) for _, one in self.ways()}) > 1:
            raise ValueError("options fix some amounts and leave others to the payer; do one or the other")
        if self.valid_until is not None and self.valid_for is not None:
            raise ValueError("valid_for stands beside valid_until; give one of them")
        return self

    @property
    def payer_chooses(self) -> bool:
        """Whether the amount is left to the payer."""
        return any(isinstance(one.amount, Limits) for _, one in self.ways())

    def ways(self) -> list[tuple[str, LinkOptionDraft]]:
        """Return each way to pay with the prefix of its fields' names ("options.0.", or "")."""
        if self.options is not None:
            return [(f"options.{i}.", option) for i, option in enumerate(self.options)]
        names = ("chain", "asset", "amount")
        return [("", LinkOptionDraft.model_construct(**{n: getattr(self, n) for n in names}))]


class OpeningDraft(Draft):
    """What a payer says about the invoice that a link makes; what is left out stays open, or as it is."""

    amount: Amount | None = Field(default=None, description="Where the link leaves it to the payer.")
    chain: Name | None = Field(default=None, description="Pay on this chain alone.")
    asset: Name | None = Field(default=None, description="Pay in this asset alone.")
    customer_email: Email | None = None
    refund_address: Address | None = Field(
        default=None, description="Where money is to go back to; needs one chain and asset."
    )
    language: Language | None = Field(default=None, description="Of the mails; without it the link's.")
