"""The receivers of webhooks: made and changed through the API, or kept as the configuration says.

Works inside the caller's transaction. An endpoint is never deleted, because its deliveries tell of it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from watcher import audit, signing
from watcher.errors import Refused
from watcher.ids import new_id, start
from watcher.model import Event, EventType
from watcher.outbox import own_endpoint, publish_to
from watcher.outbox_reformatted import reformat
from watcher.receivers import check_configured, check_filters, check_format, check_url, chosen_secret, origin
from watcher.render import body, moment
from watcher.secret import signature_of
from watcher.tables import DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.receivers import Configured, EndpointDraft, EndpointPatch, Rotation, Rules


async def create(conn: AsyncConnection, draft: EndpointDraft, rules: Rules, now: datetime) -> dict[str, Any]:
    """Add an endpoint and return it with its secret, which is shown this once. Refused if it cannot be.

    A private key that is made here is not shown at all: nobody else needs it.
    """
    check_url(draft.url, rules)
    check_filters(draft.events, draft.chains, rules)
    check_format(draft.format, draft.events)
    secret = chosen_secret(draft.secret, draft.signature, draft.format)
    endpoint_id = new_id("whk")
    await conn.execute(
        insert(ENDPOINT).values(
            id=endpoint_id,
            managed="api",
            state="active",
            created_at=now,
            secrets=signing.stored([secret]),
            **_columns(draft),
        )
    )
    return await _with_secret(conn, endpoint_id, draft.secret, secret)


async def add_own(conn: AsyncConnection, invoice_id: str, url: str, now: datetime) -> None:
    """Add an invoice's own `webhook_url`, which the caller has checked: it gets all events of that invoice.

    Call it before the invoice's first event is published. The secret of `[webhooks]` signs for it.
    """
    values = {"id": own_endpoint(invoice_id), "url": url, "managed": "invoice", "created_at": now}
    filters = {"events": '["*"]', "chains": "[]", "secrets": "[]", "format": "standard", "state": "active"}
    await conn.execute(insert(ENDPOINT).values(**values, **filters))


async def page(
    conn: AsyncConnection, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return endpoints in the order of their ids, but for the invoices' own, and the next page's `after`."""
    query = select(ENDPOINT).where(ENDPOINT.c.managed.in_(("config", "api")), ENDPOINT.c.state != "removed")
    query = query.where(ENDPOINT.c.id > start(after, "whk"))
    rows = (await conn.execute(query.order_by(ENDPOINT.c.id).limit(limit + 1))).all()
    return await _described(conn, rows[:limit]), rows[limit - 1].id if len(rows) > limit else None


async def get(conn: AsyncConnection, endpoint_id: str, invoice_secrets: Sequence[str] = ()) -> dict[str, Any]:
    """Return one endpoint; Refused (404) if there is none. `invoice_secrets` sign where it has none."""
    (shown,) = await _described(conn, [await _row(conn, endpoint_id)], invoice_secrets)
    return shown


async def patch(
    conn: AsyncConnection, endpoint_id: str, changes: EndpointPatch, rules: Rules
) -> dict[str, Any]:
    """Change what `changes` names. `state = "active"` and another `url` send what waits, at once and anew.

    What is under way to the earlier `url` ends there, and its answer says nothing about the new one.
    """
    row = await _ours(conn, endpoint_id)
    if changes.url is not None:
        check_url(changes.url, rules)
    check_filters(changes.events or (), changes.chains or (), rules)
    check_format(row.format, changes.events or ())
    values = {name: value for name, value in _columns(changes).items() if name in changes.model_fields_set}
    for name in ("url", "events", "chains", "state"):
        if values.get(name, "") is None:
            raise Refused("invalid", f"{name} cannot be null; leave it out to keep it", field=name)
    if values.get("state") == "disabled":
        values["disabled_reason"] = "disabled by the merchant"
    if values:
        await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(**values))
    if values.get("state") == "active" and row.state != "active":
        await _enable(conn, endpoint_id)
    elif values.get("url", row.url) != row.url:
        await _begin_again(conn, endpoint_id)
    return await get(conn, endpoint_id, rules.invoice_secrets)


