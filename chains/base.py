"""What every chain adapter speaks: block references, transfers, errors and the adapter's protocol.

Imports nothing of ours and has never heard of invoices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - read again at run time to decode recorded decisions
from dataclasses import dataclass, field
from datetime import datetime, timedelta  # noqa: TC003 - the same
from typing import Any, Protocol


class ChainError(Exception):
    """Something about a node or its chain; always one of the three children.

    ChainError
    ├── NodeUnavailable   retry with back-off; nothing is known, so nothing may be concluded
    │     (BlocksMissing and BlockUnreadable say which blocks it is about)
    ├── ChainMoved        the chain changed during the read: discard what was read and read again at once
    └── NodeMisbehaved    wrong chain or an impossible answer: halt this chain and tell the operator
    """


class NodeUnavailable(ChainError):  # noqa: N818 - DESIGN names the errors by what happened
    """Down, warming up, rate limited, timed out, or an answer that means "unknown"."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after` is the wait in seconds that the node asked for, if it did."""
        super().__init__(message)
        self.retry_after = retry_after


class BlocksMissing(NodeUnavailable):
    """The node has the headers of these blocks, and no longer what is in them (it is pruned)."""

    def __init__(self, message: str, first: int, last: int) -> None:
        """`first` and `last` are the heights of what is missing, both included."""
        super().__init__(message)
        self.first = first
        self.last = last


class BlockUnreadable(NodeUnavailable):
    """What the node gave as a block cannot be parsed: a fault of the node's, or of ours."""

    def __init__(self, message: str, height: int) -> None:
        super().__init__(message)
        self.height = height


class ChainMoved(ChainError):  # noqa: N818
    """Two answers belong to different forks, or a block left the chain while it was read."""


class NodeMisbehaved(ChainError):  # noqa: N818
    """The node serves another chain, or gave an answer that cannot be true."""


UNATTRIBUTED = "balance:"
"""How the slot begins of a growth of a balance that no transfer explains, followed by asset and address.

Its `txid` is the hash of the block in which the balance grew. Reported, never counted as a payment.
"""


class AddressError(ValueError):
    """An address or a key that this chain must refuse; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by height, hash and parent hash (lower-case hex as the node prints it), and its own time."""

    height: int
    hash: str
    parent: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """One credit to one watched address.

    `slot` names the credit inside its transaction and survives a reorganisation: "vout:1", "log:3" (the
    ordinal within the receipt, never the block's logIndex), "value", "call:0.1", "sub:0/7".
    `asset` is the symbol by which the chain's configuration knows it ("BTC", "USDT").
    `amount` is in base units (satoshi, wei, token units, piconero) and above zero.
    `block` is None in the mempool. `spends` are the outpoints ("txid:n") that its transaction spends, where
    the chain has them, to find what replaces it. `maturity` is the number of confirmations that the chain
    itself demands before the credit can be spent (100 for a coinbase output, else 0). `seen_at` is when the
    node first saw an unconfirmed transaction, where it says so. `risk` is why an unconfirmed one must not
    count before it is in a block: "replaceable", "low_fee", "unconfirmed_parent"; None where nothing speaks
    against it.
    """

    asset: str
    txid: str
    slot: str
    address: str
    amount: int
    block: BlockRef | None
    spends: tuple[str, ...] = ()
    maturity: int = 0
    seen_at: datetime | None = None
    risk: str | None = None


@dataclass(frozen=True, slots=True)
class Tip:
    """The node's head, the blocks that it calls safe and final, and until when that proves everything.

    `as_of`: once everything up to `head` (and the mempool, where the chain has one) was read, no transfer
    that arrived by this moment can be missing. An account chain answers the head's own time, because each
    later block carries a later one; a chain with a public mempool answers the moment of asking, unless the
    node is still syncing, isolated or has a stale head: then the head's time. Never in the future.
    `endpoint` is the place of the node that said so among the configured ones, as in Reading and Mempool:
    what one says of its chain proves nothing about another's mempool or finality.
    """

    head: BlockRef
    as_of: datetime
    safe: int | None = None
    finalized: int | None = None
    endpoint: int = 0


