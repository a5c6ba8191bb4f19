"""The audit trail: every decision and administrative act, who took it and why. Rows are only ever added.

Written in the transaction of what it is about, so that neither stands without the other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from watcher.tables import AUDIT

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

CHAIN, POLICY, PAYER, CONFIG, LOCAL = "chain", "policy", "payer", "config", "local"
SYSTEM = "system"
ACTORS = frozenset({CHAIN, POLICY, PAYER, CONFIG, LOCAL, SYSTEM})
"""Actors beside the names of API keys, which are none of these.

The facts, a policy, who opens a link, the configuration as a start finds it, the operator, and
the daemon itself, which gives endpoints up.
"""


async def note(  # noqa: PLR0913 - an entry is all of this
    conn: AsyncConnection,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    *,
    reason: str | None = None,
    **detail: Any,
) -> None:
    """Add an entry. `action` is noun.verb ("invoice.accept"); `subject` is the id of what it is about."""
    row = {"at": now, "actor": actor, "action": action, "subject": subject, "reason": reason}
    text = json.dumps(detail, ensure_ascii=False, separators=(",", ":"), default=str)
    await conn.execute(insert(AUDIT), {**row, "detail": text})
