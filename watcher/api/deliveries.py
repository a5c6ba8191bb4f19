"""What was sent to the endpoints, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from watcher import audit, told
from watcher import deliveries as sending
from watcher.api.context import Answer, Call
from watcher.api.dispatch import once
from watcher.api.openapi import Routes
from watcher.api.schema import Delivery, DeliveryWithBody
from watcher.api.values import Empty, Page, PageQuery, page

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

routes = Routes()

DeliveryState = Literal["pending", "delivered", "dead", "cancelled"]


class DeliveryQuery(PageQuery):
    """Filters: all of those given have to match, each by any of its values."""

    event_id: tuple[str, ...] = ()
    webhook_id: tuple[str, ...] = ()
    invoice_id: tuple[str, ...] = ()
    address_id: tuple[str, ...] = ()
    state: tuple[DeliveryState, ...] = ()


@routes.add("GET", "/v1/deliveries", query=DeliveryQuery, answer=Page[Delivery])
async def listing(call: Call) -> Answer:
    """List deliveries with every attempt, newest first. Of each answer the beginning is shown."""
    query = call.query
    wanted = told.DeliveryFilter(**query.model_dump(exclude={"cursor", "limit"}))
    async with call.context.store.read() as conn:
        shown, following = await told.deliveries(conn, wanted, query.cursor, query.limit)
    return Answer(page(shown, following))


@routes.add("GET", "/v1/deliveries/{id}", answer=DeliveryWithBody)
async def one(call: Call) -> Answer:
    """Show a delivery with what is posted, every attempt, and all that is kept of the answers."""
    async with call.context.store.read() as conn:
        return Answer(await told.delivery(conn, call.id))


@routes.add(
    "POST",
    "/v1/deliveries/{id}/redeliver",
    body=Empty,
    answer=Delivery,
    status=202,
    errors=(409,),
    repeatable=True,
)
async def redeliver(call: Call) -> Answer:
    """Send a delivery again, at once: the same id and the same bytes."""
    context = call.context

    async def effect(conn: AsyncConnection) -> dict[str, Any]:
        now = context.clock()
        await sending.redeliver(conn, call.id, now)
        await audit.note(conn, call.caller.name, "delivery.redeliver", call.id, now)
        (shown,), _ = await told.deliveries(conn, told.DeliveryFilter(id={call.id}), None, 1)
        return shown

    answer = await once(call, 202, effect)
    context.bus.published()
    return answer
