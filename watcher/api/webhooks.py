"""The receivers of webhooks: make, list, change, remove, test, rotate the secret, send again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from watcher import audit, endpoints
from watcher.api.context import Answer, Call
from watcher.api.dispatch import once
from watcher.api.openapi import Routes
from watcher.api.schema_works import Replayed, SentTest, Webhook, WebhookWithSecret
from watcher.api.values import Body, Empty, Page, PageQuery, Time, page
from watcher.receivers import EndpointDraft, EndpointPatch, Rotation, Rules, origin
from watcher.render import moment
from watcher.replay import Span, replay

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.api.context import ApiContext

routes = Routes()


class ReplayDraft(Body):
    """Deliveries made from `after` on, until before `before`; of one `state` alone, such as dead."""

    after: Time
    before: Time | None = None
    state: Literal["pending", "delivered", "dead"] | None = None


def _rules(context: ApiContext) -> Rules:
    webhooks = context.settings.webhooks
    return Rules(webhooks.allow_private, context.chains, webhooks.secrets())


async def _note(conn: AsyncConnection, call: Call, action: str, webhook: str, **detail: Any) -> None:
    """Write down who did it, in the transaction that does it. Never a secret."""
    await audit.note(conn, call.caller.name, action, webhook, call.context.clock(), **detail)


def _key(shown: dict[str, Any]) -> dict[str, Any]:
    """Return what stays on record of a new secret: the public key, if it has one."""
    return {"public_key": shown["public_key"]} if shown["public_key"] else {}


@routes.add("POST", "/v1/webhooks", body=EndpointDraft, answer=WebhookWithSecret, status=201, repeatable=True)
async def create(call: Call) -> Answer:
    """Add an endpoint. Its secret is in this answer and in that of `rotate`, and nowhere else.

    With `signature` ed25519 a key pair is made: `public_key` is for the receiver, the private key stays here.
    """
    context = call.context

    async def effect(conn: AsyncConnection) -> dict[str, Any]:
        made = await endpoints.create(conn, call.body, _rules(context), context.clock())
        told = {"url": origin(made["url"]), "events": made["events"], **_key(made)}
        await _note(conn, call, "webhook.create", made["id"], **told)
        return made

    return await once(call, 201, effect)


@routes.add("GET", "/v1/webhooks", query=PageQuery, answer=Page[Webhook])
async def listing(call: Call) -> Answer:
    """List the endpoints, but for the invoices' own."""
    async with call.context.store.read() as conn:
        shown, following = await endpoints.page(conn, call.query.cursor, call.query.limit)
    return Answer(page(shown, following))


@routes.add("GET", "/v1/webhooks/{id}", answer=Webhook)
async def one(call: Call) -> Answer:
    """Show an endpoint."""
    async with call.context.store.read() as conn:
        secrets = call.context.settings.webhooks.secrets()
        return Answer(await endpoints.get(conn, call.id, secrets))


def _changes(patch: EndpointPatch) -> dict[str, Any]:
    given = patch.model_dump(exclude_unset=True)
    return given | ({"url": origin(patch.url)} if patch.url else {})


@routes.add("PATCH", "/v1/webhooks/{id}", body=EndpointPatch, answer=Webhook, errors=(409,))
async def change(call: Call) -> Answer:
    """Change an endpoint. `state` active enables it again, and what waits is sent."""
    context = call.context
    async with context.store.write("webhook") as conn:
        content = await endpoints.patch(conn, call.id, call.body, _rules(context))
        await _note(conn, call, "webhook.change", call.id, **_changes(call.body))
    context.bus.published()
    return Answer(content)


@routes.add(
    "POST", "/v1/webhooks/{id}/test", body=Empty, answer=SentTest, status=202, errors=(409,), repeatable=True
)
async def test(call: Call) -> Answer:
    """Send a `webhook.test` to this endpoint alone."""
    context = call.context

    async def effect(conn: AsyncConnection) -> dict[str, Any]:
        sent = await endpoints.test(conn, call.id, context.clock())
        await _note(conn, call, "webhook.test", call.id, event=sent["event_id"])
        return sent

    answer = await once(call, 202, effect)
    context.bus.published()
    return answer


@routes.add(
    "POST",
    "/v1/webhooks/{id}/rotate",
    body=Rotation,
    answer=WebhookWithSecret,
    errors=(409,),
    repeatable=True,
)
async def rotate(call: Call) -> Answer:
    """Put a new secret in front of the others. Until the overlap ends, both sign."""
    context = call.context

    async def effect(conn: AsyncConnection) -> dict[str, Any]:
        rotated = await endpoints.rotate(conn, call.id, call.body, context.clock())
        told = {"overlap_seconds": call.body.overlap_seconds, **_key(rotated)}
        await _note(conn, call, "webhook.rotate", call.id, **told)
        return rotated

    return await once(call, 200, effect)


@routes.add(
    "POST",
    "/v1/webhooks/{id}/replay",
    body=ReplayDraft,
    answer=Replayed,
    status=202,
    errors=(409,),
    repeatable=True,
)
async def again(call: Call) -> Answer:
    """Send again what this endpoint was sent within a span of time: the same ids and bytes, in order."""
    context = call.context
    span = Span(**call.body.model_dump())

    async def effect(conn: AsyncConnection) -> dict[str, Any]:
        count = await replay(conn, call.id, span, context.clock())
        told = {"before": moment(span.before), "state": span.state}
        told = {"after": moment(span.after)} | {name: value for name, value in told.items() if value}
        await _note(conn, call, "webhook.replay", call.id, **told, deliveries=count)
        return {"deliveries": count}

    answer = await once(call, 202, effect)
    context.bus.published()
    return answer


@routes.add("DELETE", "/v1/webhooks/{id}", status=204, errors=(409,))
async def remove(call: Call) -> Answer:
    """Remove an endpoint. What waits for it is cancelled; what it was sent stays on record."""
    async with call.context.store.write("webhook") as conn:
        await endpoints.remove(conn, call.id)
        await _note(conn, call, "webhook.remove", call.id)
    return Answer(None, 204)
