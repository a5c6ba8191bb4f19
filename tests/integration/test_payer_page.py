"""The page of an invoice over HTTP: each state, nothing of the merchant's, nothing that is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from merchant_stages import STAGES, staged
from payer_pages import CONTRACT, EXPLORER, HTML, opened, page, two_ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_server import Api

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAID = {
    "pending": "Waiting for your payment Send exactly 1 COIN.",
    "pending with another asset": "Something arrived that was not asked for: TOKEN. It does not count",
    "partial": "A part of it has arrived Still missing: 0.6 COIN.",
    "confirming": "Your payment was seen It waits for the network",
    "paid": "Paid Thank you.",
    "overpaid": "You sent more than was asked for.",
    "underpaid": "Too little was paid in time It was short by 0.6 COIN.",
    "underpaid, not confirmed": "Too little was paid in time It was short by 0.6 COIN.",
    "expired": "The time to pay is over Nothing arrived in time.",
    "expired with late money": "Your payment came too late",
    "accepted": "Paid Thank you.",
    "refunding": "Your money goes back to you Below you see where it goes",
    "refunded": "Your money was sent back",
    "refunded with more": "Your money was sent back",
    "cancelled": "The shop withdrew this payment",
    "cancelled with money": "The shop withdrew this payment",
}
ASKING = {"pending", "pending with another asset", "partial"}
SECRETS = {
    "order_id": "canary-order",
    "metadata": {"canary-name": "canary-value"},
    "customer_email": "canary@customer.example",
    "webhook_url": "https://canary-hook.example/path",
    "fees": {"percent": "1.2345", "fixed": "0", "payer": "merchant"},
    "tolerance": {"absolute": "0.01234"},
    "late": "hold",
}
HIDDEN = ("canary", "1.2345", "0.01234", "0.98766", "webhook", "metadata", "order_id", "policy", "sequence")


@pytest.fixture
async def shop(api: Api) -> AsyncIterator[Api]:
    async with opened(api, shop="Corner Shop", contact="help@shop.example") as one:
        yield one


def path(invoice: dict[str, Any], query: str = "") -> str:
    return f"/i/{invoice['id']}{query}"


async def test_each_state_is_said_and_nothing_of_the_merchant(shop: Api) -> None:
    for stage in STAGES:
        made = await staged(shop, stage, **SECRETS)
        found = await page(shop, path(made))

        assert 200 == found.status
        assert SAID[stage] in found.text
        assert (stage in ASKING) == ("Open in a wallet" in found.text)
        assert (stage in ASKING) == ('id="address"' in found.html)
        assert [] == [word for word in HIDDEN if word in found.html]


async def test_a_refund_shows_where_it_goes_and_not_why(shop: Api) -> None:
    made = await staged(shop, "underpaid")
    body = {"address": "fake100000999", "reason": "canary-reason"}
    refund = (await shop.post(f"/v1/invoices/{made['id']}/refund", body)).json
    found = await page(shop, path(made))

    assert f"{refund['arrives']} COIN → fake100000999 The shop will send it." in found.text
    assert "canary" not in found.html


async def test_the_time_to_pay_is_over_by_the_servers_clock_before_the_chain_proves_it(shop: Api) -> None:
    made = await two_ways(shop)
    shop.clock.advance(3600)
    found = await page(shop, path(made))

    assert "closing" == found.state
    assert "Please send nothing more now." in found.text
    assert 'id="address"' not in found.html


async def test_how_deep_the_payment_is_stands_there_as_words_and_as_a_bar(shop: Api) -> None:
    made = await shop.invoice(confirmations=3)
    shop.chain.pay(made["options"][0]["address"], 10**8)
    shop.chain.mine(2)
    await shop.scan()
    found = await page(shop, path(made))

    assert "confirming" == found.state
    assert '<progress id="depth" value="2" max="3">' in found.html
    assert 2 == found.text.count("2 of 3 confirmations")


async def test_a_payment_is_linked_to_the_explorer_by_its_whole_id(shop: Api) -> None:
    made = await shop.invoice()
    txid = shop.chain.pay(made["options"][0]["address"], 10**7)
    await shop.scan()
    found = await page(shop, path(made))

    assert f'href="{EXPLORER.format(txid=txid)}" rel="noreferrer"' in found.html
    assert f"{txid[:8]}…{txid[-8:]} seen, not confirmed yet" in found.text


async def test_a_payment_that_is_gone_is_remarked(shop: Api) -> None:
    made = await shop.invoice()
    txid = shop.chain.pay(made["options"][0]["address"], 10**8)
    await shop.scan()
    shop.chain.drop(txid)
    await shop.scan()
    found = await page(shop, path(made))

    assert "waiting" == found.state
    assert "A payment that was seen is gone again" in found.text


async def test_the_way_back_is_there_once_it_is_paid(shop: Api) -> None:
    made = await shop.invoice(return_url="https://shop.example/thanks?a=1&b=2")
    before = await page(shop, path(made))
    shop.chain.pay(made["options"][0]["address"], 10**8)
    shop.chain.mine()
    await shop.scan()
    after = await page(shop, path(made))

    assert "shop.example/thanks" not in before.html
    assert '<a id="back" class="button" href="https://shop.example/thanks?a=1&amp;b=2"' in after.html
    assert "Back to Corner Shop" in after.text


@pytest.mark.parametrize(
    ("query", "asset", "uri"),
    [
        pytest.param("", "COIN", "ethereum:{address}@1?value=100000000", id="none chosen"),
        pytest.param("?option=1", "COIN", "ethereum:{address}@1?value=100000000", id="the first"),
        pytest.param(
            "?option=2",
            "TOKEN",
            f"ethereum:{CONTRACT}@1/transfer?address={{address}}&amp;uint256=20000000",
            id="the second",
        ),
        pytest.param(
            "?option=7&fbclid=x&utm=1", "COIN", "ethereum:{address}@1?value=100000000", id="another"
        ),
    ],
)
async def test_each_way_to_pay_has_its_own_link_code_and_warning(
    shop: Api, query: str, asset: str, uri: str
) -> None:
    made = await two_ways(shop)
    found = await page(shop, path(made, query))

    assert f'href="{uri.format(address=made["options"][0]["address"])}"' in found.html
    assert f"Send only {asset} on Ethereum." in found.text
    assert 1 == found.html.count("<svg")
    assert 1 == found.html.count('aria-current="true">' + asset)


async def test_the_choice_and_the_language_keep_each_other(shop: Api) -> None:
    made = await two_ways(shop)
    found = await page(shop, path(made, "?lang=fr&option=2"))

    assert 'href="?lang=fr&amp;option=1"' in found.html
    assert 'href="?lang=en&amp;option=2"' in found.html
    assert "Envoyez seulement des TOKEN sur Ethereum." in found.text


async def test_the_page_speaks_the_language_of_the_browser(shop: Api) -> None:
    made = await two_ways(shop)
    found = await page(shop, path(made), **{"Accept-Language": "fr-CH, en;q=0.5"})

    assert '<html lang="fr"' in found.html
    assert "En attente de votre paiement" in found.text
    assert "Accept, Accept-Language" == found.headers["Vary"]


HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{7*7}}{%x%}\u202e&amp;"""


