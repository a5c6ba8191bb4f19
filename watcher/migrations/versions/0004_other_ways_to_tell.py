"""Bodies of other systems' formats, several to one event where theirs has several, and embedded readers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import watcher.tables

revision = "0004"
down_revision = "0003"

_MOMENT = watcher.tables.Moment()
_UNNAMED = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}
"""The first schema gave its rule no name: here it gets one, to be dropped by."""


def upgrade() -> None:
    """Bring the database to this revision."""
    with op.batch_alter_table("delivery", recreate="always", naming_convention=_UNNAMED) as table:
        table.drop_constraint("uq_delivery_event_seq_endpoint_id", type_="unique")
        table.add_column(sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("body", sa.LargeBinary(), nullable=True))
        table.create_unique_constraint("delivery_once", ["event_seq", "endpoint_id", "part"])
        table.drop_index("delivery_order")
        table.create_index("delivery_order", ["endpoint_id", "subject", "state", "event_seq"])
    op.create_table(
        "consumer",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
