from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from outbox_db import NOW, SECRET, OutboxDb, event
from watcher import claims, endpoints, outbox, signing
from watcher.errors import Refused
from watcher.receivers import Configured, EndpointDraft, EndpointPatch, Rotation, Rules, check_url
from watcher.results import Result, record
from watcher.secret import fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

SHOP = "https://shop.example/hooks"
RULES = Rules(allow_private=(ip_network("10.1.0.0/16"),), chains=("bitcoin", "ethereum"))


async def _create(db: OutboxDb, **values: Any) -> dict[str, Any]:
    async with db.store.write() as conn:
        return await endpoints.create(conn, EndpointDraft(**{"url": SHOP, **values}), RULES, NOW)


async def _patch(db: OutboxDb, endpoint_id: str, **values: Any) -> dict[str, Any]:
    async with db.store.write() as conn:
        return await endpoints.patch(conn, endpoint_id, EndpointPatch(**values), RULES)


async def _sync(db: OutboxDb, *configured: Configured) -> None:
    async with db.store.write() as conn:
        await endpoints.sync(conn, configured, RULES, NOW)


async def _listed(db: OutboxDb) -> list[dict[str, Any]]:
    async with db.store.read() as conn:
        return (await endpoints.page(conn, None, 50))[0]


async def test_a_new_endpoint_gets_all_events_and_shows_its_secret_once(db: OutboxDb) -> None:
    made = await _create(db)
    secret = made.pop("secret")

    assert fault(secret, "standard") is None
    assert {
        "id": made["id"],
        "url": SHOP,
        "events": ["*"],
        "chains": [],
        "format": "standard",
        "signature": "hmac",
        "public_key": None,
        "description": None,
        "success_body": None,
        "managed": "api",
        "state": "active",
        "disabled_reason": None,
        "deliveries_pending": 0,
        "deliveries_dead": 0,
        "created_at": "2026-11-22T12:00:00Z",
    } == made
    assert [made] == await _listed(db)


async def test_no_events_are_all_events(db: OutboxDb) -> None:
    assert ["*"] == (await _create(db, events=[]))["events"]


async def test_a_secret_of_the_merchants_own_is_taken(db: OutboxDb) -> None:
    assert SECRET == (await _create(db, secret=SECRET))["secret"]


@pytest.mark.parametrize(
    ("values", "code", "field", "words"),
    [
        pytest.param({"url": "shop.example"}, "invalid_url", "url", "https://", id="no scheme"),
        pytest.param({"url": "ftp://shop.example"}, "invalid_url", "url", "http or https", id="ftp"),
        pytest.param({"url": "https:///hooks"}, "invalid_url", "url", "host", id="no host"),
        pytest.param({"url": "https://a..b/"}, "invalid_url", "url", "not a URL", id="empty label"),
        pytest.param(
            {"url": f"https://{'a' * 64}.example/"}, "invalid_url", "url", "not a URL", id="long label"
        ),
        pytest.param({"url": "https://[::1/"}, "invalid_url", "url", "not a URL", id="half an IPv6"),
        pytest.param({"url": "https://shop.example:99999/"}, "invalid_url", "url", "not a URL", id="port"),
        pytest.param({"url": "https://shop.example:0/"}, "invalid_url", "url", "host", id="port 0"),
        pytest.param({"url": "https://u:p@shop.example/"}, "invalid_url", "url", "password", id="password"),
        pytest.param({"url": "https://shop.example/a b"}, "invalid_url", "url", "space", id="space"),
        pytest.param({"url": "https://shop.exa\tmple/"}, "invalid_url", "url", "space", id="tab"),
        pytest.param({"url": "https://shop.example/\x00"}, "invalid_url", "url", "control", id="NUL"),
        pytest.param({"url": "http://127.0.0.1/"}, "private_address", "url", "allow_private", id="loopback"),
        pytest.param({"url": "http://0x7f.1/"}, "private_address", "url", "127.0.0.1", id="hexadecimal"),
        pytest.param({"url": "http://2130706433/"}, "private_address", "url", "127.0.0.1", id="one number"),
        pytest.param({"url": "http://[::ffff:a9fe:a9fe]/"}, "private_address", "url", "169.254", id="mapped"),
        pytest.param(
            {"url": "http://10.2.0.1/"}, "private_address", "url", "10.2.0.1", id="outside of allowed"
        ),
        pytest.param({"events": ["invoice.payed"]}, "unknown_event", "events", "invoice.payed", id="event"),
        pytest.param({"events": ["invoices.*"]}, "unknown_event", "events", "invoices", id="family"),
        pytest.param({"chains": ["bitcion"]}, "unknown_chain", "chains", "bitcoin, ethereum", id="chain"),
        pytest.param({"format": "xml"}, "unsupported_format", "format", '"oxapay", "btcpay"', id="format"),
        pytest.param(
            {"format": "oxapay", "events": ["invoice.created", "chain.*"]},
            "not_in_format",
            "events",
            "none of these is told in the format oxapay",
            id="events that oxapay does not know",
        ),
        pytest.param(
            {"format": "btcpay", "events": ["deposit.*"]},
            "not_in_format",
            "events",
            "btcpay",
            id="nor btcpay",
        ),
        pytest.param({"secret": "hunter2hunter2"}, "invalid_secret", "secret", "whsec_", id="no prefix"),
        pytest.param({"secret": "whsec_MfKQ9r8G"}, "invalid_secret", "secret", "24 to 64", id="short"),
        pytest.param({"secret": "whsec_" + "!" * 40}, "invalid_secret", "secret", "base64", id="no base64"),
    ],
)
async def test_what_could_never_be_delivered_is_refused_in_one_line(
    db: OutboxDb, values: dict[str, Any], code: str, field: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        await _create(db, **values)

    fault = refused.value
    assert (code, field, 422) == (fault.code, fault.field, fault.status)
    assert words in fault.message
    assert "\n" not in fault.message
    assert "secret" not in values or values["secret"] not in fault.message
    assert await _listed(db) == []


@pytest.mark.parametrize("values", [{"uri": SHOP}, {"url": ""}, {"url": SHOP, "event": ["*"]}, {}])
def test_unknown_and_missing_fields_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EndpointDraft(**values)


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3/hook", "http://[::ffff:10.1.2.3]/", "https://shop.example", SHOP]
)
def test_a_public_or_allowed_receiver_is_taken(url: str) -> None:
    assert check_url(url, RULES) is None  # type: ignore[func-returns-value]


