"""What was told to payers: the mails about an invoice, as `explain` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from watcher.render import moment
from watcher.tables import MAIL

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def mails_of(conn: AsyncConnection, invoice_id: str) -> list[dict[str, Any]]:
    """Return an invoice's mails, oldest first."""
    query = select(MAIL).where(MAIL.c.invoice_id == invoice_id).order_by(MAIL.c.created_at, MAIL.c.id)
    return [_mail(row) for row in await conn.execute(query)]


def _mail(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "recipient": row.recipient,
        "deadline": moment(row.deadline),
        "state": row.state,
        "attempts": row.attempts,
        "error": row.error,
        "next_at": moment(row.next_at),
        "created_at": moment(row.created_at),
        "sent_at": moment(row.sent_at),
    }
