"""The nouns: invoices, options, deposits, views, decisions, batches and events.

Frozen values without behaviour beyond what their own fields say. Amounts are base units, times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from chains.base import BlockRef, Mempool, Transfer  # noqa: TC001 - read again at run time, see facts

Clock = Callable[[], datetime]
"""Returns the present moment, in UTC."""


class Status(StrEnum):
    """An invoice's status; CONTRACT: a function of the facts, never set by hand."""

    PENDING = "pending"
    PARTIAL = "partial"
    CONFIRMING = "confirming"
    PAID = "paid"
    UNDERPAID = "underpaid"
    EXPIRED = "expired"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class Exceptional(StrEnum):
    """What is out of the ordinary about an invoice, beside its status."""

    OVERPAID = "overpaid"
    LATE = "late"
    REVERTED = "reverted"
    WRONG_ASSET = "wrong_asset"
    ACCEPTED = "accepted"


class PaymentStatus(StrEnum):
    """What became of one deposit to an invoice."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REPLACED = "replaced"
    REVERTED = "reverted"
    IGNORED = "ignored"


class Standing(StrEnum):
    """Where the chain has a recorded deposit now."""

    MEMPOOL = "mempool"
    MINED = "mined"
    UNPLACED = "unplaced"
    """Its block left the chain, and the new branch is not read to its end yet."""
    REPLACED = "replaced"
    DROPPED = "dropped"
    REORGANISED = "reorganised"


class Finality(StrEnum):
    """A confirmation rule that the chain itself answers."""

    SAFE = "safe"
    FINALIZED = "finalized"


Confirmations = int | Finality
"""A number of blocks (the block itself is the first; 0 is the mempool), or what the chain calls final."""


class FeePayer(StrEnum):
    """Who bears the merchant's deductions."""

    MERCHANT = "merchant"
    CUSTOMER = "customer"


class LatePolicy(StrEnum):
    """What late money does by itself."""

    HOLD = "hold"
    ACCEPT = "accept"
    REFUND = "refund"


class ReturnPolicy(StrEnum):
    """What money does by itself that an invoice has no use for."""

    HOLD = "hold"
    """It waits for the merchant."""
    REFUND = "refund"
    """Once it is confirmed, its refund is requested."""


class ExcessPolicy(StrEnum):
    """What too much money does by itself."""

    KEEP = "keep"
    """It is told, and waits for nobody."""
    HOLD = "hold"
    REFUND = "refund"


class ResolutionKind(StrEnum):
    """A merchant's decision about one invoice."""

    ACCEPT = "accept"
    EXTEND = "extend"
    CANCEL = "cancel"


class RefundState(StrEnum):
    """How far a refund is: promised, said to be sent, confirmed on the chain, or withdrawn."""

    REQUESTED = "requested"
    SENT = "sent"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class EventType(StrEnum):
    """Every event that a shop can receive."""

    INVOICE_CREATED = "invoice.created"
    INVOICE_PARTIALLY_PAID = "invoice.partially_paid"
    INVOICE_CONFIRMING = "invoice.confirming"
    INVOICE_PAID = "invoice.paid"
    INVOICE_UNDERPAID = "invoice.underpaid"
    INVOICE_EXPIRED = "invoice.expired"
    INVOICE_OVERPAID = "invoice.overpaid"
    INVOICE_LATE_PAYMENT = "invoice.late_payment"
    INVOICE_REVERTED = "invoice.reverted"
    INVOICE_EXTENDED = "invoice.extended"
    INVOICE_REMINDER = "invoice.reminder"
    INVOICE_CANCELLED = "invoice.cancelled"
    INVOICE_REFUNDING = "invoice.refunding"
    INVOICE_REFUNDED = "invoice.refunded"
    PAYMENT_DETECTED = "payment.detected"
    PAYMENT_CONFIRMED = "payment.confirmed"
    PAYMENT_REPLACED = "payment.replaced"
    PAYMENT_REVERTED = "payment.reverted"
    REFUND_REQUESTED = "refund.requested"
    REFUND_SENT = "refund.sent"
    REFUND_CONFIRMED = "refund.confirmed"
    REFUND_REVERTED = "refund.reverted"
    REFUND_CANCELLED = "refund.cancelled"
    DEPOSIT_DETECTED = "deposit.detected"
    DEPOSIT_CONFIRMED = "deposit.confirmed"
    DEPOSIT_REVERTED = "deposit.reverted"
    DEPOSIT_UNMATCHED = "deposit.unmatched"
    DEPOSIT_WRONG_ASSET = "deposit.wrong_asset"
    CHAIN_STALLED = "chain.stalled"
    CHAIN_RECOVERED = "chain.recovered"
    CHAIN_ALERT = "chain.alert"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


