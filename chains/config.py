"""The keys of `[chains.NAME]` that every kind of chain shares; a kind adds its own in a subclass.

Knows the shape of the values, never where they come from, and echoes none of them: they may hold passwords.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

_DEEPEST = 100_000
_LONGEST_TITLE = 50
_DECIMAL = re.compile(r"[0-9]{1,78}(\.[0-9]{1,78})?")
_PART = r"[!#-&(-;=?-z|~]*"
_EXPLORER = re.compile(rf"https?://[A-Za-z0-9.:\[\]-]+/{_PART}\{{txid\}}{_PART}")
"""A host without a password, and behind it the place of the id, once; nothing that ends an attribute."""


def _decimal_text(value: object) -> object:
    if isinstance(value, float):
        raise ValueError('a number with a point loses digits; write it in quotes, for example "0.5"')  # noqa: TRY004
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _plain_decimal(value: str) -> str:
    if not _DECIMAL.fullmatch(value):
        raise ValueError('not a decimal number; write digits with at most one point in quotes, such as "0.5"')
    return value


def _http_url(value: str) -> str:
    """Check the form of a URL; the message never repeats it, because it may hold a password."""
    remedy = "write it as http://user:password@host:port or https://host/path"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(f"not a URL; {remedy} (percent-encode / : @ # ? in a password)") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"not an http or https URL; {remedy}")
    if not parts.hostname or port == 0 or re.search(r"[\s\x00-\x1f]", value):
        raise ValueError(f"not a complete URL; {remedy}")
    return value


def _explorer(value: str) -> str:
    if not _EXPLORER.fullmatch(value):
        raise ValueError('not a page of a transaction; write it as "https://explorer.example/tx/{txid}"')
    return value


def _title(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > _LONGEST_TITLE:
        limit = f"of at most {_LONGEST_TITLE} characters"
        raise ValueError(f'not one line of text {limit}; write a name for people, such as "Bitcoin"')
    return value


def _depth(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
        value = int(value)
    if isinstance(value, bool) or not (value in ("safe", "finalized") or isinstance(value, int)):
        raise ValueError('not a confirmation rule; write a number of blocks, "safe" or "finalized"')
    if isinstance(value, int) and not 0 <= value <= _DEEPEST:
        raise ValueError(f"out of range; write a number of blocks from 0 to {_DEEPEST}")
    return value


DecimalText = Annotated[str, BeforeValidator(_decimal_text), AfterValidator(_plain_decimal)]
"""An exact decimal number as text, never a float; no sign, no exponent."""

HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""An http or https URL, credentials included: keep it out of messages and logs."""

Depth = Annotated[int | Literal["safe", "finalized"], BeforeValidator(_depth)]
"""A number of blocks (the block itself is the first, 0 is the mempool), or what the chain calls final."""


def base_units(dust: str, decimals: int) -> int:
    """Return a dust floor in base units; ValueError if it has more digits than the asset."""
    units = Fraction(dust) * 10**decimals
    if units.denominator != 1:
        raise ValueError(f"dust: has more than the {decimals} decimals of its asset; write fewer digits")
    return int(units)


class Section(BaseModel):
    """A table of the configuration: frozen, and a key that nobody reads is an error.

    A check of the whole table names the key that is at fault first: ValueError("xpub: is not …; write …").
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FeeConfig(Section):
    """What the merchant's policy deducts from each deposit.

    `percent` is 0 to 100, `fixed` in the asset's unit; `spending_cost` adds the estimated cost of spending
    the deposit.
    """

    percent: DecimalText = "0"
    fixed: DecimalText = "0"
    spending_cost: bool = False

    @field_validator("percent")
    @classmethod
    def _leaves_something(cls, value: str) -> str:
        if Decimal(value) >= 100:  # noqa: PLR2004 - the whole
            raise ValueError('takes the whole payment; write a number from "0" to below "100"')
        return value


class ConfirmationStep(Section):
    """Payments of at most `up_to`, in the asset's unit, need this many confirmations."""

    up_to: DecimalText
    confirmations: Depth


class AssetConfig(Section):
    """A token of the allow-list. `decimals` is pinned here and compared with the contract at start.

    `verify_balance`: compare each credit with the balance (fee on transfer, rebasing). `dust`, in the
    token's unit: smaller credits are ignored.
    """

    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$")]
    contract: str
    decimals: Annotated[int, Field(ge=0, le=77)]
    verify_balance: bool = False
    dust: DecimalText = "0"


class ChainConfig(Section):
    """What every kind of chain is configured with.

    `poll_interval` seconds between two looks at the node. `history`: how many blocks a reorganisation may
    replace; deeper ones halt the chain. `stalled_after` seconds without progress the shop is told
    `chain.stalled` (0: never). `agreement`: how many of the endpoints have to show a block before it counts.
    `cross_check`: blocks between two comparisons of what was found with the accounts' balances, where the
    chain has them (0: never). `xpub` None: every invoice brings its own address. `key_origin`: where it lies
    below its wallet's master key, for refunds to sign. `start_height` None: from the head at the first start.
    `dust`, in the unit of the chain's own coin: smaller credits are ignored. `title`: what people call the
    chain. `explorer`: a page about a transaction, `{txid}` standing for its id.
    """

    kind: str
    title: Annotated[str, AfterValidator(_title)] | None = None
    explorer: Annotated[str, AfterValidator(_explorer)] | None = None
    rpc: Annotated[tuple[HttpUrl, ...], Field(min_length=1, repr=False)]
    network: str | None = None
    xpub: str | None = None
    key_origin: str | None = None
    script: Literal["p2wpkh", "p2tr", "p2sh-p2wpkh", "p2pkh"] | None = None
    confirmations: Depth
    confirmations_by_amount: tuple[ConfirmationStep, ...] = ()
    poll_interval: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 5.0
    start_height: Annotated[int, Field(ge=0)] | None = None
    history: Annotated[int, Field(ge=200, le=100_000)] = 500
    stalled_after: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 600.0
    agreement: Annotated[int, Field(ge=1)] = 1
    cross_check: Annotated[int, Field(ge=0)] = 100
    fees: FeeConfig = FeeConfig()
    dust: DecimalText = "0"

    @field_validator("confirmations_by_amount")
    @classmethod
    def _steps_rise(cls, steps: tuple[ConfirmationStep, ...]) -> tuple[ConfirmationStep, ...]:
        limits = [Decimal(step.up_to) for step in steps]
        if any(low >= high for low, high in pairwise(limits)):
            raise ValueError("the steps do not rise; order them by up_to, each above the one before it")
        return steps

    @model_validator(mode="after")
    def _origin_of_a_key(self) -> Self:
        if self.key_origin is not None and self.xpub is None:
            raise ValueError("key_origin: says where the xpub comes from, and there is none; remove it")
        return self

    @model_validator(mode="after")
    def _can_agree(self) -> Self:
        endpoints = len({url.rstrip("/") for url in self.rpc})
        if self.agreement > endpoints:
            raise ValueError(f"agreement: is above the number of rpc URLs; write at most {endpoints}")
        return self

    @model_validator(mode="after")
    def _kept_deeper_than_confirmed(self) -> Self:
        depths = [self.confirmations, *(step.confirmations for step in self.confirmations_by_amount)]
        deepest = max((depth for depth in depths if isinstance(depth, int)), default=0)
        if deepest >= self.history:
            raise ValueError(f"history: is not above the largest confirmations; write at least {deepest + 1}")
        return self