@dataclass(slots=True)
class Watched:
    """What to look for on one chain, by its bytes on the chain; shared with the adapter, never changed by it.

    `scripts` are what `ChainAdapter.key` gives: scriptPubKeys, or 20-byte accounts.
    `outpoints` ("txid:n") are those that unconfirmed deposits spend: whatever else spends one replaces it.
    `unconfirmed` are the transactions of those deposits: that one is gone takes the word of every endpoint.
    `brought` counts the scripts of addresses that callers brought: when it grows, what was already in the
    mempool may concern the new one, and has to be read in full again.
    `payers` are the scripts to which money is given back: there no credit is too small.
    """

    scripts: set[bytes] = field(default_factory=set)
    outpoints: set[str] = field(default_factory=set)
    unconfirmed: set[str] = field(default_factory=set)
    brought: int = 0
    payers: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Reading:
    """One consistent view of a range of blocks: each block's parent is the one before it.

    `spent` maps each watched outpoint that was spent in these blocks to the spending transaction.
    """

    blocks: tuple[BlockRef, ...]
    transfers: tuple[Transfer, ...]
    spent: Mapping[str, str] = field(default_factory=dict)
    endpoint: int = 0


@dataclass(frozen=True, slots=True)
class Mempool:
    """Every unconfirmed transfer to a watched address, and who spends the watched outpoints now.

    `missed` are those of `Watched.unconfirmed` that this endpoint does not have, while another one has them
    or cannot be asked: nodes differ in what they keep, so they are not gone.
    """

    transfers: tuple[Transfer, ...] = ()
    spent: Mapping[str, str] = field(default_factory=dict)
    endpoint: int = 0
    missed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found by address in blocks whose contents the node no longer has.

    `proven` are those of the blocks that hold nothing for the addresses beside `transfers`.
    """

    transfers: tuple[Transfer, ...] = ()
    proven: tuple[BlockRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A currency of one chain. `contract` is None for the chain's own coin. `id` is its CAIP-19 name.

    `verify_balance`: the token's logs cannot be trusted alone (fee on transfer, rebasing).
    `dust`: credits below this many base units are ignored.
    """

    symbol: str
    id: str
    decimals: int
    contract: str | None = None
    verify_balance: bool = False
    dust: int = 0


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One node of a chain as `check` and `/v1/chains` show it; `url` carries no credentials.

    `contract_transfers` is its own mode (see ChainAdapter); None where none was found yet, or there is none.
    """

    url: str
    state: str
    height: int | None = None
    error: str | None = None
    contract_transfers: str | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What one watched account held of one asset at the end of two blocks, in base units.

    `moved`: it may have sent something away in between, so that only a growth above its credits proves
    anything.
    """

    address: str
    asset: str
    before: int
    after: int
    moved: bool


