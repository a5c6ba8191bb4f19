"""The database's rows, without behaviour. Rules live in the ledger, the outbox and the actions.

Amounts are `Amount` (78 decimal digits as text), moments are `Moment` (UTC microseconds as an integer).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import String, TypeDecorator
from sqlmodel import Field, SQLModel

DIGITS = 78
"""2**256 - 1 has 78 decimal digits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Amount(TypeDecorator[int]):
    """Base units as fixed-width decimal text: exact to 2**256 - 1, and compared as text in numeric order."""

    impl = String(DIGITS)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Pad; ValueError on a negative or too wide number, which would not sort."""
        if value is None:
            return None
        if not 0 <= value < 10**DIGITS:
            raise ValueError(f"amount out of range: {value}")
        return f"{value:0{DIGITS}d}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Read back the exact integer."""
        return None if value is None else int(value)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime as whole microseconds since 1970: exact, ordered, its zone never lost."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """ValueError on a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone: {value}")
        return (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read back an aware UTC datetime."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def _key(**options: Any) -> Any:
    """Return a growing integer key; SQLite grows only a plain INTEGER, and reuses none with AUTOINCREMENT."""
    return Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger().with_variant(Integer, "sqlite"),
        **options,
    )


def _amount_check(column: str) -> CheckConstraint:
    return CheckConstraint(f"length({column}) = {DIGITS}", name=f"{column}_width")


class ChainRow(SQLModel, table=True):
    """One chain's cursor and view: everything up to `height` is absorbed.

    `chain_id` and `genesis` are what the chain was when it was first reached: it can never be another.
    `cross_checked` is the block up to which the balances were last held against the deposits.
    """

    __tablename__ = "chain"
    name: str = Field(primary_key=True)
    chain_id: str
    genesis: str
    height: int = Field(sa_type=BigInteger)
    hash: str
    parent: str
    time: datetime = Field(sa_type=Moment)
    as_of: datetime = Field(sa_type=Moment)
    safe: int | None = Field(default=None, sa_type=BigInteger)
    finalized: int | None = Field(default=None, sa_type=BigInteger)
    stalled_since: datetime | None = Field(default=None, sa_type=Moment)
    stalled_reason: str | None = None
    cross_checked: int | None = Field(default=None, sa_type=BigInteger)
    cross_checked_hash: str | None = None


class BlockRow(SQLModel, table=True):
    """A recent block of the absorbed branch, to find the common ancestor after a reorganisation."""

    __tablename__ = "block"
    chain: str = Field(primary_key=True)
    height: int = Field(primary_key=True, sa_type=BigInteger)
    hash: str
    parent: str
    time: datetime = Field(sa_type=Moment)


class KeyIndexRow(SQLModel, table=True):
    """The next unused address index below one extended public key; chains that share the key share it."""

    __tablename__ = "key_index"
    fingerprint: str = Field(primary_key=True)
    next_index: int = Field(sa_type=BigInteger)


