"""Standing addresses over HTTP, from a request to the ledger and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from watcher.api.schema_standings import StandingAddress, StandingAddressWithDeposits
from watcher.apikeys import Scope
from watcher.tables import AUDIT, STANDING

if TYPE_CHECKING:
    from api_server import Api

SATOSHI = 10**8
LIMIT = 20_000
"""Bytes of an event's body."""


async def create(api: Api, **fields: Any) -> dict[str, Any]:
    api.clock.advance(1)
    reply = await api.post("/v1/addresses", {"chain": "fake", **fields}, Scope.WRITE)
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def mine(api: Api, blocks: int = 1) -> None:
    for _ in range(blocks):
        api.clock.advance(10)
        api.chain.mine()
    await api.scan()


async def ids(api: Api, query: str = "") -> list[str]:
    reply = await api.get(f"/v1/addresses{query}")
    assert reply.status == 200, reply.body
    return [one["id"] for one in reply.json["data"]]


async def test_a_standing_address_is_answered_and_shown_as_it_is_described(api: Api) -> None:
    made = await create(api, label="Alice, of 7", metadata={"customer": [7]}, confirmations=3)
    shown = StandingAddress.model_validate(made, extra="forbid")
    assert ("fake", "Alice, of 7", {"customer": [7]}, 3) == (
        shown.chain,
        shown.label,
        shown.metadata,
        shown.confirmations,
    )
    reply = await api.get(f"/v1/addresses/{made['id']}")
    StandingAddressWithDeposits.model_validate(reply.json, extra="forbid")
    assert {**made, "totals": [], "deposits": []} == reply.json


async def test_totals_are_exact_and_tell_confirmed_from_pending(api: Api) -> None:
    made = await create(api, confirmations=2)
    for _ in range(3):
        api.chain.pay(made["address"], 10**17 + 1)
        api.chain.pay(made["address"], 5, asset="TOKEN")
    await mine(api, 2)
    api.chain.pay(made["address"], 7)
    await mine(api)
    api.chain.pay(made["address"], 1)
    await api.scan()
    reply = await api.get(f"/v1/addresses/{made['id']}")
    expected = [
        {
            "chain": "fake",
            "asset": "COIN",
            "confirmed": "3000000000.00000003",
            "pending": "0.00000008",
            "aside": "0",
        },
        {"chain": "fake", "asset": "TOKEN", "confirmed": "0.000015", "pending": "0", "aside": "0"},
    ]
    assert expected == reply.json["totals"]
    assert ["pending", "pending"] + 6 * ["confirmed"] == [d["status"] for d in reply.json["deposits"]]


async def test_an_archived_address_is_kept_apart(api: Api) -> None:
    one, two = await create(api), await create(api)
    assert 204 == (await api.call("DELETE", f"/v1/addresses/{one['id']}", Scope.WRITE)).status
    assert 204 == (await api.call("DELETE", f"/v1/addresses/{one['id']}", Scope.WRITE)).status
    assert [one["id"]] == await ids(api, "?archived=true")
    assert [two["id"]] == await ids(api, "?archived=false")
    api.clock.advance(1)
    api.chain.pay(one["address"], SATOSHI)
    await mine(api)
    shown = (await api.get(f"/v1/addresses/{one['id']}")).json
    assert ("0", "0", "1") == tuple(shown["totals"][0][name] for name in ("confirmed", "pending", "aside"))
    assert "archived" == shown["deposits"][0]["rule"]
    async with api.context.store.read() as conn:
        noted = (await conn.execute(AUDIT.select().where(AUDIT.c.subject == one["id"]))).all()
    assert [("address.create", "a write"), ("address.remove", "a write")] == [
        (row.action, row.actor) for row in noted
    ]


async def test_lists_are_filtered_and_paged_newest_first(api: Api) -> None:
    made = [await create(api, label=label) for label in ("a", "b", "a", "x,y")]
    newest = [one["id"] for one in reversed(made)]
    assert newest == await ids(api)
    assert [newest[1], newest[3]] == await ids(api, "?label=a")
    assert [newest[0]] == await ids(api, "?label=x,y")
    assert [newest[2]] == await ids(api, f"?address={made[1]['address'].upper()}")
    assert [] == await ids(api, "?chain=other")
    first = (await api.get("/v1/addresses?limit=3")).json
    rest = (await api.get(f"/v1/addresses?limit=3&cursor={first['next']}")).json
    assert newest == [one["id"] for one in first["data"] + rest["data"]]
    assert rest["next"] is None


