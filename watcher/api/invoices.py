"""Invoices over HTTP: create, list, show, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from chains.base import AddressError
from watcher import audit_trail, explain, facts, listing, render, told, told_mails, troubles
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Invoice
from watcher.api.schema_explain import Explanation
from watcher.api.values import Flag, Page, PageQuery, Time, page
from watcher.drafts import InvoiceDraft
from watcher.errors import Refused
from watcher.model import Exceptional, Status  # noqa: TC001 - pydantic reads them

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.api.context import ApiContext
    from watcher.facts import Record

routes = Routes()

_MOST = 1000
"""Events, deliveries and entries of the audit trail that an explanation lists, at most: the newest."""


class InvoiceQuery(PageQuery):
    """Filters: all of those given have to match, each by any of its values."""

    status: tuple[Status, ...] = ()
    chain: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    order_id: tuple[str, ...] = ()
    link_id: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    txid: tuple[str, ...] = ()
    exception: tuple[Exceptional, ...] = ()
    needs_action: Flag | None = None
    created_after: Time | None = Field(default=None, description="Made at this moment or later.")
    created_before: Time | None = Field(default=None, description="Made before this moment.")


@routes.add(
    "POST",
    "/v1/invoices",
    body=InvoiceDraft,
    answer=Invoice,
    status=201,
    errors=(409, 503),
    repeatable=True,
)
async def create(call: Call) -> Answer:
    """Create an invoice. Its addresses are watched before this answers."""
    made = await call.context.actions.create(call.body, call.idempotency, by=call.caller.name)
    return Answer(made, 201)


@routes.add("GET", "/v1/invoices", query=InvoiceQuery, answer=Page[Invoice])
async def listed(call: Call) -> Answer:
    """List invoices, newest first."""
    context, query = call.context, call.query
    async with context.store.read() as conn:
        ids, following = await listing.invoices(conn, _filter(call), query.cursor, query.limit)
        views = await facts.views(conn)
        records = await facts.load(conn, ids)
    shown = [render.invoice(records[id_], views, context.links) for id_ in ids]
    return Answer(page(shown, following))


def _filter(call: Call) -> listing.InvoiceFilter:
    query = call.query
    wanted = query.model_dump(exclude={"cursor", "limit", "address", "txid", "order_id"})
    return listing.InvoiceFilter(
        **wanted,
        address=_spellings(call.context, query.address),
        txid={spelling for txid in query.txid for spelling in (txid, txid.lower())},
        order_id={*query.order_id, *call.request.query.getall("order_id", [])},  # one may hold a comma
    )


def _spellings(context: ApiContext, addresses: Iterable[str]) -> set[str]:
    """Return the addresses as each chain that knows them writes them."""
    found = set(addresses)
    for address in addresses:
        for adapter in context.chains.values():
            try:
                found.add(adapter.canonical(address))
            except AddressError:
                continue  # another chain's
    return found


@routes.add("GET", "/v1/invoices/{id}", answer=Invoice)
async def one(call: Call) -> Answer:
    """Show an invoice with all its payments."""
    async with call.context.store.read() as conn:
        record = await _record(conn, call.id)
        views = await facts.views(conn)
    return Answer(render.invoice(record, views, call.context.links))


async def _record(conn: AsyncConnection, id_: str) -> Record:
    record = (await facts.load(conn, [id_])).get(id_)
    if record is None:
        raise Refused("not_found", f"there is no invoice {id_}", status=404)
    return record


@routes.add("GET", "/v1/invoices/{id}/explain", answer=Explanation)
async def explained(call: Call) -> Answer:
    """Tell why an invoice has its status: each payment and its rule, each decision, each delivery attempt."""
    async with call.context.store.read() as conn:
        record = await _record(conn, call.id)
        views = await facts.views(conn)
        events = await told.events_of(conn, call.id, _MOST)
        wanted = told.DeliveryFilter(invoice_id={call.id})
        deliveries, _ = await told.deliveries(conn, wanted, None, _MOST)
        unread = await troubles.unread_for(conn, call.id)
        audit = await audit_trail.of(conn, call.id, _MOST)
        mails = await told_mails.mails_of(conn, call.id)
    content = explain.explanation(record, views, call.context.links)
    found = {"audit": audit, "unread_blocks": unread, "events": events, "deliveries": deliveries}
    return Answer({**content, **found, "mails": mails})