async def test_hostile_words_are_shown_as_words(api: Api) -> None:
    fields = {"description": HOSTILE, "order_id": HOSTILE, "metadata": {HOSTILE: HOSTILE}}
    made = await two_ways(api, **fields)
    async with opened(api, shop=HOSTILE) as shop:
        found = await page(shop, path(made))

    assert 2 == found.text.count(HOSTILE)
    assert "<script>" not in found.html
    assert "<img" not in found.html


async def test_what_is_in_the_address_line_is_not_on_the_page(shop: Api) -> None:
    made = await two_ways(shop)
    found = await page(shop, path(made, "?option=%22%3E%3Cscript%3E&lang=%22%3E%3Cb%3E"))

    assert 200 == found.status
    assert "script>&" not in found.html
    assert 'lang="&#34;&gt;&lt;b&gt;' not in found.html
    assert "<b>" not in found.html


async def test_a_page_allows_no_code_but_its_own_files_and_no_frame(shop: Api) -> None:
    found = await page(shop, path(await two_ways(shop)))

    assert POLICY == found.headers["Content-Security-Policy"]
    assert "DENY" == found.headers["X-Frame-Options"]
    assert "no-referrer" == found.headers["Referrer-Policy"]
    assert "no-store" == found.headers["Cache-Control"]
    assert [] == [word for word in (" style=", "<style", " onclick", "javascript:") if word in found.html]


async def test_a_shop_may_frame_the_page_where_the_configuration_says_so(api: Api) -> None:
    made = await two_ways(api)
    async with opened(api, frame_ancestors=("https://shop.example",)) as shop:
        found = await page(shop, path(made))

    policy = found.headers["Content-Security-Policy"]
    assert POLICY.replace("frame-ancestors 'none'", "frame-ancestors https://shop.example") == policy
    assert "X-Frame-Options" not in found.headers


async def test_an_unknown_payment_is_a_page_that_says_so(shop: Api) -> None:
    found = await page(shop, "/i/inv_nothing")

    assert 404 == found.status
    assert "There is nothing here." in found.text


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
async def test_programs_get_json_as_ever(shop: Api, accept: str) -> None:
    made = await two_ways(shop)
    reply = await shop.send("GET", path(made), {"Accept": accept})

    assert (200, made["id"]) == (reply.status, reply.json["id"])
    assert "Accept, Accept-Language" == reply.headers["Vary"]


async def test_who_asks_too_often_gets_a_page_that_says_when_to_come_again(api: Api) -> None:
    made = await two_ways(api)
    async with opened(api, rate=1) as shop:
        replies = [await shop.send("GET", path(made), HTML) for _ in range(3)]

    refused = replies[-1]
    assert (429, "1") == (refused.status, refused.headers["Retry-After"])
    assert b"Too much is going on right now." in refused.body
    assert POLICY == refused.headers["Content-Security-Policy"]


async def test_without_javascript_the_page_comes_again_while_something_may_change(shop: Api) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="20"></noscript>'
    open_ = await page(shop, path(await staged(shop, "pending")))
    paid = await page(shop, path(await staged(shop, "paid")))

    assert [True, False] == [refresh in one.html for one in (open_, paid)]


async def test_a_payers_page_tells_the_clock_and_which_state_it_shows(shop: Api) -> None:
    made = await two_ways(shop)
    first = await page(shop, path(made))
    shop.clock.advance(5)
    second = await page(shop, path(made))

    assert made["expires_at"] == first.attribute("datetime")
    assert [first.attribute("data-now"), second.attribute("data-now")] == sorted(
        {first.attribute("data-now"), second.attribute("data-now")}
    )
    assert first.attribute("data-version") == second.attribute("data-version")