async def test_deposits_are_paged_newest_first(api: Api) -> None:
    made = await create(api)
    txids = []
    for _ in range(5):
        txids.append(api.chain.pay(made["address"], SATOSHI))
        await mine(api)
    path = f"/v1/addresses/{made['id']}/deposits?limit=3"
    first = (await api.get(path)).json
    rest = (await api.get(f"{path}&cursor={first['next']}")).json
    assert txids[::-1] == [one["txid"] for one in first["data"] + rest["data"]]
    assert rest["next"] is None


async def test_a_repeated_request_makes_one_address(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    replies = [
        await api.post("/v1/addresses", {"chain": "fake"}, Scope.WRITE, headers=headers) for _ in range(2)
    ]
    assert [(201, None), (201, "true")] == [(r.status, r.headers.get("Idempotent-Replay")) for r in replies]
    assert replies[0].body == replies[1].body
    async with api.context.store.read() as conn:
        assert 1 == len((await conn.execute(STANDING.select())).all())


@pytest.mark.parametrize(
    ("draft", "status", "code", "field"),
    [
        pytest.param({}, 422, "invalid", "chain", id="no chain"),
        pytest.param({"chain": "nowhere"}, 422, "unknown_chain", "chain", id="unknown chain"),
        pytest.param(
            {"chain": "fake", "address": "other1"}, 422, "invalid_address", "address", id="another network's"
        ),
        pytest.param(
            {"chain": "fake", "confirmations": "safe"},
            422,
            "invalid_confirmations",
            "confirmations",
            id="a rule that the chain has not",
        ),
        pytest.param(
            {"chain": "fake", "metadata": {"a": 5000 * "x"}},
            422,
            "invalid",
            "metadata",
            id="too much metadata",
        ),
        pytest.param({"chain": "fake", "amount": "1"}, 422, "unknown_field", "amount", id="an amount"),
        pytest.param({"chain": "fake", "label": ""}, 422, "invalid", "label", id="an empty label"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_name_of_its_field(
    api: Api, draft: dict[str, Any], status: int, code: str, field: str
) -> None:
    reply = await api.post("/v1/addresses", draft)
    found = reply.json["error"]
    assert (status, code, field) == (reply.status, found["code"], found.get("field")), reply.body


async def test_an_address_that_anybody_had_is_a_conflict(api: Api) -> None:
    invoice = await api.invoice()
    for address in (invoice["options"][0]["address"], (await create(api))["address"]):
        reply = await api.post("/v1/addresses", {"chain": "fake", "address": address})
        assert (409, "address_in_use") == (reply.status, reply.json["error"]["code"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/addresses/adr_x"),
        ("GET", "/v1/addresses/adr_x/deposits"),
        ("DELETE", "/v1/addresses/adr_x"),
    ],
)
async def test_an_unknown_address_is_not_found(api: Api, method: str, path: str) -> None:
    reply = await api.call(method, path)
    assert (404, "not_found") == (reply.status, reply.json["error"]["code"])


async def test_events_are_pulled_and_stay_below_their_size(api: Api) -> None:
    made = await create(api, label="é" * 200, metadata={"a": "é" * 2000})
    api.chain.pay(made["address"], SATOSHI)
    await mine(api, 2)
    events = (await api.get("/v1/events?after=0")).json["data"]
    assert ["deposit.detected", "deposit.confirmed"] == [event["type"] for event in events]
    assert made["metadata"] == events[0]["data"]["address"]["metadata"]
    assert max(len(str(event).encode()) for event in events) < LIMIT


async def test_the_chains_own_lists_name_whose_an_address_is(api: Api) -> None:
    made = await create(api)
    api.chain.pay(made["address"], SATOSHI)
    await mine(api)
    for what in ("addresses", "deposits"):
        (row,) = (await api.get(f"/v1/chains/fake/{what}")).json["data"]
        assert (None, made["id"]) == (row["invoice_id"], row["address_id"])


async def test_deliveries_are_found_by_the_address_that_they_are_about(api: Api) -> None:
    await api.post("/v1/webhooks", {"url": "https://shop.example/hooks"})
    made, other = await create(api), await create(api)
    for each in (made, other):
        api.chain.pay(each["address"], SATOSHI)
    await mine(api)
    found = (await api.get(f"/v1/deliveries?address_id={made['id']}")).json["data"]
    assert {(made["id"], None)} == {(one["address_id"], one["invoice_id"]) for one in found}
    assert {"deposit.detected", "deposit.confirmed"} == {one["event_type"] for one in found}
