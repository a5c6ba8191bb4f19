"""What the API answers about its own works: endpoints, chains, keys, probes. Validates no request."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from watcher.apikeys import Scope  # noqa: TC001 - pydantic reads it
from watcher.model import AlertKind, ChainState, GapReason  # noqa: TC001 - pydantic reads them
from watcher.secret import Signature  # noqa: TC001 - pydantic reads it

Format = Literal["standard", "oxapay", "btcpay"]


class Webhook(BaseModel):
    """A receiver of events. Its secret is shown when it is made, and nowhere else."""

    id: str
    url: str
    events: list[str]
    chains: list[str]
    format: Format
    signature: Signature | None = Field(description="How its newest secret signs.")
    public_key: str | None = Field(description="whpk_…, which checks an ed25519 signature; null for hmac.")
    description: str | None
    success_body: str | None
    managed: Literal["api", "config", "invoice"]
    state: str
    disabled_reason: str | None
    deliveries_pending: int
    deliveries_dead: int
    created_at: datetime


class WebhookWithSecret(Webhook):
    """A receiver of events with its secret."""

    secret: str | None = Field(description="Null if it is a private key that was made here: it stays here.")


class SentTest(BaseModel):
    """A test on its way to an endpoint."""

    event_id: str
    delivery_id: str


class Replayed(BaseModel):
    """How many deliveries will be sent again."""

    deliveries: int


class BlockAt(BaseModel):
    """A block by height and hash."""

    height: int
    hash: str


class Head(BlockAt):
    """A block with its own time."""

    time: datetime


class ChainAsset(BaseModel):
    """A currency that invoices can ask for."""

    symbol: str
    id: str
    decimals: int
    contract: str | None


Mode = Literal["traces", "parity", "logs", "balance", "none"]
"""How value moved inside contracts is found."""


class ChainEndpoint(BaseModel):
    """One node of a chain."""

    url: str = Field(description="Without credentials.")
    state: str
    height: int | None
    error: str | None
    contract_transfers: Mode | None = Field(description="Its own way; null where none is known, or needed.")


class Alert(BaseModel):
    """What an operator has to look at; `subject` tells two of a kind apart."""

    kind: AlertKind
    subject: str
    detail: str
    since: datetime


class UnreadBlocks(BaseModel):
    """Blocks that have to be read again, and at most 20 open invoices that wait for them."""

    model_config = ConfigDict(populate_by_name=True)

    first: int = Field(alias="from")
    to: int
    reason: GapReason
    detail: str | None
    open_invoices: list[str]


class Chain(BaseModel):
    """How a chain is being followed."""

    name: str
    kind: str
    chain_id: str
    state: ChainState
    reason: str | None
    head: Head | None
    scanned: BlockAt | None
    lag_blocks: int | None
    lag_seconds: float | None
    contract_transfers: Mode
    assets: list[ChainAsset]
    endpoints: list[ChainEndpoint]
    unused_addresses: int = Field(description="In a row, up to the newest; wallets look 20 ahead.")
    alerts: list[Alert]
    gaps: list[UnreadBlocks]


class Key(BaseModel):
    """An API key, without the key."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None


class NewKey(Key):
    """A new API key, shown this once."""

    key: str


class Rescan(BaseModel):
    """Blocks that will be read again."""

    chain: str
    first: int = Field(serialization_alias="from")
    last: int = Field(serialization_alias="to")


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    version: str


class NotLive(BaseModel):
    """A chain that is not caught up."""

    chain: str
    state: ChainState
    reason: str | None


class Readiness(BaseModel):
    """Whether every chain is live."""

    ready: bool
    reasons: list[NotLive]


class Description(RootModel[dict[str, Any]]):
    """An OpenAPI document."""
