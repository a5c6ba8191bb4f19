"""What payers may call without a key: what a payment link offers, opening it, and the invoice that it made.

Whoever knows an identifier may see what a payer may see, and nothing else.
"""

from __future__ import annotations

from watcher import facts, render, render_payer
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema_links import Offer, PayersInvoice
from watcher.drafts_link import OpeningDraft
from watcher.errors import Refused

routes = Routes()


@routes.add("GET", "/pay/{id}", answer=Offer)
async def offer(call: Call) -> Answer:
    """Show what a payment link offers, and whether it can be opened now. Makes nothing."""
    return Answer(await call.context.payment_links.offer(call.id))


@routes.add(
    "POST",
    "/pay/{id}",
    body=OpeningDraft,
    answer=PayersInvoice,
    status=201,
    errors=(409, 429, 503),
    repeatable=True,
)
async def opening(call: Call) -> Answer:
    """Open a payment link: makes an invoice, whose addresses are watched before this answers."""
    return Answer(await call.context.payment_links.open(call.id, call.body, call.idempotency), 201)


@routes.add("GET", "/i/{id}", answer=PayersInvoice)
async def invoice(call: Call) -> Answer:
    """Show an invoice as its payer may see it."""
    async with call.context.store.read() as conn:
        record = (await facts.load(conn, [call.id])).get(call.id)
        if record is None:
            raise Refused("not_found", f"there is no invoice {call.id}", status=404)
        views = await facts.views(conn)
    return Answer(render_payer.invoice(render.invoice(record, views, call.context.links)))