class AddressRow(SQLModel, table=True):
    """An address that was shown. Never given to another invoice, never forgotten, watched for ever.

    `from_height`: every block above it is read for the address; None where that was not noted. `stray`: it
    was shown for another chain, and is watched here for money that is sent to the wrong network. `refund`: it
    is the payer's, and only the transactions that are said to refund something to it are of interest.
    """

    __tablename__ = "address"
    __table_args__ = (
        UniqueConstraint("chain", "address"),
        Index("address_row", "chain", "id"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    chain: str
    address: str
    script: bytes = Field(sa_type=LargeBinary)
    key_index: int | None = Field(default=None, sa_type=BigInteger)
    invoice_id: str | None = Field(default=None, index=True, foreign_key="invoice.id")
    created_at: datetime = Field(sa_type=Moment)
    from_height: int | None = Field(default=None, sa_type=BigInteger)
    stray: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    refund: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    standing_id: str | None = Field(default=None, index=True, foreign_key="standing.id")


class StandingRow(SQLModel, table=True):
    """A standing address: a customer's own, for any amount, for as long as wanted. Archived, it still counts.

    `from_height` and `from_hash`: the chain's head when it was made. `sequence` is that of its last event.
    """

    __tablename__ = "standing"
    __table_args__ = (Index("standing_list", "created_at", "id"),)
    id: str = Field(primary_key=True)
    chain: str
    address: str = Field(index=True)
    label: str | None = Field(default=None, index=True)
    metadata_json: str = Field(default="{}", sa_type=Text)
    confirmations: str
    from_height: int = Field(sa_type=BigInteger)
    from_hash: str
    created_at: datetime = Field(sa_type=Moment)
    archived_at: datetime | None = Field(default=None, sa_type=Moment)
    sequence: int = 0


class LinkRow(SQLModel, table=True):
    """A payment link: a template of which each opening makes an invoice. `template` is what was asked for."""

    __tablename__ = "link"
    __table_args__ = (Index("link_list", "created_at", "id"),)
    id: str = Field(primary_key=True)
    created_at: datetime = Field(sa_type=Moment)
    template: str = Field(sa_type=Text)
    max_uses: int | None = None
    valid_until: datetime | None = Field(default=None, sa_type=Moment)
    removed_at: datetime | None = Field(default=None, sa_type=Moment)


class GapRow(SQLModel, table=True):
    """Blocks to be read again for the address rows `after` < id <= `upto`.

    `reason` is a model.GapReason; `detail` is what the node said, where it could not give the blocks.
    """

    __tablename__ = "gap"
    id: int | None = _key()
    chain: str = Field(index=True)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)
    after: int = Field(sa_type=BigInteger)
    upto: int = Field(sa_type=BigInteger)
    reason: str
    detail: str | None = Field(default=None, sa_type=Text)


class InvoiceRow(SQLModel, table=True):
    """An invoice's frozen terms, and the last decision about it.

    `decision` is the matcher's last answer, kept to see what changes; `due_at` is the next moment at which
    the passing of time alone can change it. `reminded_for` is the deadline of which the payer was reminded.
    `first_at` and `full_at`: when the first payment arrived, and the one that made it enough.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        Index("invoice_due", "due_at"),
        Index("invoice_list", "created_at", "id"),
        Index("invoice_status", "status", "created_at"),
        Index("invoice_waits", "needs_action", "created_at", "id"),
    )
    id: str = Field(primary_key=True)
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    monitor_until: datetime = Field(sa_type=Moment)
    fee_payer: str
    late: str
    reminder_before: int
    order_id: str | None = Field(default=None, index=True)
    description: str | None = Field(default=None, sa_type=Text)
    metadata_json: str = Field(default="{}", sa_type=Text)
    customer_email: str | None = None
    webhook_url: str | None = None
    return_url: str | None = None
    policy: str = Field(default="{}", sa_type=Text, sa_column_kwargs={"server_default": "{}"})
    language: str = Field(default="en", sa_column_kwargs={"server_default": "en"})
    link_id: str | None = Field(default=None, index=True, foreign_key="link.id")
    reminded_for: datetime | None = Field(default=None, sa_type=Moment)
    first_at: datetime | None = Field(default=None, sa_type=Moment)
    full_at: datetime | None = Field(default=None, sa_type=Moment)
    status: str
    exceptions: str = ""
    needs_action: bool = False
    reverted: bool = False
    sequence: int = 0
    decision: str = Field(sa_type=Text)
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    paid_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment)


class OptionRow(SQLModel, table=True):
    """One way to pay an invoice."""

    __tablename__ = "option"
    __table_args__ = (
        _amount_check("amount"),
        _amount_check("expected"),
        _amount_check("minimum"),
        Index("option_address", "chain", "address"),
    )
    invoice_id: str = Field(primary_key=True, foreign_key="invoice.id")
    position: int = Field(primary_key=True)
    chain: str
    asset: str
    asset_id: str
    decimals: int
    address: str
    amount: int = Field(sa_type=Amount)
    expected: int = Field(sa_type=Amount)
    minimum: int = Field(sa_type=Amount)
    confirmations: str
    from_height: int = Field(sa_type=BigInteger)
    fee_percent: str = "0"
    fee_fixed: int = Field(default=0, sa_type=Amount)
    dust: int = Field(default=0, sa_type=Amount)
    from_hash: str | None = None
    refund_address: str | None = None


class DepositRow(SQLModel, table=True):
    """A transfer that was seen: a fact. Its identity leaves the block out: a block read twice adds nothing.

    `settled`: confirmed as deep as its invoice asks, so that new blocks need not look at it again. `told`:
    what was last told of it, where it came to a standing address.
    """

    __tablename__ = "deposit"
    __table_args__ = (
        UniqueConstraint("chain", "txid", "slot"),
        _amount_check("amount"),
        Index("deposit_address", "chain", "address", "settled"),
        Index("deposit_height", "chain", "block_height"),
        Index("deposit_open", "chain", "settled"),
        Index("deposit_time", "block_time", "arrived_at"),
        Index("deposit_txid", "txid"),
    )
    id: str = Field(primary_key=True)
    chain: str
    txid: str
    slot: str
    asset: str
    address: str
    amount: int = Field(sa_type=Amount)
    standing: str
    block_height: int | None = Field(default=None, sa_type=BigInteger)
    block_hash: str | None = None
    block_parent: str | None = None
    block_time: datetime | None = Field(default=None, sa_type=Moment)
    spends: str = Field(default="[]", sa_type=Text)
    maturity: int = 0
    arrived_at: datetime = Field(sa_type=Moment)
    settled: bool = False
    risk: str | None = None
    told: str | None = None


class AlertRow(SQLModel, table=True):
    """Something about a chain that an operator has to look at: told when raised, and when it is over."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("chain", "kind", "subject"),)
    id: int | None = _key()
    chain: str
    kind: str
    subject: str
    detail: str = Field(sa_type=Text)
    since: datetime = Field(sa_type=Moment)


class ResolutionRow(SQLModel, table=True):
    """A merchant's decision about an invoice: who, when, why."""

    __tablename__ = "resolution"
    id: int | None = _key()
    invoice_id: str = Field(index=True, foreign_key="invoice.id")
    kind: str
    at: datetime = Field(sa_type=Moment)
    by: str
    reason: str | None = Field(default=None, sa_type=Text)
    until: datetime | None = Field(default=None, sa_type=Moment)


class RefundRow(SQLModel, table=True):
    """Money that the merchant gives back: what was promised, and the transaction that is said to do it.

    `address` is None until it is known where the payer wants it. `arrives` is what has to reach it: the
    amount, less the network's fee where that is taken from it. `covers` are the ids of the deposits that were
    there; `settles`: it gives back the payment itself. `state` is the last one told; the facts decide it.
    """

    __tablename__ = "refund"
    __table_args__ = (
        _amount_check("amount"),
        _amount_check("arrives"),
        Index("refund_address", "chain", "address"),
        Index("refund_open", "chain", "state"),
    )
    id: str = Field(primary_key=True)
    invoice_id: str = Field(index=True, foreign_key="invoice.id")
    chain: str
    asset: str
    decimals: int
    address: str | None = None
    amount: int = Field(sa_type=Amount)
    arrives: int = Field(sa_type=Amount)
    confirmations: str
    reason: str | None = Field(default=None, sa_type=Text)
    by: str
    at: datetime = Field(sa_type=Moment)
    covers: str = Field(default="[]", sa_type=Text)
    settles: bool = True
    state: str = "requested"
    txid: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=Moment)
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    cancelled_at: datetime | None = Field(default=None, sa_type=Moment)
    unsigned: str | None = Field(default=None, sa_type=Text)


