"""A payment link's form makes one invoice and no second; whoever wants no page speaks with the API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from link_scene import LIMITS, link, pass_deadline
from pay_form import FORM, HTML, TWO, invoices, once, page, sent

if TYPE_CHECKING:
    from api_server import Api

# --- only one invoice


async def test_a_form_that_is_sent_again_leads_to_the_same_invoice(api: Api) -> None:
    made = await link(api, max_uses=1)
    key = once(await page(api, made))

    replies = [await sent(api, made, once=key, way="fake/COIN") for _ in range(3)]

    assert {303} == {reply.status for reply in replies}
    assert 1 == len({reply.headers["Location"] for reply in replies})
    assert 1 == await invoices(api)


async def test_two_clicks_at_once_make_one_invoice(api: Api) -> None:
    made = await link(api)
    key = once(await page(api, made))

    replies = await asyncio.gather(*(sent(api, made, once=key, way="fake/COIN") for _ in range(5)))

    assert {303} == {reply.status for reply in replies}
    assert 1 == len({reply.headers["Location"] for reply in replies})
    assert 1 == await invoices(api)


async def test_the_same_form_in_another_language_is_no_other_request(api: Api) -> None:
    made = await link(api)
    key = once(await page(api, made))

    replies = [await sent(api, made, query, once=key, way="fake/COIN") for query in ("?lang=fr", "")]

    assert {303} == {reply.status for reply in replies}
    assert 1 == await invoices(api)


async def test_another_choice_in_the_same_form_is_another_invoice(api: Api) -> None:
    made = await link(api, **TWO)
    key = once(await page(api, made))

    ways = ("fake/COIN", "fake/TOKEN", "fake/COIN")
    replies = [await sent(api, made, once=key, way=way, amount="7") for way in ways]

    first, second, third = (reply.headers["Location"] for reply in replies)
    assert first == third != second
    assert 2 == await invoices(api)


async def test_a_refused_form_may_be_corrected_and_sent_under_its_own_key(api: Api) -> None:
    made = await link(api, amount=LIMITS)
    key = once(await page(api, made))

    replies = [await sent(api, made, once=key, way="fake/COIN", amount=amount) for amount in ("1", "7", "7")]

    assert [422, 303, 303] == [reply.status for reply in replies]
    assert 1 == await invoices(api)


async def test_the_form_of_an_invoice_that_is_over_leads_to_a_new_form(api: Api) -> None:
    made = await link(api)
    key = once(await page(api, made))
    first = await sent(api, made, once=key, way="fake/COIN")
    await pass_deadline(api)

    again = await sent(api, made, "?lang=fr", once=key, way="fake/COIN")

    assert (303, f"/pay/{made['id']}?lang=fr") == (again.status, again.headers["Location"])
    second = await sent(api, made, once=once(await page(api, made)), way="fake/COIN")
    assert first.headers["Location"] != second.headers["Location"]
    assert 2 == await invoices(api)


async def test_the_key_of_a_form_belongs_to_its_link(api: Api) -> None:
    one, other = await link(api), await link(api)
    key = once(await page(api, one))

    replies = [await sent(api, made, once=key, way="fake/COIN") for made in (one, other)]

    assert 2 == len({reply.headers["Location"] for reply in replies})


async def test_the_way_back_shows_the_page_as_it_was(api: Api) -> None:
    reply = await page(api, await link(api))

    assert "private, no-cache" == reply.headers["Cache-Control"]


# --- beside the API


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        pytest.param({}, "application/json", id="nothing said"),
        pytest.param({"Accept": "*/*"}, "application/json", id="anything"),
        pytest.param({"Accept": "application/json"}, "application/json", id="JSON"),
        pytest.param({"Accept": "application/json, text/html;q=0.5"}, "application/json", id="JSON first"),
        pytest.param(HTML, "text/html", id="a browser"),
    ],
)
async def test_a_page_is_for_who_asks_for_one(api: Api, headers: dict[str, str], kind: str) -> None:
    reply = await api.send("GET", f"/pay/{(await link(api))['id']}", headers)

    assert (200, kind) == (reply.status, reply.headers["Content-Type"].partition(";")[0])
    assert "Accept, Accept-Language" == reply.headers["Vary"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Accept": "*/*"}, id="as curl"),
        pytest.param({**FORM, "Accept": "*/*"}, id="as curl without a type"),
        pytest.param(
            {"Accept": "text/html, */*", "Content-Type": "application/json"},
            id="from a program that says it takes pages",
        ),
    ],
)
async def test_a_body_of_json_is_the_apis(api: Api, headers: dict[str, str]) -> None:
    path = f"/pay/{(await link(api))['id']}"

    reply = await api.send("POST", path, headers, data=b'{"asset": "COIN"}')

    assert (201, "application/json") == (reply.status, reply.headers["Content-Type"].partition(";")[0])
