"""Payment links over HTTP, for their merchant: create, list, show, remove."""

from __future__ import annotations

from pydantic import Field

from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_links import Link
from watcher.api.values import Flag, Page, PageQuery, page
from watcher.drafts_link import LinkDraft

routes = Routes()


class LinkQuery(PageQuery):
    """Those that are there, or those that were removed."""

    removed: Flag = Field(default=False, description="Those that were removed, in place of the others.")


@routes.add("POST", "/v1/links", body=LinkDraft, answer=Link, status=201, errors=(409, 503), repeatable=True)
async def create(call: Call) -> Answer:
    """Make a payment link. Each opening of it makes an invoice with the template's terms."""
    links = call.context.payment_links
    return Answer(await links.create(call.body, call.caller.name, call.idempotency), 201)


@routes.add("GET", "/v1/links", query=LinkQuery, answer=Page[Link])
async def listing(call: Call) -> Answer:
    """List payment links with what became of their invoices, newest first."""
    query = call.query
    shown, following = await call.context.payment_links.listing(
        query.cursor, query.limit, removed=query.removed
    )
    return Answer(page(shown, following))


@routes.add("GET", "/v1/links/{id}", answer=Link)
async def one(call: Call) -> Answer:
    """Show a payment link with what became of its invoices, also after it was removed."""
    return Answer(await call.context.payment_links.show(call.id))


@routes.add("DELETE", "/v1/links/{id}", status=204)
async def remove(call: Call) -> Answer:
    """Remove a payment link: it can be opened no more. Its invoices stay as they are."""
    await call.context.payment_links.remove(call.id, call.caller.name)
    return Answer(None, 204)
