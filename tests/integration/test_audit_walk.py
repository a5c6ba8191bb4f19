"""Whatever changes something is on record with who did it: every route that is no GET, and each start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from merchant_stages import staged
from source_tree import sources
from watcher import audit, endpoints
from watcher.api.server import ROUTES
from watcher.receivers import Configured, Rules
from watcher.tables import AUDIT

if TYPE_CHECKING:
    from api_server import Api

PAYER = "fake100000777"
URL = "https://shop.example/token-1234567890"
TO = {"address": PAYER}
LINK = {"chain": "fake", "asset": "COIN", "amount": "1"}
CHANGES = [(route.method, route.path) for route in ROUTES if route.method != "GET"]


async def _hook(api: Api) -> str:
    return str((await api.post("/v1/webhooks", {"url": URL})).json["id"])


async def _link(api: Api) -> str:
    return str((await api.post("/v1/links", LINK)).json["id"])


async def _address(api: Api) -> str:
    return str((await api.post("/v1/addresses", {"chain": "fake"})).json["id"])


async def _key(api: Api) -> str:
    return str((await api.post("/v1/keys", {"name": "old"})).json["id"])


async def _delivery(api: Api) -> str:
    await _hook(api)
    await api.invoice()
    return str((await api.get("/v1/deliveries")).json["data"][0]["id"])


async def _refund(api: Api) -> tuple[str, str]:
    short = await staged(api, "underpaid")
    asked = await api.post(f"/v1/invoices/{short['id']}/refund", {"address": PAYER})
    return short["id"], asked.json["id"]


ACTS: dict[tuple[str, str], tuple[str, Any, Any]] = {
    ("POST", "/v1/invoices"): ("invoice.create", None, {**LINK}),
    ("POST", "/v1/invoices/{id}/accept"): ("invoice.accept", "underpaid", {}),
    ("POST", "/v1/invoices/{id}/extend"): ("invoice.extend", "pending", {}),
    ("POST", "/v1/invoices/{id}/cancel"): ("invoice.cancel", "pending", {}),
    ("POST", "/v1/invoices/{id}/refund"): ("refund.request", "underpaid", TO),
    ("POST", "/v1/invoices/{id}/refunds/{refund_id}/sent"): ("refund.sent", _refund, {"txid": "ab" * 32}),
    ("POST", "/v1/invoices/{id}/refunds/{refund_id}/address"): ("refund.address", _refund, TO),
    ("POST", "/v1/invoices/{id}/refunds/{refund_id}/cancel"): ("refund.cancel", _refund, {}),
    ("POST", "/v1/links"): ("link.create", None, LINK),
    ("DELETE", "/v1/links/{id}"): ("link.remove", _link, None),
    ("POST", "/pay/{id}"): ("link.open", _link, {}),
    ("POST", "/v1/addresses"): ("address.create", None, {"chain": "fake"}),
    ("DELETE", "/v1/addresses/{id}"): ("address.remove", _address, None),
    ("POST", "/v1/webhooks"): ("webhook.create", None, {"url": URL}),
    ("PATCH", "/v1/webhooks/{id}"): ("webhook.change", _hook, {"url": f"{URL}/new"}),
    ("DELETE", "/v1/webhooks/{id}"): ("webhook.remove", _hook, None),
    ("POST", "/v1/webhooks/{id}/test"): ("webhook.test", _hook, {}),
    ("POST", "/v1/webhooks/{id}/rotate"): ("webhook.rotate", _hook, {}),
    ("POST", "/v1/webhooks/{id}/replay"): ("webhook.replay", _hook, {"after": "2026-01-01T00:00:00Z"}),
    ("POST", "/v1/deliveries/{id}/redeliver"): ("delivery.redeliver", _delivery, {}),
    ("POST", "/v1/chains/{id}/rescan"): ("chain.rescan", "fake", {"from": 0}),
    ("POST", "/v1/keys"): ("key.create", None, {"name": "new"}),
    ("DELETE", "/v1/keys/{id}"): ("key.revoke", _key, None),
}  # fmt: skip
"""For each route: the act, what it is about (by a function, a stage of an invoice, a name), the body."""


def test_every_route_that_is_no_get_is_walked() -> None:
    assert sorted(CHANGES) == sorted(ACTS)


async def _subject(api: Api, path: str, about: Any) -> str:
    if callable(about):
        found = await about(api)
        id_, refund = found if isinstance(found, tuple) else (found, "")
        return path.replace("{id}", id_).replace("{refund_id}", refund)
    if "/invoices/" in path:
        return path.replace("{id}", (await staged(api, about))["id"])
    return path.replace("{id}", about or "")


@pytest.mark.parametrize("route", CHANGES, ids=[" ".join(route) for route in CHANGES])
async def test_what_a_route_changes_is_on_record_once_with_who_did_it(
    api: Api, route: tuple[str, str]
) -> None:
    action, about, body = ACTS[route]
    path = await _subject(api, route[1], about)
    before = (await api.get("/v1/audit?limit=1")).json["data"]
    reply = await api.call(route[0], path, json=body)
    new = (await api.get(f"/v1/audit?after={before[0]['id'] if before else 0}")).json["data"]

    assert reply.status < 300, reply.body
    actor = audit.PAYER if route[1].startswith("/pay/") else "a admin"
    assert [actor] == [entry["actor"] for entry in new if entry["action"] == action], new
    assert "token-1234567890" not in json.dumps(new)


def test_commands_change_nothing_but_through_these_routes() -> None:
    commands = (source for name, source in sources().items() if name.startswith("watcher.cli."))

    assert [] == [one.name for one in commands if any(call.endswith("store.write") for call in one.calls())]


async def _start(api: Api, *configured: Configured) -> list[tuple[str, str, Any]]:
    """Start anew with these receivers, and return what is on record of it."""
    rules = Rules((), ("fake",))
    async with api.context.store.write() as conn:
        before = (await conn.execute(select(AUDIT.c.id))).all()
        await endpoints.sync(conn, configured, rules, api.clock())
        rows = (await conn.execute(select(AUDIT).order_by(AUDIT.c.id))).all()[len(before) :]
    return [(row.actor, row.action, json.loads(row.detail)) for row in rows]


async def test_what_the_configuration_changes_at_a_start_is_on_record_and_nothing_else(api: Api) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    one = Configured(url=URL, secrets=[secret])
    other = Configured(url=URL, secrets=[secret], events=["invoice.paid"])
    found = [await _start(api, *each) for each in ((one,), (one,), (other,), (), (), (other,))]

    assert [
        [("config", "webhook.create", {"url": "https://shop.example", "events": ["*"]})],
        [],
        [("config", "webhook.change", {"changed": ["events"]})],
        [("config", "webhook.remove", {})],
        [],
        [("config", "webhook.change", {"changed": ["state"]})],
    ] == found