async def remove(conn: AsyncConnection, endpoint_id: str) -> None:
    """Take an endpoint out of use; what waits for it is cancelled, what it was sent stays on record.

    What is under way keeps its claim, so that it is on record what came of it.
    """
    await _ours(conn, endpoint_id)
    await _set_state(conn, endpoint_id, "removed")
    waiting = (DELIVERY.c.endpoint_id == endpoint_id, DELIVERY.c.state == "pending")
    await conn.execute(update(DELIVERY).where(*waiting).values(state="cancelled", next_at=None))


async def rotate(
    conn: AsyncConnection, endpoint_id: str, rotation: Rotation, now: datetime
) -> dict[str, Any]:
    """Put a new secret in front and return the endpoint with it, as `create` does; for the overlap both sign.

    409 for an invoice's own URL, which the secret of `[webhooks]` signs for.
    """
    row = await _ours(conn, endpoint_id)
    earlier = signing.newest(row.secrets)
    if earlier is None:
        message = "an invoice's own URL signs with the secret of [webhooks]; change it in the configuration"
        raise Refused("managed_by_config", message, status=409)
    signature = rotation.signature or (None if rotation.secret else signature_of(earlier))
    secret = chosen_secret(rotation.secret, signature, row.format)
    secrets = signing.rotated(row.secrets, secret, now, timedelta(seconds=rotation.overlap_seconds))
    await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(secrets=secrets))
    return await _with_secret(conn, endpoint_id, rotation.secret, secret)


async def test(conn: AsyncConnection, endpoint_id: str, now: datetime) -> dict[str, Any]:
    """Send a `webhook.test` to this endpoint alone; return the ids of the event and of its delivery."""
    row = await _row(conn, endpoint_id)
    if row.state != "active":
        raise Refused("webhook_disabled", "this endpoint is disabled; enable it first", status=409)
    kind = EventType.WEBHOOK_TEST
    data = {"webhook": {"id": endpoint_id}}
    event = Event(id=new_id("evt"), type=kind, occurred_at=now, body=body(kind, now, data))
    return {"event_id": event.id, "delivery_id": await publish_to(conn, event, endpoint_id, now)}


async def sync(conn: AsyncConnection, configured: Sequence[Configured], rules: Rules, now: datetime) -> None:
    """Make the configuration's endpoints as it says, at every start; Refused if it cannot be.

    One that was disabled is enabled again: to start anew is how the merchant does that. One that is no longer
    there gets nothing more; what waits for it is kept in case it comes back.
    """
    check_configured(configured, rules)
    query = select(ENDPOINT).where(ENDPOINT.c.managed == "config")
    known = {row.id: row for row in await conn.execute(query)}
    wanted = {_configured_id(one.url): one for one in configured}
    for endpoint_id in known.keys() - wanted.keys():
        if known[endpoint_id].state != "removed":
            await _set_state(conn, endpoint_id, "removed")
            await audit.note(conn, audit.CONFIG, "webhook.remove", endpoint_id, now)
    for endpoint_id, one in wanted.items():
        values = {**_columns(one), "secrets": signing.stored(one.secrets)}
        if endpoint_id in known:
            await _follow(conn, known[endpoint_id], values, now)
        else:
            new = {"id": endpoint_id, "managed": "config", "state": "active", "created_at": now}
            await conn.execute(insert(ENDPOINT).values(**new, **values))
            told: dict[str, Any] = {"url": origin(one.url), "events": list(one.events)}
            await audit.note(conn, audit.CONFIG, "webhook.create", endpoint_id, now, **told)


