"""Blocks that nobody could read, alerts, cross-checks, strays and the risk of an unconfirmed payment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import watcher.tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the database to this revision."""
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", watcher.tables.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("chain", "kind", "subject"),
    )
    op.add_column("chain", sa.Column("cross_checked", sa.BigInteger(), nullable=True))
    op.add_column("chain", sa.Column("cross_checked_hash", sa.String(), nullable=True))
    op.add_column("address", sa.Column("from_height", sa.BigInteger(), nullable=True))
    op.add_column("address", sa.Column("stray", sa.Boolean(), nullable=False, server_default=sa.text("0")))
    op.add_column("option", sa.Column("from_hash", sa.String(), nullable=True))
    op.add_column("gap", sa.Column("detail", sa.Text(), nullable=True))
    op.add_column("deposit", sa.Column("risk", sa.String(), nullable=True))
    op.execute(
        "UPDATE address SET from_height = (SELECT max(option.from_height) FROM option"
        " WHERE option.invoice_id = address.invoice_id AND option.chain = address.chain"
        " AND option.address = address.address)"
    )