class MailRow(SQLModel, table=True):
    """A reminder by mail, one for each deadline of an invoice.

    `state`: pending, sending (handed to the server; after a crash nobody knows more, so it is not sent
    again), sent, failed, uncertain.
    """

    __tablename__ = "mail"
    __table_args__ = (UniqueConstraint("invoice_id", "deadline"), Index("mail_due", "state", "next_at"))
    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id")
    deadline: datetime = Field(sa_type=Moment)
    recipient: str
    state: str = "pending"
    attempts: int = 0
    next_at: datetime | None = Field(default=None, sa_type=Moment)
    error: str | None = None
    created_at: datetime = Field(sa_type=Moment)
    sent_at: datetime | None = Field(default=None, sa_type=Moment)


class AuditRow(SQLModel, table=True):
    """One decision or administrative act: who, when, what, about what, and why. Only ever added to.

    `actor`: an API key's name, "local" (the operator), "payer", "policy", "chain" (what the facts say)
    or "system" (the daemon gave an endpoint up).
    """

    __tablename__ = "audit"
    __table_args__ = (Index("audit_subject", "subject", "id"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    at: datetime = Field(sa_type=Moment)
    actor: str
    action: str
    subject: str
    reason: str | None = Field(default=None, sa_type=Text)
    detail: str = Field(default="{}", sa_type=Text)


class EventRow(SQLModel, table=True):
    """What was told: bytes frozen at commit. `seq` orders all events and never repeats."""

    __tablename__ = "event"
    __table_args__ = ({"sqlite_autoincrement": True},)
    seq: int | None = _key()
    id: str = Field(unique=True)
    type: str
    invoice_id: str | None = Field(default=None, index=True, foreign_key="invoice.id")
    sequence: int | None = None
    chain: str | None = None
    standing_id: str | None = Field(default=None, index=True, foreign_key="standing.id")
    occurred_at: datetime = Field(sa_type=Moment)
    body: bytes = Field(sa_type=LargeBinary)


class EndpointRow(SQLModel, table=True):
    """A receiver of webhooks. `secrets`, `events` and `chains` are JSON lists.

    `managed`: "config" (only the configuration changes it), "api", or "invoice" (an invoice's webhook_url).
    `secrets` items: {"secret": str, "until": microseconds or null}, newest first.
    """

    __tablename__ = "endpoint"
    id: str = Field(primary_key=True)
    url: str
    format: str = "standard"
    secrets: str = Field(default="[]", sa_type=Text)
    events: str = Field(default='["*"]', sa_type=Text)
    chains: str = Field(default="[]", sa_type=Text)
    description: str | None = None
    success_body: str | None = None
    managed: str = Field(index=True)
    state: str = "active"
    created_at: datetime = Field(sa_type=Moment)
    failing_since: datetime | None = Field(default=None, sa_type=Moment)
    disabled_reason: str | None = None


class DeliveryRow(SQLModel, table=True):
    """One event for one endpoint: the outbox. Written in the transaction of its event.

    `subject` is the invoice or standing address whose events go one at a time, in order. `state`: pending,
    delivered, dead, cancelled. `claim` names its sender until `claimed_until`. `body` is None where the
    event's own bytes are sent; another system's format may make several parts of one event.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("event_seq", "endpoint_id", "part"),
        Index("delivery_due", "state", "endpoint_id", "next_at"),
        Index("delivery_order", "endpoint_id", "subject", "state", "event_seq"),
    )
    id: str = Field(primary_key=True)
    event_seq: int = Field(foreign_key="event.seq", sa_type=BigInteger)
    event_id: str = Field(index=True)
    endpoint_id: str = Field(foreign_key="endpoint.id")
    part: int = 0
    subject: str | None = None
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: str = "pending"
    attempts: int = 0
    created_at: datetime = Field(sa_type=Moment)
    next_at: datetime | None = Field(default=None, sa_type=Moment)
    claim: str | None = None
    claimed_until: datetime | None = Field(default=None, sa_type=Moment)
    delivered_at: datetime | None = Field(default=None, sa_type=Moment)


class AttemptRow(SQLModel, table=True):
    """One try to deliver, with what the shop answered (at most 4 KiB)."""

    __tablename__ = "attempt"
    id: int | None = _key()
    delivery_id: str = Field(index=True, foreign_key="delivery.id")
    number: int
    at: datetime = Field(sa_type=Moment)
    duration_ms: int
    status: int | None = None
    error: str | None = None
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)


class ConsumerRow(SQLModel, table=True):
    """A reader of events in a program that embeds us. Up to `seq` it has acknowledged everything."""

    __tablename__ = "consumer"
    name: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Moment)
    updated_at: datetime = Field(sa_type=Moment)


class ApiKeyRow(SQLModel, table=True):
    """An API key: its hash, never itself."""

    __tablename__ = "api_key"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    hash: str = Field(unique=True)
    scope: str
    created_at: datetime = Field(sa_type=Moment)
    revoked_at: datetime | None = Field(default=None, sa_type=Moment)


class SessionRow(SQLModel, table=True):
    """Somebody who signed in to the dashboard with an API key: the hash of the cookie, never itself."""

    __tablename__ = "session"
    hash: str = Field(primary_key=True)
    key_id: str = Field(foreign_key="api_key.id")
    created_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment, index=True)


class IdempotencyRow(SQLModel, table=True):
    """The answer to a POST that may be repeated, kept for 24 hours."""

    __tablename__ = "idempotency"
    key_id: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: str
    status: int
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=Moment, index=True)


def _table(row: type[SQLModel]) -> Table:
    return cast("Table", row.__table__)  # type: ignore[attr-defined]


# The same tables for Core statements, which all reading and writing uses.
CHAIN = _table(ChainRow)
BLOCK = _table(BlockRow)
KEY_INDEX = _table(KeyIndexRow)
ADDRESS = _table(AddressRow)
GAP = _table(GapRow)
ALERT = _table(AlertRow)
INVOICE = _table(InvoiceRow)
OPTION = _table(OptionRow)
DEPOSIT = _table(DepositRow)
RESOLUTION = _table(ResolutionRow)
REFUND = _table(RefundRow)
STANDING = _table(StandingRow)
LINK = _table(LinkRow)
MAIL = _table(MailRow)
AUDIT = _table(AuditRow)
EVENT = _table(EventRow)
ENDPOINT = _table(EndpointRow)
DELIVERY = _table(DeliveryRow)
ATTEMPT = _table(AttemptRow)
CONSUMER = _table(ConsumerRow)
API_KEY = _table(ApiKeyRow)
SESSION = _table(SessionRow)
IDEMPOTENCY = _table(IdempotencyRow)
