"""What the API answers about the ledger itself: how far it reaches, what it holds. Validates no request."""

from __future__ import annotations

from pydantic import BaseModel, Field

from watcher.api.schema import Amount  # noqa: TC001 - pydantic reads it
from watcher.api.schema_works import BlockAt  # noqa: TC001 - pydantic reads it
from watcher.model import GapReason, Standing  # noqa: TC001 - pydantic reads them


class LedgerGap(BaseModel):
    """Blocks that will be read again for the addresses with numbers above `after`, up to `upto`."""

    first: int = Field(serialization_alias="from")
    last: int = Field(serialization_alias="to")
    after: int
    upto: int
    reason: GapReason


class LedgerExtent(BaseModel):
    """How far a chain is read."""

    chain: str
    chain_id: str
    genesis: str
    head: BlockAt
    gaps: list[LedgerGap]


class LedgerAddress(BaseModel):
    """An address that is watched: every block above `from_height` is read for it.

    It is an invoice's, or a standing address (`address_id`). `index` is that below the key, null where the
    caller brought it; `used`: a block paid it; `stray`: it was shown for another chain.
    """

    id: int
    address: str
    invoice_id: str | None
    address_id: str | None
    from_height: int | None
    index: int | None
    used: bool
    stray: bool


class LedgerDeposit(BaseModel):
    """A deposit as it is recorded. `standing` is where it stands now."""

    id: str
    txid: str
    slot: str
    asset: str
    decimals: int
    address: str
    amount: Amount
    standing: Standing
    block_height: int | None
    block_hash: str | None
    invoice_id: str | None
    address_id: str | None
