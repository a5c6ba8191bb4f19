"""Those who are signed in to the dashboard, and the order of its list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import watcher.tables

revision = "0005"
down_revision = "0004"

_MOMENT = watcher.tables.Moment()


def upgrade() -> None:
    """Bring the database to this revision."""
    op.create_table(
        "session",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_session_seen_at", "session", ["seen_at"])
    op.create_index("invoice_waits", "invoice", ["needs_action", "created_at", "id"])
    op.drop_index("ix_invoice_needs_action", "invoice")