async def _follow(conn: AsyncConnection, row: Row[Any], values: Mapping[str, Any], now: datetime) -> None:
    """Make an endpoint as the configuration says now; what it changes is on record."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    if changed:
        await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == row.id).values(**values))
    if "format" in changed:
        await reformat(conn, row.id, values["format"], frozenset(json.loads(values["events"])), now)
    if row.state != "active":
        await _enable(conn, row.id)
    if changed or row.state != "active":
        told: dict[str, Any] = {"changed": [*changed, *(["state"] if row.state != "active" else [])]}
        await audit.note(conn, audit.CONFIG, "webhook.change", row.id, now, **told)


def _configured_id(url: str) -> str:
    return f"whk_{hashlib.sha256(url.encode()).hexdigest()[:26]}"


def _columns(source: EndpointDraft | EndpointPatch | Configured) -> dict[str, Any]:
    """Return the columns that a draft, a patch or the configuration sets; lists as JSON."""
    names = ("url", "events", "chains", "format", "description", "success_body", "state")
    values = {name: getattr(source, name) for name in names if hasattr(source, name)}
    if values["events"] is not None:
        values["events"] = json.dumps(list(values["events"]) or ["*"])
    if values["chains"] is not None:
        values["chains"] = json.dumps(list(values["chains"]))
    return values


async def _row(conn: AsyncConnection, endpoint_id: str) -> Row[Any]:
    query = select(ENDPOINT).where(ENDPOINT.c.id == endpoint_id, ENDPOINT.c.state != "removed")
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise Refused("not_found", f"there is no webhook {endpoint_id}", status=404)
    return row


async def _ours(conn: AsyncConnection, endpoint_id: str) -> Row[Any]:
    """Return an endpoint that the API may change."""
    row = await _row(conn, endpoint_id)
    if row.managed == "config":
        message = "this endpoint is managed by the configuration; change it there and start again"
        raise Refused("managed_by_config", message, status=409)
    return row


async def _enable(conn: AsyncConnection, endpoint_id: str) -> None:
    """Take an endpoint into use again."""
    fresh: Mapping[str, Any] = {"state": "active", "disabled_reason": None}
    await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(**fresh))
    await _begin_again(conn, endpoint_id)


async def _begin_again(conn: AsyncConnection, endpoint_id: str) -> None:
    """Let what waits go at once, in order, as if it was new."""
    await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(failing_since=None))
    waiting = (DELIVERY.c.endpoint_id == endpoint_id, DELIVERY.c.state == "pending")
    await conn.execute(update(DELIVERY).where(*waiting).values(attempts=0, next_at=DELIVERY.c.created_at))


async def _set_state(conn: AsyncConnection, endpoint_id: str, state: str) -> None:
    await conn.execute(update(ENDPOINT).where(ENDPOINT.c.id == endpoint_id).values(state=state))


async def _with_secret(
    conn: AsyncConnection, endpoint_id: str, given: str | None, secret: str
) -> dict[str, Any]:
    """Return an endpoint with its new secret; without it, if nobody but the sender needs it."""
    shown = await get(conn, endpoint_id)
    return {**shown, "secret": None if given is None and shown["public_key"] else secret}


async def _described(
    conn: AsyncConnection, rows: Sequence[Row[Any]], invoice_secrets: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return endpoints as the API shows them, each with how much waits for it and how much was given up."""
    each = select(DELIVERY.c.endpoint_id, DELIVERY.c.state, func.count()).where(
        DELIVERY.c.state.in_(("pending", "dead")), DELIVERY.c.endpoint_id.in_([row.id for row in rows])
    )
    grouped = await conn.execute(each.group_by(DELIVERY.c.state, DELIVERY.c.endpoint_id))
    counts = {(endpoint_id, state): count for endpoint_id, state, count in grouped}
    return [
        _shown(row, invoice_secrets)
        | {f"deliveries_{state}": counts.get((row.id, state), 0) for state in ("pending", "dead")}
        for row in rows
    ]


def _shown(row: Row[Any], invoice_secrets: Sequence[str] = ()) -> dict[str, Any]:
    """Return an endpoint as the API shows it: without its secrets, but with what checks the newest one."""
    newest = signing.newest(row.secrets) or next(iter(invoice_secrets), None)
    return {
        "id": row.id,
        "url": row.url,
        "events": json.loads(row.events),
        "chains": json.loads(row.chains),
        "format": row.format,
        **signing.shown(newest),
        "description": row.description,
        "success_body": row.success_body,
        "managed": row.managed,
        "state": row.state,
        "disabled_reason": row.disabled_reason,
        "created_at": moment(row.created_at),
    }
