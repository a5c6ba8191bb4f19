"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import watcher.tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Bring the database to this revision."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.Column("revoked_at", watcher.tables.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "block",
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("time", watcher.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "height"),
    )
    op.create_table(
        "chain",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("chain_id", sa.String(), nullable=False),
        sa.Column("genesis", sa.String(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("time", watcher.tables.Moment(), nullable=False),
        sa.Column("as_of", watcher.tables.Moment(), nullable=False),
        sa.Column("safe", sa.BigInteger(), nullable=True),
        sa.Column("finalized", sa.BigInteger(), nullable=True),
        sa.Column("stalled_since", watcher.tables.Moment(), nullable=True),
        sa.Column("stalled_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "deposit",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("txid", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("amount", watcher.tables.Amount(length=78), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("block_height", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(), nullable=True),
        sa.Column("block_parent", sa.String(), nullable=True),
        sa.Column("block_time", watcher.tables.Moment(), nullable=True),
        sa.Column("spends", sa.Text(), nullable=False),
        sa.Column("maturity", sa.Integer(), nullable=False),
        sa.Column("arrived_at", watcher.tables.Moment(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("length(amount) = 78", name="amount_width"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("chain", "txid", "slot"),
    )
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.create_index("deposit_address", ["chain", "address"], unique=False)
        batch_op.create_index("deposit_height", ["chain", "block_height"], unique=False)
        batch_op.create_index("deposit_open", ["chain", "settled"], unique=False)
        batch_op.create_index("deposit_txid", ["txid"], unique=False)

    op.create_table(
        "endpoint",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("chains", sa.Text(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("success_body", sa.String(), nullable=True),
        sa.Column("managed", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.Column("failing_since", watcher.tables.Moment(), nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("endpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_endpoint_managed"), ["managed"], unique=False)

    op.create_table(
        "gap",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("gap", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gap_chain"), ["chain"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "path", "key"),
    )
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_created_at"), ["created_at"], unique=False)

    op.create_table(
        "invoice",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.Column("expires_at", watcher.tables.Moment(), nullable=False),
        sa.Column("monitor_until", watcher.tables.Moment(), nullable=False),
        sa.Column("fee_payer", sa.String(), nullable=False),
        sa.Column("late", sa.String(), nullable=False),
        sa.Column("reminder_before", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("customer_email", sa.String(), nullable=True),
        sa.Column("webhook_url", sa.String(), nullable=True),
        sa.Column("return_url", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("exceptions", sa.String(), nullable=False),
        sa.Column("needs_action", sa.Boolean(), nullable=False),
        sa.Column("reverted", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("due_at", watcher.tables.Moment(), nullable=True),
        sa.Column("paid_at", watcher.tables.Moment(), nullable=True),
        sa.Column("closed_at", watcher.tables.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.create_index("invoice_due", ["due_at"], unique=False)
        batch_op.create_index("invoice_list", ["created_at", "id"], unique=False)
        batch_op.create_index("invoice_status", ["status", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_invoice_needs_action"), ["needs_action"], unique=False)
        batch_op.create_index(batch_op.f("ix_invoice_order_id"), ["order_id"], unique=False)

    op.create_table(
        "key_index",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("script", sa.LargeBinary(), nullable=False),
        sa.Column("key_index", sa.BigInteger(), nullable=True),
        sa.Column("invoice_id", sa.String(), nullable=True),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("chain", "address"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("chain", sa.String(), nullable=True),
        sa.Column("occurred_at", watcher.tables.Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "option",
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("amount", watcher.tables.Amount(length=78), nullable=False),
        sa.Column("expected", watcher.tables.Amount(length=78), nullable=False),
        sa.Column("minimum", watcher.tables.Amount(length=78), nullable=False),
        sa.Column("confirmations", sa.String(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("fee_percent", sa.String(), nullable=False),
        sa.Column("fee_fixed", watcher.tables.Amount(length=78), nullable=False),
        sa.Column("dust", watcher.tables.Amount(length=78), nullable=False),
        sa.CheckConstraint("length(amount) = 78", name="amount_width"),
        sa.CheckConstraint("length(expected) = 78", name="expected_width"),
        sa.CheckConstraint("length(minimum) = 78", name="minimum_width"),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("invoice_id", "position"),
    )
    with op.batch_alter_table("option", schema=None) as batch_op:
        batch_op.create_index("option_address", ["chain", "address"], unique=False)

    op.create_table(
        "resolution",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", watcher.tables.Moment(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("until", watcher.tables.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("resolution", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resolution_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", watcher.tables.Moment(), nullable=False),
        sa.Column("next_at", watcher.tables.Moment(), nullable=True),
        sa.Column("claim", sa.String(), nullable=True),
        sa.Column("claimed_until", watcher.tables.Moment(), nullable=True),
        sa.Column("delivered_at", watcher.tables.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoint.id"],
        ),
        sa.ForeignKeyConstraint(
            ["event_seq"],
            ["event.seq"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_seq", "endpoint_id"),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("delivery_due", ["state", "endpoint_id", "next_at"], unique=False)
        batch_op.create_index("delivery_order", ["endpoint_id", "invoice_id", "event_seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_event_id"), ["event_id"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", watcher.tables.Moment(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_delivery_id"), ["delivery_id"], unique=False)