EVENT_FILTERS = ("*", *dict.fromkeys(f"{event.partition('.')[0]}.*" for event in EventType), *EventType)
"""What a receiver may ask for: everything, a family of events, or one."""


class GapReason(StrEnum):
    """Why blocks have to be read again."""

    NEW_ADDRESS = "new_address"
    """An address was made while they were being read."""
    RESCAN = "rescan"
    """An operator asked for it."""
    MISSING = "missing"
    """The node no longer has what is in them (it is pruned)."""
    QUARANTINED = "quarantined"
    """What the node gave could not be parsed."""
    REFUND = "refund"
    """A refund's transaction may be in them."""


UNPROVEN = frozenset({GapReason.NEW_ADDRESS, GapReason.MISSING, GapReason.QUARANTINED})
"""A gap for one of these leaves open what its blocks hold: no deadline passes over it."""

UNREAD = frozenset({GapReason.MISSING, GapReason.QUARANTINED})
"""Nobody has read these blocks at all: what left the mempool may be in them."""


class AlertKind(StrEnum):
    """What an operator has to look at."""

    BLOCKS_MISSING = "blocks_missing"
    BLOCK_QUARANTINED = "block_quarantined"
    BALANCE_DISAGREEMENT = "balance_disagreement"


class ChainState(StrEnum):
    """How well a chain is being followed, as `/v1/chains` shows it."""

    LIVE = "live"
    CATCHING_UP = "catching_up"
    STALLED = "stalled"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Option:
    """One way to pay an invoice, with the rules frozen at creation.

    `amount`: what the merchant is to be credited with. `expected`: what the payer is asked for.
    `minimum`: the smallest credit that counts as paid (amount less the tolerance).
    `fee_percent` (a share of 1) and `fee_fixed` (base units) are deducted from each deposit.
    `from_height`: the chain's height when the invoice was made, and `from_hash` its block there; an address
    may have been paid before.
    `dust`: smaller deposits are ignored. `refund_address`: where the payer wants money back, if known.
    """

    position: int
    chain: str
    asset: str
    asset_id: str
    decimals: int
    address: str
    amount: int
    expected: int
    minimum: int
    confirmations: Confirmations
    from_height: int
    fee_percent: Fraction = Fraction(0)
    fee_fixed: int = 0
    dust: int = 0
    from_hash: str | None = None
    refund_address: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens by itself where an invoice is out of the ordinary, frozen at creation.

    `accept_share`: underpaid with at least this share of the amount confirmed, it is accepted; None: never.
    `extend`: seconds by which the deadline moves while enough is seen, but not yet in a block; 0: never.
    """

    accept_share: Fraction | None = None
    extend: int = 0
    underpaid: ReturnPolicy = ReturnPolicy.HOLD
    overpaid: ExcessPolicy = ExcessPolicy.KEEP
    wrong_asset: ReturnPolicy = ReturnPolicy.HOLD


@dataclass(frozen=True, slots=True)
class Invoice:
    """What is owed and by when; nothing here says whether it was paid.

    `sequence`: that of its last event. `reverted`: its status once fell because money went away again.
    `reminded_for`: the deadline of which the payer was reminded last. `language` is that of its mails.
    """

    id: str
    options: tuple[Option, ...]
    created_at: datetime
    expires_at: datetime
    monitor_until: datetime
    fee_payer: FeePayer = FeePayer.MERCHANT
    late: LatePolicy = LatePolicy.HOLD
    policy: Policy = Policy()
    reminder_before: int = 0
    reminded_for: datetime | None = None
    sequence: int = 0
    reverted: bool = False
    language: str = "en"
    link_id: str | None = None
    order_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    customer_email: str | None = None
    webhook_url: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Deposit:
    """A transfer as the ledger recorded it.

    `arrived_at` is when the chain first showed it (mempool entry or block), fixed at the first sighting.
    `risk`: why it must not count while it is unconfirmed; None where nothing speaks against it.
    """

    id: str
    chain: str
    asset: str
    txid: str
    slot: str
    address: str
    amount: int
    standing: Standing
    arrived_at: datetime
    block: BlockRef | None = None
    maturity: int = 0
    risk: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A merchant's recorded decision. `until`: the new deadline of an extension."""

    kind: ResolutionKind
    at: datetime
    by: str
    reason: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that the merchant gives back. Amounts in base units of the asset.

    `address` is None until it is known. `arrives`: what has to reach it, the amount less the network's fee
    where that is taken from it. `covers`: the deposits that were there when it was requested; nothing of them
    waits any more. `settles`: it gives back the payment itself, so that it decides the invoice's status; else
    only what the invoice can spare. `txid` is what the merchant says was sent; whether it was, the chain
    says.
    """

    id: str
    chain: str
    asset: str
    decimals: int
    amount: int
    arrives: int
    confirmations: Confirmations
    by: str
    at: datetime
    address: str | None = None
    reason: str | None = None
    covers: frozenset[str] = frozenset()
    settles: bool = True
    state: RefundState = RefundState.REQUESTED
    txid: str | None = None
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    unsigned: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """How much of a chain the ledger has proven: up to `head`, and every arrival until `as_of`.

    `safe` and `finalized` are heights, never above the head; None where the chain has no such notion.
    """

    chain: str
    head: BlockRef
    as_of: datetime
    safe: int | None = None
    finalized: int | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A deposit as the matcher judged it. `rule` names why it is counted or not, for `explain`.

    `option` is the position of the option that it pays, None if it fits none. `final`: it has the
    confirmations that are required, counted or not.
    """

    deposit: Deposit
    option: int | None
    status: PaymentStatus
    rule: str
    counted: bool
    late: bool
    net: int
    confirmations: int
    required: Confirmations
    final: bool = False


