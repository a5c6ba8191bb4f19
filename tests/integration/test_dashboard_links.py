"""The dashboard's payment links and standing addresses: what the API says and does, nothing else."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

import link_scene
import report_scene
from dashboard import sign_in
from link_scene import UNIT
from report_pages import HOSTILE, cells, once, text
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from api_server import Api, Reply

# --- links

WAYS = {"way_1": "fake/COIN", "amount_1": "1.5"}


async def made_link(api: Api, **fields: str) -> tuple[Reply, str]:
    visit = await sign_in(api, Scope.WRITE)
    form = await visit.get("/dashboard/links/new")
    reply = await visit.post("/dashboard/links/new", once=once(form), **fields)
    return reply, reply.headers.get("Location", "")


async def test_a_link_is_made_opened_counted_and_removed(api: Api) -> None:
    reply, place = await made_link(
        api, **WAYS, description="A book", minutes="30", max_uses="5", valid_until="2027-01-01T00:00"
    )
    assert 303 == reply.status, text(reply)
    id_ = place.rpartition("/")[2]
    known = (await api.get(f"/v1/links/{id_}")).json
    assert {"chain": "fake", "asset": "COIN", "amount": "1.5"} == known["template"]["options"][0]
    assert (1800, 5) == (known["template"]["expires_in"], known["max_uses"])
    assert "2027-01-01T00:00:00Z" == known["valid_until"]

    invoice = await link_scene.invoice(api, known)
    await link_scene.paid(api, invoice, 3 * UNIT // 2)
    visit = await sign_in(api, Scope.WRITE)
    (row,) = cells(await visit.get("/dashboard/links"), "links")
    assert ["A book", "1.5 COIN on Fake", "1 of 5", "1", "1 100 %", "1.5 COIN"] == row[:6]
    assert known["url"] in row[-1]
    page = await visit.get(place)
    assert [["paid", "1"]] == cells(page, "statuses")
    assert [[invoice["id"], "paid", "1.5 COIN", "1.5 COIN"]] == [row[1:] for row in cells(page, "invoices")]

    asked = await visit.get(f"{place}/remove")
    assert "It cannot be put back" in text(asked)
    assert 200 == (await api.get(f"/pay/{id_}", None)).status, "only the form removes"
    assert 303 == (await visit.post(f"{place}/remove")).status
    assert 404 == (await api.get(f"/pay/{id_}", None)).status
    assert "was removed on" in text(await visit.get(place))
    assert 303 == (await visit.post(f"{place}/remove")).status, "a second time nothing more happens"
    assert "There is no payment link yet." in text(await visit.get("/dashboard/links"))
    assert "A book" == cells(await visit.get("/dashboard/links?removed=true"), "links")[0][0]


async def test_a_link_may_leave_the_amount_and_the_asset_to_the_payer(api: Api) -> None:
    limits = {"min_1": "5", "max_1": "100", "way_3": "fake/TOKEN", "min_3": "6", "max_3": "90"}
    reply, place = await made_link(api, way_1="fake/COIN", tolerance="1", order_id="A-1", **limits)
    assert 303 == reply.status, text(reply)
    template = (await api.get(f"/v1/links/{place.rpartition('/')[2]}")).json["template"]

    assert [{"min": "5", "max": "100"}, {"min": "6", "max": "90"}] == [
        o["amount"] for o in template["options"]
    ]
    assert ({"percent": "1"}, "A-1") == (template["tolerance"], template["order_id"])


@pytest.mark.parametrize(
    ("fields", "marked", "says"),
    [
        pytest.param({}, "way_1", "choose what it is paid in", id="nothing at all"),
        pytest.param({**WAYS, "amount_1": "1,5"}, "amount_1", "is neither an amount", id="a comma"),
        pytest.param({**WAYS, "way_2": "fake/GOLD", "amount_2": "1"}, "way_2", "GOLD", id="an unknown asset"),
        pytest.param({**WAYS, "valid_until": "2020-01-01T00:00"}, "valid_until", "has passed", id="the past"),
        pytest.param({**WAYS, "description": "a\x00b"}, "description", "is no text", id="no text"),
    ],
)
async def test_a_form_with_a_mistake_comes_back_as_it_was_typed_and_says_where(
    api: Api, fields: dict[str, str], marked: str, says: str
) -> None:
    reply, _ = await made_link(api, **fields)

    assert 422 == reply.status
    field = re.search(rb'name="(\w+)"[^>]*aria-invalid="true" aria-describedby="([\w-]+)"', reply.body)
    assert field, text(reply)
    assert (marked, f"{marked}-wrong") == (field[1].decode(), field[2].decode())
    assert f'id="{marked}-wrong" role="alert"'.encode() in reply.body
    assert says in text(reply)
    assert all(value in unescape(reply.body.decode()) for value in fields.values() if value != "fake/GOLD")
    assert [] == (await api.get("/v1/links")).json["data"]


async def test_a_form_that_is_sent_twice_makes_one_link_and_one_address(api: Api) -> None:
    visit = await sign_in(api, Scope.WRITE)
    filled = {"links": {**WAYS, "description": "one"}, "addresses": {"chain": "fake", "label": "one"}}
    other = {"links": {**WAYS, "description": "two"}, "addresses": {"chain": "fake", "label": "two"}}
    for place, fields in filled.items():
        key = once(await visit.get(f"/dashboard/{place}/new"))
        first, second = [await visit.post(f"/dashboard/{place}/new", once=key, **fields) for _ in range(2)]

        assert (303, 303) == (first.status, second.status)
        assert first.headers["Location"] == second.headers["Location"]
        assert 1 == len((await api.get(f"/v1/{place}")).json["data"])

        changed = await visit.post(f"/dashboard/{place}/new", once=key, **other[place])
        assert 409 == changed.status
        assert "This form was sent before with something else in it" in text(changed)
        assert key != once(changed)


async def test_a_long_list_has_pages_that_keep_its_filters(api: Api) -> None:
    for number in range(3):
        await link_scene.link(api, description=f"link {number}")
        await report_scene.customer(api, f"customer {number}")
    visit = await sign_in(api, Scope.READ)
    made = await link_scene.link(api)
    for _ in range(3):
        await link_scene.invoice(api, made)
        api.clock.advance(1)
    lists = {
        "links": "links?limit=3",
        "addresses": "addresses?limit=2&chain=fake&label=",
        "invoices": f"links/{made['id']}?limit=2",
    }
    for table, place in lists.items():
        first = await visit.get(f"/dashboard/{place}")
        following = re.search(rb'href="([^"]+)" rel="next"', first.body)
        assert following
        second = await visit.get(unescape(following[1].decode()))

        assert [3 if table == "links" else 2, 1] == [len(cells(page, table)) for page in (first, second)]
        assert b'rel="next"' not in second.body


async def test_a_removal_says_how_many_invoices_can_still_be_paid(api: Api) -> None:
    made = await link_scene.link(api)
    visit = await sign_in(api, Scope.WRITE)
    for said in (
        "as they are.",
        "as they are: the one that is open can",
        "as they are: the 2 that are open can",
    ):
        assert f"Its invoices stay {said}" in text(await visit.get(f"/dashboard/links/{made['id']}/remove"))
        await link_scene.invoice(api, made)


async def test_what_is_wrong_with_all_ways_of_a_link_is_named_once(api: Api) -> None:
    visit = await sign_in(api, Scope.WRITE)
    key = once(await visit.get("/dashboard/links/new"))
    mixed = {"way_1": "fake/COIN", "amount_1": "1", "way_2": "fake/TOKEN", "min_2": "1", "max_2": "2"}
    reply = await visit.post("/dashboard/links/new", once=key, **mixed)

    assert 422 == reply.status
    assert "options fix some amounts and leave others to the payer" in text(reply)
    assert "options options" not in text(reply)


# --- standing addresses


async def test_a_list_without_any_address_says_so(api: Api) -> None:
    visit = await sign_in(api, Scope.READ)
    for query in ("", "?label=&address=&chain=&archived="):
        assert "There is no standing address yet." in text(await visit.get(f"/dashboard/addresses{query}"))


async def test_an_address_is_made_shows_what_came_and_is_archived(api: Api) -> None:
    visit = await sign_in(api, Scope.WRITE)
    form = await visit.get("/dashboard/addresses/new")
    made = await visit.post(
        "/dashboard/addresses/new", once=once(form), chain="fake", label="Doe, Jo", confirmations="2"
    )
    assert 303 == made.status, text(made)
    place = made.headers["Location"]
    known = (await api.get(f"/v1/addresses/{place.rpartition('/')[2]}")).json
    assert ("Doe, Jo", 2) == (known["label"], known["confirmations"])
    await report_scene.deposit(api, known, 2 * UNIT)
    await report_scene.deposit(api, known, UNIT // 2)

    page = await visit.get(place)
    assert [["COIN on Fake", "2 COIN", "0.5 COIN", "0 COIN"]] == cells(page, "totals")
    assert ["0.5 COIN", "pending", "1 of 2", "credited"] == cells(page, "deposits")[0][1:5]
    older = re.search(rb'href="([^"]+)" rel="next"', (await visit.get(f"{place}?limit=1")).body)
    assert older
    assert [["2 COIN"]] == [
        row[1:2] for row in cells(await visit.get(unescape(older[1].decode())), "deposits")
    ]

    asked = text(await visit.get(f"{place}/archive"))
    assert "is told as deposit.unmatched" in asked
    assert "0.5 COIN on Fake came already and is not confirmed yet" in asked
    assert 303 == (await visit.post(f"{place}/archive")).status
    assert (await api.get(f"/v1/addresses/{known['id']}")).json["archived_at"]
    assert "Archived on" in text(await visit.get(place))


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        pytest.param("", ["two", "Doe, Jo"], id="all"),
        pytest.param("?label=&address=&chain=&archived=", ["two", "Doe, Jo"], id="an empty form"),
        pytest.param("?label=Doe,%20Jo", ["Doe, Jo"], id="by a label with a comma"),
        pytest.param("?archived=true", ["Doe, Jo"], id="archived"),
        pytest.param("?archived=false&chain=fake", ["two"], id="in use"),
        pytest.param("?chain=other", [], id="another chain"),
    ],
)
async def test_addresses_are_found_by_what_is_known_of_them(api: Api, query: str, labels: list[str]) -> None:
    first = await report_scene.customer(api, "Doe, Jo")
    await report_scene.customer(api, "two")
    await api.call("DELETE", f"/v1/addresses/{first['id']}")
    visit = await sign_in(api, Scope.READ)
    page = await visit.get(f"/dashboard/addresses{query}")

    assert labels == ([row[0] for row in cells(page, "addresses")] if labels else [])
    assert ("No standing address is like that." in text(page)) is (not labels)
    found = await visit.get(f"/dashboard/addresses?address={first['address']}")
    assert ["Doe, Jo"] == [row[0] for row in cells(found, "addresses")]


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        pytest.param({"chain": "gold"}, "chain", id="an unknown chain"),
        pytest.param({"chain": "fake", "address": "elsewhere"}, "address", id="no address of the chain"),
        pytest.param({"chain": "fake", "confirmations": "many"}, "confirmations", id="no number"),
        pytest.param({"chain": "fake", "label": "x" * 201}, "label", id="a label that is too long"),
    ],
)
async def test_an_address_that_cannot_be_says_why(api: Api, fields: dict[str, str], marked: str) -> None:
    visit = await sign_in(api, Scope.WRITE)
    key = once(await visit.get("/dashboard/addresses/new"))
    reply = await visit.post("/dashboard/addresses/new", once=key, **fields)

    assert 422 == reply.status
    assert f'aria-describedby="{marked}-wrong"'.encode() in reply.body
    assert [] == (await api.get("/v1/addresses")).json["data"]


# --- who may do what, and what strangers wrote


async def test_who_may_only_read_is_offered_nothing_else_and_refused_it(api: Api) -> None:
    made, mine = await link_scene.link(api), await report_scene.customer(api)
    visit = await sign_in(api, Scope.READ)
    places = [f"links/{made['id']}", f"addresses/{mine['id']}"]
    for place in ("links", "addresses", *places):
        page = await visit.get(f"/dashboard/{place}")
        assert 200 == page.status
        assert not re.search(rb'href="[^"]*/(new|remove|archive)"', page.body)
    acts = ["links/new", "addresses/new", f"{places[0]}/remove", f"{places[1]}/archive"]
    for act in acts:
        assert 403 == (await visit.get(f"/dashboard/{act}")).status
        assert 403 == (await visit.post(f"/dashboard/{act}")).status


async def test_what_strangers_wrote_is_shown_as_text(api: Api) -> None:
    made = await link_scene.link(api, description=HOSTILE, order_id=HOSTILE)
    mine = await report_scene.customer(api, HOSTILE[:200], metadata={HOSTILE: HOSTILE})
    visit = await sign_in(api, Scope.WRITE)
    places = ["links", f"links/{made['id']}", f"links/{made['id']}/remove", "addresses"]
    places += [f"addresses/{mine['id']}", f"addresses/{mine['id']}/archive"]
    for place in places:
        page = await visit.get(f"/dashboard/{place}")
        assert 200 == page.status
        assert HOSTILE.encode() not in page.body
        assert b"<img" not in page.body
        assert "alert(1)" in unescape(page.body.decode())
    again = await visit.post("/dashboard/links/new", once="x", description=HOSTILE, way_1=HOSTILE)
    assert 422 == again.status
    assert b"<img" not in again.body


@pytest.mark.parametrize("place", ["links/lnk_none", "links/lnk_none/remove", "addresses/adr_none"])
async def test_what_there_is_not_has_a_page_that_says_so(api: Api, place: str) -> None:
    reply = await (await sign_in(api, Scope.WRITE)).get(f"/dashboard/{place}")

    assert 404 == reply.status
    assert "There is no" in text(reply)