async def test_a_patch_changes_what_it_names_and_nothing_else(db: OutboxDb) -> None:
    made = await _create(db, description="old", events=["invoice.*"])
    got = await _patch(db, made["id"], url="https://other.example/", chains=["bitcoin"], description=None)

    made.pop("secret")
    assert made | {"url": "https://other.example/", "chains": ["bitcoin"], "description": None} == got


@pytest.mark.parametrize("values", [{"url": None}, {"events": None}, {"state": None}, {"events": ["x"]}])
async def test_a_patch_that_cannot_be_is_refused(db: OutboxDb, values: dict[str, Any]) -> None:
    made = await _create(db)
    with pytest.raises(Refused):
        await _patch(db, made["id"], **values)


async def test_enabling_an_endpoint_sends_what_waits_at_once_and_in_order(db: OutboxDb) -> None:
    shop = (await _create(db))["id"]
    await db.invoice("inv_1")
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    async with db.store.write() as conn:
        (claim,) = await claims.claim(conn, {shop: 9}, 9, NOW)
        await record(
            conn,
            [Result(claim=claim, at=NOW, duration=timedelta(0), status=410, error="410")],
            NOW,
            lambda: 0,
        )
    assert "disabled" == (await _listed(db))[0]["state"]
    got = await _patch(db, shop, state="active")

    assert ("active", None) == (got["state"], got["disabled_reason"])
    assert (await db.endpoints())[shop].failing_since is None
    async with db.store.write() as conn:
        assert [1] == [one.event_seq for one in await claims.claim(conn, {shop: 1}, 9, NOW)]


async def test_a_removed_endpoint_is_gone_and_what_waited_is_cancelled(db: OutboxDb) -> None:
    shop = (await _create(db))["id"]
    await db.publish(event())
    async with db.store.write() as conn:
        await endpoints.remove(conn, shop)

    assert [] == await _listed(db)
    assert ["cancelled"] == [row.state for row in await db.deliveries()]
    with pytest.raises(Refused, match="there is no webhook"):
        await _patch(db, shop, description="x")


async def test_a_rotated_secret_is_shown_once_and_both_sign_during_the_overlap(db: OutboxDb) -> None:
    made = await _create(db)
    async with db.store.write() as conn:
        got = await endpoints.rotate(conn, made["id"], Rotation(overlap_seconds=60), NOW)

    column = (await db.endpoints())[made["id"]].secrets
    assert (got["secret"], made["secret"]) == signing.current(column, NOW)
    assert (got["secret"],) == signing.current(column, NOW + timedelta(seconds=60))
    assert "secret" not in (await _listed(db))[0]


async def test_a_test_event_goes_to_its_endpoint_alone_whatever_that_asked_for(db: OutboxDb) -> None:
    shop = (await _create(db, events=["invoice.paid"]))["id"]
    await _create(db)
    async with db.store.write() as conn:
        got = await endpoints.test(conn, shop, NOW)

    (row,) = await db.deliveries()
    assert (shop, got["event_id"], got["delivery_id"]) == (row.endpoint_id, row.event_id, row.id)
    assert b'"type":"webhook.test"' in (await db.events())[0].body


async def test_a_test_of_a_disabled_endpoint_is_refused(db: OutboxDb) -> None:
    shop = (await _create(db))["id"]
    await _patch(db, shop, state="disabled")
    with pytest.raises(Refused) as refused:
        async with db.store.write() as conn:
            await endpoints.test(conn, shop, NOW)

    assert ("webhook_disabled", 409) == (refused.value.code, refused.value.status)