@dataclass(frozen=True, slots=True)
class Sums:
    """One option's totals over its counted payments. Base units.

    `seen` and `confirmed` are gross; `fees` and `net` belong to `seen`; `missing` is what still has to be
    sent; `excess` is what came above the amount.
    """

    seen: int = 0
    confirmed: int = 0
    fees: int = 0
    net: int = 0
    missing: int = 0
    excess: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the facts say about an invoice.

    `passed`: the deadline is proven to lie behind it, and it is not funded.
    """

    status: Status
    exceptions: tuple[Exceptional, ...]
    options: tuple[Sums, ...]
    payments: tuple[Payment, ...]
    deadline: datetime
    needs_action: bool = False
    refunds: tuple[Refund, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a shop is told: an event before it has an id, a sequence and bytes."""

    type: EventType
    payment: Payment | None = None
    reason: str | None = None
    refund: Refund | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A happening frozen at commit: every delivery of it sends these bytes under this id."""

    id: str
    type: EventType
    occurred_at: datetime
    body: bytes
    invoice_id: str | None = None
    sequence: int | None = None
    chain: str | None = None
    standing_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """Blocks whose contents nobody could read, and what the node said about them."""

    first: int
    last: int
    reason: GapReason
    detail: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One consistent view of new blocks, to be absorbed in one transaction.

    `base`: the newest block that the ledger and the node share; everything above it is undone first.
    None at the very first start, when `blocks` holds the starting block alone.
    `mempool`: None means not read to the end of the chain: unconfirmed deposits are left as they are.
    `watched_to`: the largest address row that was looked for; later ones get their blocks read again.
    `rebased`: no kept block stands any more, and `base` takes the place of all of them.
    `hole`: the blocks are known by their headers alone; they become a gap.
    """

    chain: str
    base: BlockRef | None
    blocks: tuple[BlockRef, ...]
    transfers: tuple[Transfer, ...]
    spent: Mapping[str, str]
    mempool: Mempool | None
    view: View
    observed_at: datetime
    watched_to: int
    rebased: bool = False
    hole: Hole | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Blocks to be read again: for addresses after row `after` up to row `upto`, from `first` to `last`."""

    id: int
    chain: str
    first: int
    last: int
    after: int
    upto: int
    reason: GapReason = GapReason.RESCAN
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """How a chain is being followed right now; `scanned` is absorbed, `head` is what the node says."""

    state: ChainState
    head: BlockRef | None
    scanned: BlockRef | None
    lag_blocks: int | None
    lag_seconds: float | None
    reason: str | None = None