@dataclass(frozen=True, slots=True)
class Coin:
    """One confirmed credit that a refund may spend, or be paid from. Amounts in base units.

    `index`: its address is 0/index below the configured key; None where the caller brought the address.
    """

    asset: str
    txid: str
    slot: str
    address: str
    amount: int
    block: BlockRef
    index: int | None


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What to sign elsewhere to send a refund.

    `arrives`: base units that reach the payer: the amount, less the fee where it has to be taken from it.
    `fields` is JSON for the merchant: a PSBT with its inputs and outputs, or a link and a transaction's
    fields.
    """

    arrives: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Located:
    """Where a transaction is, and what it credits to one address.

    `block` is None while it is in the mempool. `transfers` are None where that cannot be told yet (an account
    chain's transaction that is in no block).
    """

    block: BlockRef | None
    transfers: tuple[Transfer, ...] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of `watcher check`: `ok` False stops deposits from being seen, None is a warning."""

    name: str
    ok: bool | None
    detail: str


class ChainAdapter(Protocol):
    """States facts about one chain; keeps no cursor and decides nothing. Any method may raise ChainError."""

    name: str
    chain_id: str
    """CAIP-2."""
    contract_transfers: str
    """How value moved inside contracts is found: traces, parity, logs, balance or none."""
    clock_drift: timedelta
    """How far a block's own time may lie before the moment at which it was made."""
    span: int
    """The most blocks to ask for in one `read`."""
    has_mempool: bool
    """Whether unconfirmed transfers are listed: 0 confirmations can be asked for only then."""
    namespace: str | None
    """Chains that answer the same share their accounts (CAIP-2 "eip155"): money can go to the wrong one."""

    async def open(self) -> None:
        """Connect and prove that this is the right chain (id, genesis, decimals of the tokens).

        Safe to call again after a failure; the scanner calls it before its first read and after each outage.
        """

    async def close(self) -> None:
        """Release what `open` took."""

    async def tip(self) -> Tip:
        """Return the head as it is now."""

    async def block(self, height: int) -> BlockRef | None:
        """Return the block at that height of the node's best chain, None above its head."""

    async def read(self, first: int, last: int, watched: Watched) -> Reading:
        """Return the blocks of the best chain from `first` to `last`, both included, and their transfers.

        Complete or an error: an answer that the node could not give in full raises.
        """

    async def recover(self, first: int, last: int, watched: Watched) -> Recovery:
        """Look by address for what blocks hold that `read` cannot get any more; nothing where it cannot."""

    async def mempool(self, watched: Watched) -> Mempool:
        """Return all unconfirmed transfers; always empty on a chain where they prove nothing."""

    def distrust(self, reason: str) -> None:
        """Set the endpoint that answered last aside for a while: it is behind what was proven before."""

    async def agree(self, block: BlockRef) -> None:
        """Raise NodeUnavailable unless as many endpoints as are configured show this block at its height."""

    async def survey(self) -> None:
        """Look at every endpoint's head; set aside, with a reason, what lags or disagrees. Never raises."""

    async def holdings(self, first: BlockRef, last: BlockRef, addresses: Sequence[str]) -> Sequence[Holding]:
        """Return what these addresses held of each asset at the end of two blocks; () without balances."""

    async def check(self) -> tuple[Finding, ...]:
        """Probe every endpoint for `watcher check`; never raises for a node's fault."""

    def health(self) -> tuple[EndpointHealth, ...]:
        """Return what is known of each endpoint without asking it."""

    def assets(self) -> tuple[Asset, ...]:
        """Return the native coin first, then the tokens of the allow-list."""

    def canonical(self, address: str) -> str:
        """Return the address in its one form; raise AddressError on a broken one or another network's."""

    def key(self, address: str) -> bytes:
        """Return the bytes by which a canonical address is found on the chain."""

    def derive(self, index: int) -> str:
        """Return the canonical address 0/index below the configured key; AddressError without a key."""

    def key_fingerprint(self) -> str | None:
        """Return what identifies the configured key and script: chains that answer the same share indexes."""

    async def spending_cost(self, asset: str) -> int:
        """Return what spending one deposit of the native coin costs, in base units; 0 for a token."""

    async def unsigned(self, coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
        """Return what to sign so that `amount` of an asset goes from these coins to a canonical address.

        Raises AddressError for a destination that cannot take it, any other ValueError where nothing worth
        sending would arrive or the coins hold less than `amount` (one line for the user), NodeUnavailable or
        ChainMoved where the node has to be asked and does not know. Holds no private key, and sends nothing.
        """

    def transaction_id(self, txid: str) -> str:
        """Return a transaction's id as this chain writes it; AddressError on what cannot be one."""

    async def locate(self, txid: str, address: str) -> Located | None:
        """Return where a transaction is and what it credits to a canonical address; None: no node knows it.

        `txid` in any form that `transaction_id` takes. Where a node has no index of its transactions, a mined
        one of which every output is spent is None, too.
        """

    def payment_uri(self, address: str, asset: str, amount: int) -> str:
        """Return the wallet link (BIP-21, EIP-681) that asks for `amount` base units."""
