"""Invoices over HTTP, from a request to the ledger and back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from watcher.api.schema import Invoice
from watcher.api.schema_explain import Explanation
from watcher.render import moment
from watcher.tables import INVOICE, MAIL

if TYPE_CHECKING:
    from api_server import Api

DRAFT = {"chain": "fake", "asset": "COIN", "amount": "1.50"}
SATOSHI = 10**8


async def listed(api: Api, query: str) -> list[str]:
    reply = await api.get(f"/v1/invoices?{query}")
    assert reply.status == 200, reply.body
    return [invoice["id"] for invoice in reply.json["data"]]


async def test_a_created_invoice_is_answered_as_the_contract_shows_it(api: Api) -> None:
    reply = await api.post("/v1/invoices", {**DRAFT, "order_id": "A-1", "metadata": {"a": [1, None]}})

    shown = Invoice.model_validate(reply.json, extra="forbid")
    assert 201 == reply.status
    assert ("pending", "1.5", "A-1") == (shown.status, shown.options[0].amount, shown.order_id)
    assert {"a": [1, None]} == shown.metadata


async def test_a_created_invoice_can_be_shown_again_with_the_same_json(api: Api) -> None:
    made = await api.invoice()

    reply = await api.get(f"/v1/invoices/{made['id']}")

    assert (200, made) == (reply.status, reply.json)


async def test_a_paid_invoice_lists_its_payment(api: Api) -> None:
    made = await api.invoice(amount="2")
    txid = api.chain.pay(made["options"][0]["address"], 2 * SATOSHI)
    api.chain.mine()
    await api.scan()

    shown = Invoice.model_validate((await api.get(f"/v1/invoices/{made['id']}")).json, extra="forbid")

    assert ("paid", txid, "2") == (shown.status, shown.payments[0].txid, shown.payments[0].amount)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"amount": None}, "amount", id="amount missing"),
        pytest.param({"amount": "-1"}, "amount", id="negative amount"),
        pytest.param({"amount": 1}, "amount", id="amount as a number"),
        pytest.param({"amount": "0.000000001"}, "amount", id="more decimals than the asset has"),
        pytest.param({"chain": "nowhere"}, "chain", id="unknown chain"),
        pytest.param({"asset": "GOLD"}, "asset", id="unknown asset"),
        pytest.param({"address": "other123"}, "address", id="address of another network"),
        pytest.param({"expires_in": 59}, "expires_in", id="too short"),
        pytest.param({"expirse_in": 60}, "expirse_in", id="misspelt field"),
        pytest.param({"tolerance": {"percent": "x"}}, "tolerance.percent", id="inside an object"),
        pytest.param({"options": [{"chain": "fake"}]}, "options.0.asset", id="inside a list"),
    ],
)
async def test_an_invalid_invoice_is_refused_with_the_path_of_its_field(
    api: Api, change: dict[str, object], field: str
) -> None:
    draft = {k: v for k, v in {**DRAFT, **change}.items() if v is not None}

    reply = await api.post("/v1/invoices", draft)

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body


async def test_a_misspelt_field_is_told_with_the_right_one(api: Api) -> None:
    reply = await api.post("/v1/invoices", {**DRAFT, "expirse_in": 60})

    assert "unknown field; did you mean expires_in?" == reply.json["error"]["message"]


async def test_an_address_that_was_used_is_a_conflict(api: Api) -> None:
    draft = {**DRAFT, "address": "FAKE100009999"}
    first = await api.post("/v1/invoices", draft)

    second = await api.post("/v1/invoices", draft)

    assert (201, 409) == (first.status, second.status)
    assert "address_in_use" == second.json["error"]["code"]


# --- Idempotency-Key


async def test_the_same_key_and_body_make_one_invoice_and_repeat_the_answer(api: Api) -> None:
    headers = {"Idempotency-Key": "order-7"}

    first = await api.post("/v1/invoices", DRAFT, headers=headers)
    second = await api.post("/v1/invoices", dict(reversed(DRAFT.items())), headers=headers)

    assert (201, 201, first.body) == (first.status, second.status, second.body)
    assert (None, "true") == tuple(r.headers.get("Idempotent-Replay") for r in (first, second))
    assert [first.json["id"]] == await listed(api, "")


async def test_the_same_key_with_another_body_is_a_conflict(api: Api) -> None:
    headers = {"Idempotency-Key": "order-7"}
    await api.post("/v1/invoices", DRAFT, headers=headers)

    reply = await api.post("/v1/invoices", {**DRAFT, "amount": "2"}, headers=headers)

    assert (409, "idempotency_conflict") == (reply.status, reply.json["error"]["code"])


async def test_many_requests_at_once_with_one_key_make_one_invoice(api: Api) -> None:
    headers = {"Idempotency-Key": "order-7"}

    replies = await asyncio.gather(*(api.post("/v1/invoices", DRAFT, headers=headers) for _ in range(8)))

    assert {(201, replies[0].body)} == {(r.status, r.body) for r in replies}
    async with api.context.store.read() as conn:
        assert 1 == await conn.scalar(select(func.count()).select_from(INVOICE))


async def test_a_key_belongs_to_its_api_key_and_is_free_again_after_a_day(api: Api) -> None:
    headers = {"Idempotency-Key": "order-7"}

    first = await api.post("/v1/invoices", DRAFT, headers=headers)
    other = await api.post("/v1/invoices", DRAFT, "write", headers=headers)
    api.clock.advance(24 * 3600)
    later = await api.post("/v1/invoices", DRAFT, headers=headers)

    assert 3 == len({first.json["id"], other.json["id"], later.json["id"]})


async def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    headers = {"Idempotency-Key": "order-7"}
    await api.post("/v1/invoices", {**DRAFT, "chain": "nowhere"}, headers=headers)

    reply = await api.post("/v1/invoices", DRAFT, headers=headers)

    assert 201 == reply.status


# --- lists


async def test_lists_are_newest_first_and_pages_follow_each_other(api: Api) -> None:
    made = [(await api.invoice())["id"] for _ in range(5)]
    found, cursor = [], ""
    for _ in range(3):
        page = (await api.get(f"/v1/invoices?limit=2{cursor}")).json
        found += [invoice["id"] for invoice in page["data"]]
        cursor = f"&cursor={page['next']}"

    assert made[::-1] == found
    assert page["next"] is None


async def test_an_invoice_made_meanwhile_moves_no_page(api: Api) -> None:
    made = [(await api.invoice())["id"] for _ in range(4)]
    page = (await api.get("/v1/invoices?limit=2")).json
    await api.invoice()

    assert made[1::-1] == await listed(api, f"cursor={page['next']}")


async def test_filters_find_what_they_name(api: Api) -> None:
    one = await api.invoice(order_id="A,1", address="fake100000501")
    two = await api.invoice(order_id="A-2", asset="TOKEN", amount="3")
    late = await api.invoice(expires_in=60)
    address = one["options"][0]["address"]
    txid = api.chain.pay(address, 2 * SATOSHI)
    api.chain.mine()
    api.clock.advance(120)
    await api.scan()
    one, two, late = one["id"], two["id"], late["id"]

    assert [one] == await listed(api, "status=paid")
    assert [late, one] == await listed(api, "status=paid,expired")
    assert [late, one] == await listed(api, "status=paid&status=expired")
    assert [two] == await listed(api, "asset=TOKEN")
    assert [late, two, one] == await listed(api, "chain=fake")
    assert [] == await listed(api, "chain=other")
    assert [two] == await listed(api, "order_id=A-2")
    assert [one] == await listed(api, "order_id=A%2C1")
    assert [late, two, one] == await listed(api, "order_id=")
    assert [two] == await listed(api, "order_id=&order_id=A-2")
    assert [one] == await listed(api, f"address={address.upper()}")
    assert [one] == await listed(api, f"txid={txid}")
    assert [one] == await listed(api, "exception=overpaid")
    assert [] == await listed(api, "exception=late&status=paid")
    assert [] == await listed(api, "needs_action=true")
    assert [late, two, one] == await listed(api, "needs_action=false")


async def test_created_after_includes_its_moment_and_created_before_does_not(api: Api) -> None:
    one, two = (await api.invoice())["id"], (await api.invoice())["id"]
    middle = moment(api.clock())
    earlier = moment(api.clock() - timedelta(seconds=1))

    assert [two] == await listed(api, f"created_after={middle}")
    assert [one] == await listed(api, f"created_before={middle}")
    assert [one] == await listed(api, f"created_after={earlier}&created_before={middle}")
    assert [two, one] == await listed(api, f"created_after={earlier.replace('Z', '+00:00')}")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1_0", "limit"),
        ("limit=5&limit=6", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("status=payed", "status.0"),
        ("exception=odd", "exception.0"),
        ("needs_action=yes", "needs_action"),
        ("created_after=1700000000", "created_after"),
        ("created_after=2026-13-01T00:00:00Z", "created_after"),
        ("statsu=paid", "statsu"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused_with_its_name(api: Api, query: str, field: str) -> None:
    reply = await api.get(f"/v1/invoices?{query}")

    assert (422, field) == (reply.status, reply.json["error"]["field"])


# --- explain


async def test_explain_tells_the_rule_of_each_payment_and_every_event(api: Api) -> None:
    made = await api.invoice(amount="2")
    address = made["options"][0]["address"]
    api.chain.pay(address, SATOSHI)
    api.chain.pay(address, 5, asset="TOKEN")
    api.chain.mine()
    await api.scan()

    reply = await api.get(f"/v1/invoices/{made['id']}/explain")

    told = Explanation.model_validate(reply.json, extra="forbid")
    assert {"in_time": True, "wrong_asset": False} == {p.rule: p.counted for p in told.payments}
    assert "COIN on fake: 1 of 2 seen, 1 confirmed; at least 2 counts as paid; 1 missing." in told.reasons
    assert "invoice.created" == told.events[0].type
    assert sorted(e.sequence for e in told.events) == list(range(1, len(told.events) + 1))


async def test_explain_tells_what_became_of_each_mail(api: Api) -> None:
    made = await api.invoice(amount="2")
    now = api.clock()
    row = {"id": "mai_1", "invoice_id": made["id"], "deadline": now, "recipient": "jo@shop.example"}
    row |= {"state": "uncertain", "attempts": 1, "error": "no answer", "created_at": now}
    async with api.context.store.write() as conn:
        await conn.execute(insert(MAIL).values(**row))

    (mail,) = (await api.get(f"/v1/invoices/{made['id']}/explain")).json["mails"]

    assert ("jo@shop.example", "uncertain", "no answer") == (mail["recipient"], mail["state"], mail["error"])


@pytest.mark.parametrize(
    "path", ["/v1/invoices/inv_none", "/v1/invoices/inv_none/explain", "/v1/invoices/%ff"]
)
async def test_an_unknown_invoice_is_404(api: Api, path: str) -> None:
    reply = await api.get(path)

    assert (404, "not_found") == (reply.status, reply.json["error"]["code"])
