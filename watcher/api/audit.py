"""The audit trail over HTTP: who decided what, when and why. There is no way to write or change it here."""

from __future__ import annotations

from pydantic import Field

from watcher import audit_trail
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_reports import AuditEntry
from watcher.api.values import PAGE, Limit, Page, Query, Seq, page

routes = Routes()


class AuditQuery(Query):
    """Filters: all of those given have to match, each by any of its values."""

    after: Seq | None = Field(
        default=None, description="What came after this entry, oldest first. Without it: newest first."
    )
    subject: tuple[str, ...] = Field(
        default=(), description="What it is about, such as an invoice (with its refunds), a key, a chain."
    )
    actor: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    cursor: Seq | None = Field(default=None, description="`next` of the page before.")
    limit: Limit = PAGE


@routes.add("GET", "/v1/audit", query=AuditQuery, answer=Page[AuditEntry])
async def listing(call: Call) -> Answer:
    """List decisions and administrative acts: newest first, or what came after an entry, oldest first."""
    query = call.query
    wanted = audit_trail.AuditFilter(subject=query.subject, actor=query.actor, action=query.action)
    async with call.context.store.read() as conn:
        if query.after is None:
            found = await audit_trail.newest(conn, wanted, query.cursor, query.limit)
        else:
            start = query.after if query.cursor is None else query.cursor
            found = await audit_trail.following(conn, wanted, start, query.limit)
    return Answer(page(*found))
