"""Payment links over HTTP: what a template may be, what is offered, and what an opening makes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from link_scene import COIN, LIMITS, TOKEN, UNIT, invoice, link, offer, opened, paid, said, shown
from watcher.api.schema_links import Link, Offer, PayersInvoice
from watcher.render import moment
from watcher.tables import AUDIT, EVENT, INVOICE, KEY_INDEX

if TYPE_CHECKING:
    from api_server import Api

# --- the template


async def test_a_link_is_answered_with_its_template_its_address_and_what_became_of_it(api: Api) -> None:
    made = await link(
        api, description="A coffee", order_id="mug", metadata={"a": 1}, max_uses=3, valid_for=600
    )

    read = Link.model_validate(made, extra="forbid")
    assert made["url"].endswith(f"/pay/{made['id']}")
    assert {**COIN, "amount": "1", "description": "A coffee", "order_id": "mug", "metadata": {"a": 1}} == (
        read.template
    )
    assert moment(api.clock() + timedelta(seconds=600)) == made["valid_until"]
    assert (3, 0, 0, None) == (
        read.max_uses,
        read.uses,
        read.statistics.openings,
        read.statistics.paid_percent,
    )
    assert made == await shown(api, made)


@pytest.mark.parametrize(
    ("draft", "field", "told"),
    [
        pytest.param({"chain": "nowhere"}, "chain", "there is: fake", id="chain"),
        pytest.param({"asset": "GOLD"}, "asset", "there is: COIN, TOKEN", id="asset"),
        pytest.param({"amount": None}, "amount", "is missing", id="no amount"),
        pytest.param({"amount": "0"}, "amount", "is zero", id="zero"),
        pytest.param({"amount": "1.123456789"}, "amount", "9 decimals", id="decimals"),
        pytest.param({"amount": 5}, "amount", "neither an amount", id="a number"),
        pytest.param({"amount": {"min": "5"}}, "amount", "nor limits", id="half of the limits"),
        pytest.param({"amount": {"min": "6", "max": "5.5"}}, "amount.min", "above max", id="limits"),
        pytest.param({"amount": {"min": "0", "max": "5"}}, "amount.min", "is zero", id="min is zero"),
        pytest.param(
            {"amount": {"min": "1", "max": "1.123456789"}}, "amount.max", "9 decimals", id="decimals of max"
        ),
        pytest.param(
            {"amount": LIMITS, "tolerance": {"absolute": "5"}},
            "tolerance.absolute",
            "less than 5",
            id="a tolerance as large as min",
        ),
        pytest.param({"address": "fake100000007"}, "address", "no place in a link", id="an address"),
        pytest.param({"customer_email": "a@b"}, "customer_email", "unknown field", id="a customer"),
        pytest.param({"max_uses": 0}, "max_uses", "greater than or equal to 1", id="no use at all"),
        pytest.param({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until", "has passed", id="past already"),
        pytest.param({"valid_until": "tomorrow"}, "valid_until", "RFC 3339", id="no time"),
        pytest.param(
            {"valid_until": "2099-01-01T00:00:00Z", "valid_for": 5}, "valid_for", "beside", id="both times"
        ),
        pytest.param({"confirmations": "safe"}, "confirmations", "give a number", id="confirmations"),
        pytest.param({"policy": {"accept_percent": "0"}}, "policy.accept_percent", "", id="policy"),
        pytest.param({"webhook_url": "http://10.0.0.1/"}, "webhook_url", "", id="a private receiver"),
        pytest.param({"options": [{**COIN, "amount": "1"}]}, "chain", "beside options", id="both forms"),
    ],
)
async def test_a_template_is_checked_as_strictly_as_an_invoice(
    api: Api, draft: dict[str, Any], field: str, told: str
) -> None:
    body = {k: v for k, v in {**COIN, "amount": "1", **draft}.items() if v is not None}

    reply = await api.post("/v1/links", body)

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body
    assert told in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("options", "more", "field"),
    [
        pytest.param(
            [{**COIN, "amount": "1"}, {**TOKEN, "amount": "1.1234567"}], {}, "options.1.amount", id="decimals"
        ),
        pytest.param(
            [{**TOKEN, "amount": LIMITS}, {**COIN, "amount": {"min": "9", "max": "8"}}],
            {},
            "options.1.amount.min",
            id="limits",
        ),
        pytest.param(
            [{**TOKEN, "amount": LIMITS}, {**COIN, "amount": {"min": "1", "max": "0.000000001"}}],
            {},
            "options.1.amount.min",
            id="limits of the second",
        ),
        pytest.param(
            [{**TOKEN, "amount": LIMITS}, {**COIN, "amount": {"min": "1", "max": "2.000000001"}}],
            {},
            "options.1.amount.max",
            id="decimals of the second maximum",
        ),
        pytest.param([{**COIN, "amount": "1"}] * 2, {}, "options.1.asset", id="twice"),
        pytest.param([{**COIN, "amount": LIMITS}] * 2, {}, "options.1.asset", id="twice with limits"),
        pytest.param([{**COIN, "amount": "1"}, {**TOKEN, "amount": LIMITS}], {}, "options", id="mixed"),
        pytest.param(
            [{**COIN, "amount": "1"}, {**TOKEN, "amount": "1"}],
            {"tolerance": {"absolute": "0.1"}},
            "tolerance.absolute",
            id="an absolute tolerance of two assets",
        ),
        pytest.param(
            [{**COIN, "amount": "1", "address": "fake100000007"}], {}, "options.0.address", id="an address"
        ),
    ],
)
async def test_a_fault_in_one_of_several_options_is_named(
    api: Api, options: list[Any], more: dict[str, Any], field: str
) -> None:
    reply = await api.post("/v1/links", {"options": options, **more})

    assert (422, field) == (reply.status, reply.json["error"].get("field")), reply.body


async def test_a_chain_without_a_key_cannot_be_in_a_link(api: Api) -> None:
    api.adapter._fingerprint = None

    reply = await api.post("/v1/links", {**COIN, "amount": "1"})

    assert (422, "address_needed", "chain") == said(reply)
    assert "no xpub" in reply.json["error"]["message"]


async def test_a_repeated_creation_makes_one_link(api: Api) -> None:
    key = {"Idempotency-Key": "a"}
    first = await api.post("/v1/links", {**COIN, "amount": "1", "valid_for": 5}, headers=key)
    api.clock.advance(10)

    again = await api.post("/v1/links", {**COIN, "amount": "1", "valid_for": 5}, headers=key)
    other = await api.post("/v1/links", {**COIN, "amount": "2"}, headers=key)

    assert (201, first.body, "true") == (again.status, again.body, again.headers["Idempotent-Replay"])
    assert (409, "idempotency_conflict") == said(other)[:2]
    assert 1 == len((await api.get("/v1/links")).json["data"])


# --- what is there


async def test_links_are_listed_newest_first_page_by_page_and_removed_ones_apart(api: Api) -> None:
    made = [(await link(api))["id"] for _ in range(5)]
    await api.call("DELETE", f"/v1/links/{made[2]}")

    first = (await api.get("/v1/links?limit=3")).json
    second = (await api.get(f"/v1/links?limit=3&cursor={first['next']}")).json
    removed = (await api.get("/v1/links?removed=true")).json

    assert [made[4], made[3], made[1]] == [one["id"] for one in first["data"]]
    assert ([made[0]], None) == ([one["id"] for one in second["data"]], second["next"])
    assert [made[2]] == [one["id"] for one in removed["data"]]


async def test_a_removed_link_opens_no_more_and_its_invoices_stay(api: Api) -> None:
    made = await link(api)
    one = await invoice(api, made)

    gone = await api.call("DELETE", f"/v1/links/{made['id']}")
    again = await api.call("DELETE", f"/v1/links/{made['id']}")
    await paid(api, one, UNIT)

    assert (204, b"", 404) == (gone.status, gone.body, again.status)
    assert (404, 404) == (
        (await opened(api, made)).status,
        (await api.get(f"/pay/{made['id']}", None)).status,
    )
    assert "paid" == (await api.get(f"/i/{one['id']}", None)).json["status"]
    kept = await shown(api, made)
    assert kept["removed_at"]
    assert 1 == kept["statistics"]["statuses"]["paid"]


async def test_every_act_is_in_the_audit_trail_with_who_did_it(api: Api) -> None:
    made = await link(api)
    one = await invoice(api, made)
    await api.call("DELETE", f"/v1/links/{made['id']}")
    async with api.context.store.read() as conn:
        query = select(AUDIT.c.actor, AUDIT.c.action, AUDIT.c.detail).where(AUDIT.c.subject == made["id"])
        rows = (await conn.execute(query.order_by(AUDIT.c.id))).all()

    assert [
        ("a admin", "link.create", "{}"),
        ("payer", "link.open", f'{{"invoice":"{one["id"]}"}}'),
        ("a admin", "link.remove", "{}"),
    ] == [tuple(row) for row in rows]


# --- the offer


async def test_the_offer_shows_what_is_to_be_paid_and_nothing_of_the_merchant(api: Api) -> None:
    made = await link(
        api,
        options=[{**COIN, "amount": "1.50"}, {**TOKEN, "amount": "25.0"}],
        description="A coffee",
        order_id="secret-order",
        metadata={"cost": "secret-meta"},
        webhook_url="https://shop.example/secret-hook",
        policy={"underpaid": "refund"},
    )

    reply = await api.get(f"/pay/{made['id']}", None)

    Offer.model_validate(reply.json, extra="forbid")
    assert "secret" not in reply.body.decode()
    assert "refund" not in reply.body.decode()
    assert ["1.5", "25"] == [one["amount"] for one in reply.json["options"]]
    assert ("A coffee", True, None, 3600) == tuple(
        reply.json[name] for name in ("description", "usable", "reason", "expires_in")
    )


async def test_the_offer_of_an_amount_left_to_the_payer_shows_its_limits(api: Api) -> None:
    made = await link(api, amount={"min": "5.0", "max": "100.50"}, fees={"percent": "1", "payer": "customer"})

    found = await offer(api, made)

    assert {"min": "5", "max": "100.5"} == found["options"][0]["amount"]
    assert found["fees_added"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_previews_make_no_invoice(api: Api, method: str) -> None:
    made = await link(api)

    for _ in range(3):
        await api.call(method, f"/pay/{made['id']}", None)

    assert 0 == (await shown(api, made))["statistics"]["openings"]
    async with api.context.store.read() as conn:
        assert None is await conn.scalar(select(KEY_INDEX.c.next_index))


# --- opening


async def test_an_opening_answers_with_what_a_payer_may_see(api: Api) -> None:
    made = await link(
        api,
        order_id="secret-order",
        metadata={"cost": "secret-meta"},
        webhook_url="https://shop.example/secret-hook",
        return_url="https://shop.example/secret-way-back",
        description="A coffee",
        expires_in=600,
    )

    reply = await opened(api, made, customer_email="secret@payer.example")

    one = PayersInvoice.model_validate(reply.json, extra="forbid")
    assert "secret" not in reply.body.decode()
    assert (201, "pending", "A coffee") == (reply.status, one.status, one.description)
    assert ("COIN", "1", "1") == (one.options[0].asset, one.options[0].amount, one.options[0].missing)
    assert moment(api.clock() + timedelta(seconds=600)) == reply.json["expires_at"]
    assert reply.json == (await api.get(f"/i/{one.id}", None)).json


async def test_an_invoice_of_a_link_has_all_its_terms(api: Api) -> None:
    terms = {
        "expires_in": 700,
        "monitor_for": 900,
        "tolerance": {"percent": "10"},
        "fees": {"percent": "1", "payer": "customer"},
        "confirmations": 3,
        "late": "accept",
        "policy": {"accept_percent": "50", "underpaid": "refund"},
        "reminder_before": 60,
        "language": "fr",
        "order_id": "mug",
        "description": "A mug",
        "metadata": {"a": 1},
        "webhook_url": "https://shop.example/hook",
        "return_url": "https://shop.example/thanks",
    }
    made = await link(api, **terms)
    one = await invoice(api, made, customer_email="jo@payer.example", refund_address="fake100000099")
    direct = await api.invoice(**terms, customer_email="jo@payer.example", refund_address="fake100000099")
    async with api.context.store.read() as conn:
        rows = {row.id: dict(row._mapping) for row in await conn.execute(select(INVOICE))}

    of_link, alike = rows[one["id"]], rows[direct["id"]]
    assert (made["id"], None) == (of_link["link_id"], alike["link_id"])
    own = ("id", "link_id", "created_at", "expires_at", "monitor_until", "due_at", "decision")
    assert {k: v for k, v in alike.items() if k not in own} == {
        k: v for k, v in of_link.items() if k not in own
    }
    assert one["options"][0]["amount"] == direct["options"][0]["expected"]


async def test_the_payer_chooses_the_amount(api: Api) -> None:
    made = await link(api, amount=LIMITS)

    amounts = [(await invoice(api, made, amount=text))["options"][0]["amount"] for text in ("5.00", "100")]

    assert ["5", "100"] == amounts


@pytest.mark.parametrize(
    ("said_", "answer"),
    [
        pytest.param({}, (422, "amount_needed", "amount"), id="left out"),
        pytest.param({"amount": "4.99999999"}, (422, "amount_out_of_range", "amount"), id="too little"),
        pytest.param({"amount": "100.00000001"}, (422, "amount_out_of_range", "amount"), id="too much"),
        pytest.param({"amount": "9" * 78}, (422, "amount_out_of_range", "amount"), id="far too much"),
        pytest.param({"amount": "5.123456789"}, (422, "invalid_amount", "amount"), id="decimals"),
        pytest.param({"amount": "-5"}, (422, "invalid", "amount"), id="negative"),
        pytest.param({"amount": "5", "address": "x"}, (422, "unknown_field", "address"), id="an address"),
        pytest.param({"amount": "5", "asset": "GOLD"}, (422, "not_offered", "asset"), id="asset"),
        pytest.param({"amount": "5", "chain": "gold"}, (422, "not_offered", "chain"), id="chain"),
        pytest.param(
            {"amount": "5", "refund_address": "other"},
            (422, "invalid_address", "refund_address"),
            id="address of another network",
        ),
        pytest.param(
            {"amount": "5", "customer_email": "x"}, (422, "invalid", "customer_email"), id="no mail address"
        ),
    ],
)
async def test_what_a_payer_says_is_checked_and_takes_no_address(
    api: Api, said_: dict[str, Any], answer: tuple[int, str, str]
) -> None:
    made = await link(api, amount=LIMITS)

    reply = await opened(api, made, **said_)

    assert answer == said(reply)
    async with api.context.store.read() as conn:
        assert None is await conn.scalar(select(KEY_INDEX.c.next_index))


async def test_a_fixed_amount_is_not_the_payers(api: Api) -> None:
    reply = await opened(api, await link(api), amount="0.5")

    assert (422, "amount_fixed", "amount") == said(reply)


@pytest.mark.parametrize(
    ("choice", "assets"),
    [
        pytest.param({}, ["COIN", "TOKEN"], id="all"),
        pytest.param({"asset": "TOKEN"}, ["TOKEN"], id="one"),
        pytest.param({"chain": "fake"}, ["COIN", "TOKEN"], id="a chain"),
        pytest.param({"chain": "fake", "asset": "COIN"}, ["COIN"], id="both"),
    ],
)
async def test_the_payer_chooses_the_asset_or_leaves_it_open(
    api: Api, choice: dict[str, str], assets: list[str]
) -> None:
    made = await link(api, options=[{**COIN, "amount": "1"}, {**TOKEN, "amount": "30"}])

    one = await invoice(api, made, **choice)

    assert assets == [option["asset"] for option in one["options"]]


async def test_an_amount_or_an_address_of_the_payers_needs_one_asset(api: Api) -> None:
    fixed = await link(api, options=[{**COIN, "amount": "1"}, {**TOKEN, "amount": "30"}])
    free = await link(api, options=[{**COIN, "amount": LIMITS}, {**TOKEN, "amount": LIMITS}])

    for made, words in ((free, {"amount": "7"}), (fixed, {"refund_address": "fake100000099"})):
        assert (422, "choice_needed", "asset") == said(await opened(api, made, **words))
        assert 1 == len((await invoice(api, made, **words, asset="COIN"))["options"])


async def test_a_repeated_opening_makes_one_invoice_and_one_event(api: Api) -> None:
    made, key = await link(api, max_uses=1), {"Idempotency-Key": "mine"}
    path = f"/pay/{made['id']}"

    first, *others = await asyncio.gather(*(api.post(path, {}, None, headers=key) for _ in range(5)))
    conflict = await api.post(path, {"asset": "COIN"}, None, headers=key)
    elsewhere = await api.post(f"/pay/{(await link(api))['id']}", {}, None, headers=key)

    assert {(201, first.body)} == {(reply.status, reply.body) for reply in others}
    assert (409, "idempotency_conflict") == said(conflict)[:2]
    assert first.json["id"] != elsewhere.json["id"]
    async with api.context.store.read() as conn:
        mine = EVENT.c.invoice_id == first.json["id"]
        assert 1 == await conn.scalar(select(func.count()).select_from(EVENT).where(mine))


async def test_a_chain_that_is_no_longer_configured_is_no_longer_offered(api: Api) -> None:
    both = await link(api, options=[{**COIN, "amount": "1"}, {**TOKEN, "amount": "30"}])
    alone = await link(api, options=[{**TOKEN, "amount": "30"}])
    known = api.adapter.assets()
    api.adapter.assets = lambda: known[:1]  # type: ignore[method-assign]

    found = await offer(api, alone)
    reply = await opened(api, alone)

    assert (False, "not_payable_now") == (found["usable"], found["reason"])
    assert (409, "not_payable_now", None) == said(reply)
    assert ["COIN"] == [option["asset"] for option in (await offer(api, both))["options"]]
    assert ["COIN"] == [option["asset"] for option in (await invoice(api, both))["options"]]


async def test_what_the_merchant_has_to_correct_is_not_told_to_the_payer(api: Api) -> None:
    made = await link(api, confirmations=0)
    api.adapter.has_mempool = False

    reply = await opened(api, made)

    assert (409, "not_payable_now", None) == said(reply)


@pytest.mark.parametrize("path", ["/pay/lnk_none", "/i/inv_none", "/pay/%C3%A9", "/i/%C3%A9"])
async def test_what_does_not_exist_is_404(api: Api, path: str) -> None:
    assert 404 == (await api.get(path, None)).status
