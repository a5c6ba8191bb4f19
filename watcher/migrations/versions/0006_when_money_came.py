"""When money came, to add up that of a period."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the database to this revision."""
    op.create_index("deposit_time", "deposit", ["block_time", "arrived_at"])
