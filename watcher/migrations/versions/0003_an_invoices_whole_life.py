"""Refunds, standing addresses, payment links, mails, the audit trail, and what an invoice says about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import watcher.tables

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = watcher.tables.Moment()
_AMOUNT = watcher.tables.Amount(78)
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END"
_TAKEN = "NEW.id IN (SELECT id FROM audit)"
_ONLY_EVER_ADDED_TO = (
    f"CREATE TRIGGER audit_kept BEFORE UPDATE ON audit {_REFUSE}",
    f"CREATE TRIGGER audit_stays BEFORE DELETE ON audit {_REFUSE}",
    # INSERT OR REPLACE deletes too, and asks no trigger about it
    f"CREATE TRIGGER audit_grows BEFORE INSERT ON audit WHEN {_TAKEN} {_REFUSE}",
)


def upgrade() -> None:
    """Bring the database to this revision."""
    _standing()
    _links()
    _refunds()
    _mails()
    _audit()
    _invoices()
    op.execute("ALTER TABLE event ADD COLUMN standing_id VARCHAR REFERENCES standing (id)")
    op.create_index("ix_event_standing_id", "event", ["standing_id"])
    op.execute("ALTER TABLE delivery RENAME COLUMN invoice_id TO subject")
    op.add_column("deposit", sa.Column("told", sa.String(), nullable=True))
    op.drop_index("deposit_address", "deposit")
    op.create_index("deposit_address", "deposit", ["chain", "address", "settled"])


def _standing() -> None:
    op.create_table(
        "standing",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("confirmations", sa.String(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("from_hash", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("archived_at", _MOMENT, nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_standing_address", "standing", ["address"])
    op.create_index("ix_standing_label", "standing", ["label"])
    op.create_index("standing_list", "standing", ["created_at", "id"])
    op.execute("ALTER TABLE address ADD COLUMN standing_id VARCHAR REFERENCES standing (id)")
    op.add_column("address", sa.Column("refund", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.create_index("ix_address_standing_id", "address", ["standing_id"])
    op.create_index("address_row", "address", ["chain", "id"])


def _links() -> None:
    op.create_table(
        "link",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("valid_until", _MOMENT, nullable=True),
        sa.Column("removed_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("link_list", "link", ["created_at", "id"])


def _refunds() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("arrives", _AMOUNT, nullable=False),
        sa.Column("confirmations", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("settles", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("txid", sa.String(), nullable=True),
        sa.Column("sent_at", _MOMENT, nullable=True),
        sa.Column("confirmed_at", _MOMENT, nullable=True),
        sa.Column("cancelled_at", _MOMENT, nullable=True),
        sa.Column("unsigned", sa.Text(), nullable=True),
        sa.CheckConstraint("length(amount) = 78", name="amount_width"),
        sa.CheckConstraint("length(arrives) = 78", name="arrives_width"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_refund_invoice_id", "refund", ["invoice_id"])
    op.create_index("refund_address", "refund", ["chain", "address"])
    op.create_index("refund_open", "refund", ["chain", "state"])


def _mails() -> None:
    op.create_table(
        "mail",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("deadline", _MOMENT, nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", _MOMENT, nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("sent_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("invoice_id", "deadline"),
    )
    op.create_index("mail_due", "mail", ["state", "next_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_subject", "audit", ["subject", "id"])
    for trigger in _ONLY_EVER_ADDED_TO:
        op.execute(trigger)


def _invoices() -> None:
    op.add_column("invoice", sa.Column("policy", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("invoice", sa.Column("language", sa.String(), nullable=False, server_default="en"))
    op.execute("ALTER TABLE invoice ADD COLUMN link_id VARCHAR REFERENCES link (id)")
    op.create_index("ix_invoice_link_id", "invoice", ["link_id"])
    op.add_column("invoice", sa.Column("reminded_for", _MOMENT, nullable=True))
    op.add_column("invoice", sa.Column("first_at", _MOMENT, nullable=True))
    op.add_column("invoice", sa.Column("full_at", _MOMENT, nullable=True))
    op.add_column("option", sa.Column("refund_address", sa.String(), nullable=True))
