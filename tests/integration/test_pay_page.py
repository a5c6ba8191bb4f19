"""A payment link as a page: what it shows, what its form makes, and how it tells what is wrong."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from link_scene import COIN, LIMITS, TOKEN, invoice, link
from pay_form import ENGLISH, FRENCH, TWO, email, invoices, once, page, sent, text
from watcher import links_opening
from watcher.errors import Refused
from watcher.pages.pay_shown import WRONG

if TYPE_CHECKING:
    from api_server import Api
    from watcher.pages.languages import Language

# --- what is shown


async def test_a_browser_sees_the_offer_and_makes_nothing_by_looking(api: Api) -> None:
    made = await link(api, description="A coffee", valid_until="2099-01-01T00:00:00Z")

    replies = [await page(api, made) for _ in range(3)]

    assert [200] * 3 == [reply.status for reply in replies]
    assert 3 == len({once(reply) for reply in replies})
    assert 0 == await invoices(api)
    shown = text(replies[0])
    assert "A coffee" in shown
    assert "1 COIN on Fake" in shown
    assert "You then have 1 h to pay. This page is valid until 2099-01-01 00:00:00 UTC." in shown


async def test_each_way_is_shown_with_its_own_limits(api: Api) -> None:
    shown = text(await page(api, await link(api, **TWO)))

    assert "5 \u2013 100 COIN on Fake" in shown
    assert "1 \u2013 9 TOKEN on Fake" in shown


@pytest.mark.parametrize(
    ("query", "accepted", "words"),
    [
        pytest.param("", "fr-CH, en;q=0.5", "Continuer vers le paiement", id="as the browser asks"),
        pytest.param("?lang=en", "fr", "Continue to the payment", id="as it was chosen"),
        pytest.param(
            "?utm_source=mail&lang=fr", "en", "Continuer vers le paiement", id="with what messengers add"
        ),
        pytest.param("?lang=xx", "fr", "Continuer vers le paiement", id="chosen, but not there"),
        pytest.param("", "", "Continue to the payment", id="nothing said"),
    ],
)
async def test_the_page_speaks_the_payers_language(api: Api, query: str, accepted: str, words: str) -> None:
    reply = await page(api, await link(api), query, **{"Accept-Language": accepted})

    assert words in text(reply)
    assert "Accept, Accept-Language" == reply.headers["Vary"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"expires_in": 90}, "90 seconds", id="seconds"),
        pytest.param({"expires_in": 900}, "15 min", id="minutes"),
        pytest.param({"expires_in": 7200}, "2 h", id="hours"),
        pytest.param({"expires_in": 86400}, "have 24 h to pay", id="one day"),
        pytest.param({"expires_in": 172800}, "2 days", id="days"),
        pytest.param({"fees": {"payer": "customer", "percent": "1"}}, "Fees are added", id="fees"),
    ],
)
async def test_the_terms_are_told_before_an_invoice_is_made(
    api: Api, fields: dict[str, Any], words: str
) -> None:
    assert words in text(await page(api, await link(api, **fields)))


HOSTILE = "</title></h1><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\"'"


async def test_a_hostile_description_and_what_was_typed_are_text(api: Api) -> None:
    made = await link(api, description=HOSTILE, amount=LIMITS)

    for reply in (await page(api, made), await sent(api, made, amount=HOSTILE, refund_address=HOSTILE[:128])):
        html = reply.body.decode()
        assert "<script" not in html
        assert "<img" not in html
        assert HOSTILE in unescape(html)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"valid_for": 5}, "not_valid_any_more", id="its time is over"),
        pytest.param({"max_uses": 1}, "used_up", id="it was used"),
    ],
)
async def test_a_link_that_cannot_be_used_says_why_in_place_of_the_form(
    api: Api, fields: dict[str, Any], reason: str
) -> None:
    made = await link(api, **fields)
    await invoice(api, made)
    api.clock.advance(10)

    seen, refused = await page(api, made), await sent(api, made, way="fake/COIN")

    for reply in (seen, refused):
        assert ENGLISH.words[f"pay_wrong_{reason}"] in text(reply)
        assert b"<form" not in reply.body
    assert (200, 409, 1) == (seen.status, refused.status, await invoices(api))


async def test_a_link_that_is_gone_or_never_was_is_404_in_both(api: Api) -> None:
    made = await link(api)
    await api.call("DELETE", f"/v1/links/{made['id']}")

    for one in (made, {"id": "lnk_none"}):
        seen, refused = await page(api, one), await sent(api, one)
        assert [404, 404] == [seen.status, refused.status]
        assert "There is nothing here" in text(seen)


# --- the form


async def test_the_form_makes_the_invoice_that_was_asked_for_and_leads_to_it(api: Api) -> None:
    made = await link(api, **TWO)
    key = once(await page(api, made))

    reply = await sent(
        api, made, once=key, way="fake/TOKEN", amount=" 7.5 ", customer_email="jo@shop.example"
    )

    id_ = reply.headers["Location"].removeprefix("/i/")
    shop = (await api.get(f"/v1/invoices/{id_}")).json
    assert (303, "jo@shop.example", "en") == (reply.status, await email(api, id_), shop["language"])
    assert [("TOKEN", "7.5")] == [(one["asset"], one["amount"]) for one in shop["options"]]


async def test_the_language_that_was_chosen_by_hand_goes_on(api: Api) -> None:
    reply = await sent(api, await link(api), "?lang=fr", way="fake/COIN")

    place = reply.headers["Location"]
    shop = (await api.get(f"/v1/invoices/{place.removeprefix('/i/').removesuffix('?lang=fr')}")).json
    assert place.endswith("?lang=fr")
    assert "fr" == shop["language"]


async def test_a_refund_address_goes_with_the_way_that_was_chosen(api: Api) -> None:
    made = await link(api, options=[{**COIN, "amount": "1"}, {**TOKEN, "amount": "1"}])
    elsewhere = "fake100000099"

    refused = await sent(api, made, refund_address=elsewhere)
    reply = await sent(api, made, way="fake/COIN", refund_address=elsewhere)

    shop = (await api.get(f"/v1/invoices/{reply.headers['Location'].removeprefix('/i/')}")).json
    assert (422, True) == (refused.status, ENGLISH.words["pay_wrong_choice_needed"] in text(refused))
    assert [elsewhere] == [one["refund_address"] for one in shop["options"]]


LONG = "x" * 129
WRONG_FORMS = [
    ("no amount", {"way": "fake/COIN"}, "amount", "amount_needed"),
    ("too little", {"way": "fake/COIN", "amount": "4"}, "amount", "amount_out_of_range"),
    ("too much", {"way": "fake/TOKEN", "amount": "9.1"}, "amount", "amount_out_of_range"),
    ("a comma", {"way": "fake/COIN", "amount": "25,50"}, "amount", "amount"),
    ("no number", {"way": "fake/COIN", "amount": "<b>"}, "amount", "amount"),
    ("too many decimals", {"way": "fake/COIN", "amount": "5.123456789"}, "amount", "invalid_amount"),
    ("no way", {"amount": "7"}, "way", "choice_needed"),
    ("another asset", {"way": "fake/GOLD", "amount": "7"}, "way", "not_offered"),
    ("another chain", {"way": "else/COIN", "amount": "7"}, "way", "not_offered"),
    ("no email", {"way": "fake/COIN", "amount": "7", "customer_email": "jo"}, *["customer_email"] * 2),
    ("no address", {"way": "fake/COIN", "amount": "7", "refund_address": LONG}, *["refund_address"] * 2),
    (
        "no address of the chain",
        {"way": "fake/COIN", "amount": "7", "refund_address": "0xfake"},
        "refund_address",
        "invalid_address",
    ),
]
"""What is wrong, the form, the field at which it is told, and the text."""


@pytest.mark.parametrize("language", [ENGLISH, FRENCH], ids=["en", "fr"])
async def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    api: Api, language: Language
) -> None:
    made = await link(api, **TWO)
    first = once(await page(api, made))
    for what, fields, field, key in WRONG_FORMS:
        reply = await sent(api, made, f"?lang={language.code}", once=first, **fields)

        html = reply.body.decode()
        said = re.search(rf'id="wrong-{field}">([^<]*)<', html)
        assert said, (what, html)
        assert (422, language.words[f"pay_wrong_{key}"]) == (reply.status, unescape(said[1])), what
        assert first == once(reply)
        for value in fields.values():
            assert f'value="{value}"' in unescape(html) or key == "not_offered", what
    assert 0 == await invoices(api)


async def test_a_link_that_was_opened_too_often_is_429_and_says_when_to_come_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await link(api)
    monkeypatch.setattr(links_opening, "OPEN_LIMIT", 0)

    reply = await sent(api, made, way="fake/COIN")

    assert (429, "60") == (reply.status, reply.headers["Retry-After"])
    assert ENGLISH.words["pay_wrong_too_many_open"] in text(reply)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param("chain_not_ready", ENGLISH.words["pay_wrong_chain_not_ready"], id="that has words"),
        pytest.param("something_new", "the chain is asleep", id="that has none"),
    ],
)
async def test_what_concerns_no_field_stands_above_the_form(
    api: Api, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    async def refuse(*_: Any) -> None:
        raise Refused(code, "the chain is asleep", status=503)

    made = await link(api)
    monkeypatch.setattr(api.context.payment_links, "open", refuse)

    reply = await sent(api, made, way="fake/COIN")

    assert 503 == reply.status
    assert f'<p role="alert" class="wrong">{words}</p>' in unescape(reply.body.decode())
    assert b"<form" in reply.body


def test_every_code_that_has_words_has_them_in_every_language_of_ours() -> None:
    for language in (ENGLISH, FRENCH):
        assert not {code for code in WRONG if f"pay_wrong_{code}" not in language.words}
