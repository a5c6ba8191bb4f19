"""Endpoints, deliveries, chains and probes over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update

from watcher.api.schema import Delivery
from watcher.api.schema_works import Chain, Readiness, Webhook, WebhookWithSecret
from watcher.apikeys import Scope
from watcher.render import moment
from watcher.tables import ATTEMPT, DELIVERY, ENDPOINT, GAP

if TYPE_CHECKING:
    from api_server import Api

URL = "https://shop.example/hooks"


async def hook(api: Api, **fields: Any) -> dict[str, Any]:
    reply = await api.post("/v1/webhooks", {"url": URL, **fields})
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def delivery(api: Api) -> dict[str, Any]:
    """Return the one delivery that there is."""
    (found,) = (await api.get("/v1/deliveries")).json["data"]
    return dict(found)


async def finish(api: Api, state: str) -> None:
    async with api.context.store.write() as conn:
        await conn.execute(update(DELIVERY).values(state=state, attempts=1, delivered_at=api.clock()))


async def test_an_endpoint_is_made_shown_listed_changed_and_removed(api: Api) -> None:
    made = await hook(api, events=["invoice.paid"], description="till")
    WebhookWithSecret.model_validate(made, extra="forbid")
    path = f"/v1/webhooks/{made['id']}"

    shown = await api.get(path)
    listed = await api.get("/v1/webhooks")
    changed = await api.call("PATCH", path, json={"events": ["*"]})
    removed = await api.call("DELETE", path)
    gone = await api.get(path)

    Webhook.model_validate(shown.json, extra="forbid")
    assert made == {**shown.json, "secret": made["secret"]}
    assert ([shown.json], None) == (listed.json["data"], listed.json["next"])
    assert (200, ["*"]) == (changed.status, changed.json["events"])
    assert (204, b"", 404) == (removed.status, removed.body, gone.status)


async def test_the_secret_is_shown_when_it_is_made_and_nowhere_else(api: Api) -> None:
    made = await hook(api)
    path = f"/v1/webhooks/{made['id']}"
    rotated = (await api.post(f"{path}/rotate", {"overlap_seconds": 60})).json

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    for answer in (await api.get(path), await api.get("/v1/webhooks")):
        assert b"whsec_" not in answer.body


async def test_h137_a_private_key_is_in_no_answer_and_its_public_key_is_on_record(api: Api) -> None:
    made = await hook(api, signature="ed25519")
    path = f"/v1/webhooks/{made['id']}"
    rotated = (await api.post(f"{path}/rotate")).json
    WebhookWithSecret.model_validate(rotated, extra="forbid")

    answers = [await api.get(path), await api.get("/v1/webhooks"), await api.get("/v1/audit", Scope.ADMIN)]
    assert [None, None] == [made["secret"], rotated["secret"]]
    assert made["public_key"] != rotated["public_key"] == answers[0].json["public_key"]
    assert {rotated["public_key"], made["public_key"]} == {
        entry["detail"]["public_key"] for entry in answers[2].json["data"]
    }
    for answer in answers:
        assert b"whsk_" not in answer.body


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"signature": "rsa"}, "signature"),
        ({"signature": "ed25519", "secret": "whsec_" + "QUFB" * 8}, "signature"),
        ({"url": "http://127.0.0.1/hooks"}, "url"),
        ({"url": "ftp://shop.example"}, "url"),
        ({"events": ["invoice.payed"]}, "events"),
        ({"chains": ["nowhere"]}, "chains"),
        ({"secret": "short"}, "secret"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_an_endpoint_that_cannot_work_is_refused(api: Api, change: dict[str, Any], field: str) -> None:
    reply = await api.post("/v1/webhooks", {"url": URL, **change})

    assert (422, field) == (reply.status, reply.json["error"]["field"])


async def test_an_endpoint_of_the_configuration_is_changed_there_only(api: Api) -> None:
    made = await hook(api)
    async with api.context.store.write() as conn:
        await conn.execute(update(ENDPOINT).values(managed="config"))

    changed = await api.call("PATCH", f"/v1/webhooks/{made['id']}", json={"events": ["*"]})
    removed = await api.call("DELETE", f"/v1/webhooks/{made['id']}")

    assert {(409, "managed_by_config")} == {(r.status, r.json["error"]["code"]) for r in (changed, removed)}


async def test_the_same_idempotency_key_makes_one_endpoint(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}

    first = await api.post("/v1/webhooks", {"url": URL}, headers=headers)
    second = await api.post("/v1/webhooks", {"url": URL}, headers=headers)
    other = await api.post("/v1/webhooks", {"url": URL, "events": ["*"]}, headers=headers)

    assert (first.status, first.body) == (second.status, second.body)
    assert ("true", 409) == (second.headers["Idempotent-Replay"], other.status)
    assert 1 == len((await api.get("/v1/webhooks")).json["data"])


async def test_a_test_makes_one_delivery_of_its_own(api: Api) -> None:
    made = await hook(api, events=["invoice.paid"])

    sent = (await api.post(f"/v1/webhooks/{made['id']}/test")).json

    found = await delivery(api)
    assert ("webhook.test", sent["delivery_id"]) == (found["event_type"], found["id"])


async def test_deliveries_are_listed_with_their_attempts_and_filters(api: Api) -> None:
    made = await hook(api)
    invoice = await api.invoice()
    found = await delivery(api)
    attempt = {"number": 1, "at": api.clock(), "duration_ms": 12, "status": 500, "error": "HTTP 500"}
    async with api.context.store.write() as conn:
        await conn.execute(insert(ATTEMPT).values(delivery_id=found["id"], **attempt))
    queries = (
        f"event_id={found['event_id']}",
        f"webhook_id={made['id']}",
        f"invoice_id={invoice['id']}",
        "state=pending,dead",
    )

    for query in queries:
        (item,) = (await api.get(f"/v1/deliveries?{query}")).json["data"]
        Delivery.model_validate(item, extra="forbid")
        assert [{**attempt, "at": moment(api.clock()), "answer": None}] == item["history"]
    for query in ("event_id=evt_x", "webhook_id=whk_x", "state=dead"):
        assert [] == (await api.get(f"/v1/deliveries?{query}")).json["data"]


async def test_pages_of_deliveries_follow_each_other(api: Api) -> None:
    await hook(api)
    for _ in range(3):
        await api.invoice()
    first = (await api.get("/v1/deliveries?limit=2")).json
    second = (await api.get(f"/v1/deliveries?limit=2&cursor={first['next']}")).json

    found = [item["id"] for page in (first, second) for item in page["data"]]
    assert (3, found, None) == (len(set(found)), sorted(found, reverse=True), second["next"])


async def test_a_delivery_is_sent_again_with_the_same_event(api: Api) -> None:
    await hook(api)
    await api.invoice()
    before = await delivery(api)
    await finish(api, "dead")

    reply = await api.post(f"/v1/deliveries/{before['id']}/redeliver")

    assert (202, "pending", before["event_id"]) == (reply.status, reply.json["state"], reply.json["event_id"])
    assert 404 == (await api.post("/v1/deliveries/dlv_none/redeliver")).status


async def test_replay_sends_again_what_was_sent_since_a_moment(api: Api) -> None:
    made = await hook(api)
    await api.invoice()
    await api.invoice()
    await finish(api, "delivered")
    since = {"after": moment(api.clock())}

    reply = await api.post(f"/v1/webhooks/{made['id']}/replay", since)

    states = [item["state"] for item in (await api.get("/v1/deliveries")).json["data"]]
    assert (202, 1) == (reply.status, reply.json["deliveries"])
    assert ["pending", "delivered"] == states


# --- chains and probes


async def test_a_chain_is_shown_as_the_contract_says(api: Api) -> None:
    (item,) = (await api.get("/v1/chains")).json["data"]

    shown = Chain.model_validate(item, extra="forbid")
    head = api.chain.head
    assert ("fake", "fake", "live", 0) == (shown.name, shown.kind, shown.state, shown.lag_blocks)
    assert {"height": head.height, "hash": head.hash, "time": moment(head.time)} == item["head"]
    assert {"height": head.height, "hash": head.hash} == item["scanned"]
    assert ["COIN", "TOKEN"] == [asset.symbol for asset in shown.assets]


async def test_readyz_says_why_it_is_not_ready(api: Api) -> None:
    ready = await api.get("/readyz", None)
    api.adapter.faults.fail("tip", times=None)
    await api.scanner.turn()
    api.clock.advance(timedelta(days=1).total_seconds())
    await api.scanner.turn()
    failing = await api.get("/readyz", None)

    assert (200, {"ready": True, "reasons": []}) == (ready.status, ready.json)
    told = Readiness.model_validate(failing.json)
    assert (503, False, "fake") == (failing.status, told.ready, told.reasons[0].chain)
    assert "not_ready" == failing.json["error"]["code"]


async def test_probes_need_no_key(api: Api) -> None:
    health, metrics, openapi = [await api.get(p, None) for p in ("/healthz", "/metrics", "/openapi.json")]

    assert {"status": "ok", "version": "0.0.0"} == health.json
    assert (200, True) == (metrics.status, b"watcher_deliveries_pending" in metrics.body)
    assert "3.1.0" == openapi.json["openapi"]


async def test_a_rescan_makes_the_chain_read_blocks_again(api: Api) -> None:
    api.chain.mine(5)
    await api.scan()

    reply = await api.post("/v1/chains/fake/rescan", {"from": 2, "to": 4})
    open_ended = await api.post("/v1/chains/fake/rescan", {"from": 1})

    async with api.context.store.read() as conn:
        gaps = [tuple(row) for row in await conn.execute(select(GAP.c.first, GAP.c.last, GAP.c.after))]
    assert (202, {"chain": "fake", "from": 2, "to": 4}) == (reply.status, reply.json)
    assert (202, 5) == (open_ended.status, open_ended.json["to"])
    assert [(2, 4, 0), (1, 5, 0)] == gaps


@pytest.mark.parametrize(
    ("chain", "body", "status"),
    [
        ("nowhere", {"from": 1}, 404),
        ("fake", {"from": 4, "to": 2}, 422),
        ("fake", {"from": "1"}, 422),
        ("fake", {"from": -1}, 422),
        ("fake", {}, 422),
    ],
)
async def test_a_rescan_that_makes_no_sense_is_refused(
    api: Api, chain: str, body: dict[str, Any], status: int
) -> None:
    assert status == (await api.post(f"/v1/chains/{chain}/rescan", body)).status
