"""What a merchant writes to decide about an invoice: checked here for its form, by the rules for sense."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from watcher.drafts import Amount, Draft, Name, Text
from watcher.wording import in_words

Address = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Txid = Annotated[
    str,
    StringConstraints(pattern=r"^(0x)?[0-9a-fA-F]{64}$"),
    in_words("is no transaction id; write its 64 hexadecimal digits"),
]


class Decided(Draft):
    """What every decision may carry: why, and the invoice's `sequence` that the merchant saw."""

    reason: Text | None = None
    sequence: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="If the invoice has another one by now, nothing is decided (409 changed)."
    )


class AcceptDraft(Decided):
    """Take what came, or with `without_payment` nothing at all, as the whole payment."""

    without_payment: bool = False


class ExtendDraft(Decided):
    """Move the deadline to so many seconds after now, or after the old one, whichever is later."""

    seconds: Annotated[int, Field(ge=60, le=2_592_000)] = 3600


class CancelDraft(Decided):
    """Withdraw an invoice of which nothing was seen."""


class RefundDraft(Decided):
    """Give money back. Without `amount`: the excess of a paid invoice, or else all that was received."""

    address: Address | None = Field(
        default=None, description="Where to; without it the option's refund_address."
    )
    chain: Name | None = None
    asset: Name | None = None
    amount: Amount | None = None


class SentDraft(Draft):
    """Say by which transaction a refund was sent; another one takes its place until it is confirmed."""

    txid: Txid
    reason: Text | None = None


class DestinationDraft(Draft):
    """Say where a refund goes that was not sent yet; without an address, what to sign is made once more."""

    address: Address | None = None
    reason: Text | None = None


class WithdrawDraft(Draft):
    """Take back a refund that was not sent."""

    reason: Text | None = None