async def test_an_invoices_own_endpoint_is_not_listed_and_gets_its_events(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    async with db.store.write() as conn:
        await endpoints.add_own(conn, "inv_1", SHOP, NOW)
        await outbox.publish(conn, [event("inv_1", 1)], NOW)

    assert [] == await _listed(db)
    assert [outbox.own_endpoint("inv_1")] == [row.endpoint_id for row in await db.deliveries()]


async def test_pages_follow_each_other_without_gap_or_repetition(db: OutboxDb) -> None:
    made = {(await _create(db))["id"] for _ in range(5)}
    seen, after = [], None
    while True:
        async with db.store.read() as conn:
            shown, after = await endpoints.page(conn, after, 2)
        seen += [one["id"] for one in shown]
        if after is None:
            break

    assert (5, made) == (len(seen), set(seen))


async def test_the_configuration_makes_updates_and_removes_its_endpoints(db: OutboxDb) -> None:
    other = "https://other.example/"
    await _sync(db, Configured(url=SHOP, secrets=(SECRET,)), Configured(url=other))
    first = {one["url"]: one["id"] for one in await _listed(db)}
    await _sync(db, Configured(url=SHOP, secrets=(SECRET,), events=("invoice.paid",), description="main"))

    (kept,) = await _listed(db)
    assert (first[SHOP], ["invoice.paid"], "main", "config") == (
        kept["id"],
        kept["events"],
        kept["description"],
        kept["managed"],
    )
    assert (SECRET,) == signing.current((await db.endpoints())[kept["id"]].secrets, NOW)


async def test_an_endpoint_that_comes_back_to_the_configuration_gets_what_waited(db: OutboxDb) -> None:
    await _sync(db, Configured(url=SHOP))
    await db.publish(event())
    await _sync(db)
    async with db.store.read() as conn:
        assert [] == await claims.lanes(conn, NOW)
    await _sync(db, Configured(url=SHOP))

    async with db.store.read() as conn:
        assert [True] == [lane.due for lane in await claims.lanes(conn, NOW)]


async def test_an_api_endpoint_is_left_alone_by_the_configuration(db: OutboxDb) -> None:
    made = await _create(db)
    await _sync(db, Configured(url=SHOP))
    await _sync(db)

    assert [made["id"]] == [one["id"] for one in await _listed(db)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c, i: endpoints.patch(c, i, EndpointPatch(events=["*"]), RULES), id="patch"),
        pytest.param(lambda c, i: endpoints.patch(c, i, EndpointPatch(state="active"), RULES), id="enable"),
        pytest.param(endpoints.remove, id="remove"),
        pytest.param(lambda c, i: endpoints.rotate(c, i, Rotation(), NOW), id="rotate"),
    ],
)
async def test_the_api_does_not_change_an_endpoint_of_the_configuration(
    db: OutboxDb, change: Callable[[AsyncConnection, str], Awaitable[Any]]
) -> None:
    await _sync(db, Configured(url=SHOP))
    (shop,) = (one["id"] for one in await _listed(db))
    async with db.store.write() as conn:
        with pytest.raises(Refused) as refused:
            await change(conn, shop)

    assert ("managed_by_config", 409) == (refused.value.code, refused.value.status)


@pytest.mark.parametrize(
    ("configured", "code"),
    [
        pytest.param([Configured(url=SHOP), Configured(url=SHOP)], "duplicate_url", id="twice"),
        pytest.param([Configured(url="http://192.168.0.9/")], "private_address", id="private"),
        pytest.param([Configured(url=SHOP, chains=("btc",))], "unknown_chain", id="chain"),
        pytest.param([Configured(url=SHOP, format="xml")], "unsupported_format", id="format"),
        pytest.param(
            [Configured(url=SHOP, format="btcpay", events=("chain.*",))],
            "not_in_format",
            id="events of a format",
        ),
    ],
)
async def test_a_configuration_that_cannot_be_changes_nothing(
    db: OutboxDb, configured: list[Configured], code: str
) -> None:
    await _sync(db, Configured(url="https://old.example/"))
    with pytest.raises(Refused) as refused:
        await _sync(db, *configured)

    assert code == refused.value.code
    assert ["https://old.example/"] == [one["url"] for one in await _listed(db)]


async def test_a_change_of_events_has_to_leave_some_that_the_format_tells(db: OutboxDb) -> None:
    made = await _create(db, format="oxapay", secret="merchant-secret")
    async with db.store.write() as conn:
        with pytest.raises(Refused) as refused:
            await endpoints.patch(conn, made["id"], EndpointPatch(events=["invoice.created"]), RULES)
        changed = await endpoints.patch(conn, made["id"], EndpointPatch(events=[]), RULES)

    assert ("not_in_format", "events") == (refused.value.code, refused.value.field)
    assert ["*"] == changed["events"]
