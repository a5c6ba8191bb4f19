"""Invoices over HTTP: create, list, show, explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from chains.base import AddressError
from watcher import audit_trail, explain, facts, listing, render, told, told_mails, troubles
from watcher.api.context import Answer, Call
from watcher.api.openapi import Routes
from watcher.api.schema import Invoice
from watcher.api.schema_explain import Explanation
from watcher.api.values import Flag, Page, PageQuery, Time, page
from watcher.drafts import InvoiceDraft
from watcher.errors import Refused
from watcher.listing_search import Search
from watcher.model import Exceptional, Status  # noqa: TC001 - pydantic reads them

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.api.context import ApiContext
    from watcher.facts import Record
    from watcher.model import View

routes = Routes()

_MOST = 1000
"""Events, deliveries and entries of the audit trail that an explanation lists, at most: the newest."""


Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]
"""Free text. For SQLite a pattern would end at a NUL, and so match all."""


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
    q: Words | None = Field(
        default=None,
        description="Free text: the id of an invoice, payment or refund, an address, a transaction, or words"
        " that an order_id or a description holds, in capitals or not.",
    )


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
    found = await find(call)
    shown = [render.invoice(record, found.views, call.context.links) for record in found.records]
    return Answer(page(shown, found.following))


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what a list looked for. `following` is the cursor of the next, None on the last."""

    records: Sequence[Record]
    views: Mapping[str, View]
    following: str | None


async def find(call: Call) -> Found:
    """Return the invoices that a query asks for, newest first."""
    query = call.query
    async with call.context.store.read() as conn:
        ids, following = await listing.invoices(conn, _filter(call), query.cursor, query.limit)
        views = await facts.views(conn)
        records = await facts.load(conn, ids)
    return Found([records[id_] for id_ in ids], views, following)


def _filter(call: Call) -> listing.InvoiceFilter:
    query = call.query
    search = Search(query.q, _spellings(call.context, [query.q])) if query.q else None
    wanted = query.model_dump(exclude={"cursor", "limit", "address", "txid", "order_id", "q"})
    return listing.InvoiceFilter(
        **wanted,
        address=_spellings(call.context, query.address),
        txid={spelling for txid in query.txid for spelling in (txid, txid.lower())},
        search=search,
        order_id={*query.order_id, *filter(None, call.request.query.getall("order_id", []))},  # commas, too
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
