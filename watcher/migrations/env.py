"""Where alembic meets our tables. Run by watcher.migrate, which brings the connection."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

import watcher.tables  # noqa: F401 - imported so that the metadata knows the tables


def _plain(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write SQLModel's strings as what they are, so that old migrations do not depend on SQLModel."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=_plain,
)
with context.begin_transaction():
    context.run_migrations()
