"""Free text over the list of invoices: what finds which, and that many invoices do not make it slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from watcher import listing
from watcher.listing_search import Search
from watcher.model import Status

if TYPE_CHECKING:
    from api_server import Api


@pytest.fixture
async def found(api: Api) -> dict[str, Any]:
    """Return one invoice, paid and refunded, among others that have nothing of it."""
    await api.invoice(order_id="B-2", description="50 % off")
    made = await api.invoice(order_id="Été-100_A", description="Deux Billets, Straße 5")
    await api.invoice()
    txid = api.chain.pay(made["options"][0]["address"], 10**8)
    api.chain.mine()
    await api.scan()
    paid = (await api.get(f"/v1/invoices/{made['id']}")).json
    draft = {"address": "fake100000777"}
    refund = await api.post(f"/v1/invoices/{made['id']}/refund", draft)
    assert 201 == refund.status, refund.body
    paths = {"payment": paid["payments"][0]["id"], "txid": txid, "refund": refund.json["id"]}
    return {"id": made["id"], "address": made["options"][0]["address"], **paths}


async def _ids(api: Api, words: str) -> list[str]:
    reply = await api.get(f"/v1/invoices?q={quote(words)}")
    assert 200 == reply.status, reply.body
    return [one["id"] for one in reply.json["data"]]


@pytest.mark.parametrize("what", ["id", "address", "payment", "txid", "refund"])
@pytest.mark.parametrize("spelling", [str, str.upper, " {} ".format], ids=["as it is", "capitals", "spaces"])
async def test_an_id_an_address_and_a_transaction_find_their_invoice(
    api: Api, found: dict[str, Any], what: str, spelling: Any
) -> None:
    assert [found["id"]] == await _ids(api, spelling(found[what]))


@pytest.mark.parametrize(
    "words",
    ["été-100", "ÉTÉ", "Été-100_A", "100_a", "deux billets", "BILLETS,", "straße", "llets, "],
)
async def test_words_of_the_order_or_its_description_find_it_in_capitals_or_not(
    api: Api, found: dict[str, Any], words: str
) -> None:
    assert [found["id"]] == await _ids(api, words)


@pytest.mark.parametrize(
    "words", ["%", "_", "0%", "1__", "\\", "'", '"', "inv_", "pay_", "\ud800", "100_A' OR '1'='1"]
)
async def test_signs_of_a_pattern_stand_for_themselves_and_part_of_an_id_finds_nothing(
    api: Api, found: dict[str, Any], words: str
) -> None:
    reply = await api.get(f"/v1/invoices?q={quote(words, errors='surrogatepass')}")

    orders = {one["order_id"] for one in reply.json["data"]}
    expected = {"%": {"B-2"}, "_": {"Été-100_A"}}.get(words, set())
    assert (200, expected) == (reply.status, orders), reply.body
    assert found["id"]


async def test_free_text_and_other_filters_hold_together(api: Api, found: dict[str, Any]) -> None:
    assert [[found["id"]], []] == [
        [one["id"] for one in (await api.get(f"/v1/invoices?q=billets&status={status}")).json["data"]]
        for status in ("refunding", "pending")
    ]


@pytest.mark.parametrize(
    "words", ["", "  ", "x" * 201, "\x00"], ids=["nothing", "spaces", "too long", "a NUL"]
)
async def test_free_text_that_is_none_is_refused(api: Api, words: str) -> None:
    reply = await api.get(f"/v1/invoices?q={quote(words)}")

    assert (422, "q") == (reply.status, reply.json["error"]["field"])


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param({"needs_action": False}, "SCAN invoice USING INDEX invoice_list", id="the rest"),
        pytest.param({"needs_action": True}, "invoice_waits (needs_action=?)", id="what waits"),
        pytest.param({"status": [Status.PAID]}, "invoice_status (status=?)", id="a status"),
        pytest.param(
            {"status": [Status.PAID], "needs_action": False},
            "invoice_status (status=?)",
            id="the rest of a status",
        ),
        pytest.param(
            {"status": [Status.PAID, Status.EXPIRED]},
            "MERGE (UNION ALL)",
            id="statuses: each by itself",
        ),
        pytest.param({}, "SCAN invoice USING COVERING INDEX invoice_list", id="all"),
        pytest.param(
            {"chain": ["fake"], "asset": ["COIN"]},
            "SEARCH option USING INDEX sqlite_autoindex_option_1 (invoice_id=?)",
            id="a chain: of each invoice its own options",
        ),
        pytest.param(
            {"search": Search("a", ["a"])}, "sqlite_autoindex_address_1 (chain=? AND address=?)", id="text"
        ),
        pytest.param({"search": Search("a", ["a"])}, "deposit_txid (txid=?)", id="text: a transaction"),
    ],
)
async def test_a_list_is_read_along_an_index(api: Api, wanted: dict[str, Any], index: str) -> None:
    plan = await _plan(api, listing.InvoiceFilter(**wanted))

    assert any(index in step for step in plan), plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param({"order_id": ["a"]}, "ix_invoice_order_id (order_id=?)", id="an order"),
        pytest.param({"link_id": ["a"]}, "ix_invoice_link_id (link_id=?)", id="a link"),
        pytest.param({"address": ["a"]}, "option_address (chain=? AND address=?)", id="an address"),
        pytest.param({"txid": ["a"]}, "deposit_txid (txid=?)", id="a transaction"),
    ],
)
@pytest.mark.parametrize("needs_action", [False, None])
async def test_what_few_have_is_found_by_its_index_whatever_else_is_asked(
    api: Api, wanted: dict[str, Any], index: str, *, needs_action: bool | None
) -> None:
    for status in ([], [Status.PAID], [Status.PAID, Status.EXPIRED]):
        asked = listing.InvoiceFilter(**wanted, status=status, needs_action=needs_action)
        plan = await _plan(api, asked)

        assert any(index in step for step in plan), plan
        assert not [step for step in plan if step.startswith("SCAN") or "invoice_status" in step], plan


async def test_a_later_page_begins_in_the_index_where_the_one_before_ended(api: Api) -> None:
    plan = await _plan(api, listing.InvoiceFilter(), listing.Cursor(api.clock(), "inv_1"))

    assert ["SEARCH invoice USING COVERING INDEX invoice_list (created_at<?)"] == plan


async def test_pages_of_several_statuses_are_in_one_order_and_lack_and_repeat_nothing(api: Api) -> None:
    made = [await api.invoice() for _ in range(7)]
    for one in made[1::3]:
        assert 200 == (await api.post(f"/v1/invoices/{one['id']}/cancel")).status
    found: list[str] = []
    more: str | None = "/v1/invoices?limit=2&status=pending&status=cancelled&status=paid&status=pending"
    while more:
        page = (await api.get(more)).json
        found += [one["id"] for one in page["data"]]
        more = page["next"] and f"{more.partition('&cursor')[0]}&cursor={page['next']}"

    assert [one["id"] for one in reversed(made)] == found


async def test_an_address_is_found_by_its_index(api: Api) -> None:
    plan = await _plan(api, listing.InvoiceFilter(address=["a"]))

    assert "SEARCH option USING INDEX option_address (chain=? AND address=?)" in plan
    assert not [step for step in plan if step.startswith("SCAN")]


async def _plan(api: Api, wanted: listing.InvoiceFilter, start: listing.Cursor | None = None) -> list[str]:
    dialect = sqlite.dialect()
    query = str(
        listing.query(wanted, start, 50).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    )
    async with api.context.store.read() as conn:
        rows = await conn.execute(text("EXPLAIN QUERY PLAN " + query.replace(":", "\\:")))
        return [row.detail for row in rows]
