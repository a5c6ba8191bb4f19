"""The page of an invoice in Chromium: live, without scripts, by keyboard, on a phone and on paper."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

import axe
import npm_packages
from event_streams import until
from merchant_stages import staged
from payer_pages import opened, two_ways
from screenshots import shot
from watcher.api import sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

WEIGHT = 60_000
"""Bytes over the wire of the whole page."""
DECODE = """async (png) => {
  const picture = new Image();
  picture.src = `data:image/png;base64,${png}`;
  await picture.decode();
  const { width, height } = picture;
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.drawImage(picture, 0, 0);
  return jsQR(context.getImageData(0, 0, width, height).data, width, height)?.data;
}"""
FORBIDDEN = """
Object.defineProperty(navigator, "clipboard", { value: undefined });
document.execCommand = () => false;
"""
LOOKED_AT = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
PICTURES = {"pending", "paid", "underpaid"}
NARROW = {"width": 320, "height": 640}
CLEAR = re.compile(r"rgba\(0, 0, 0, 0\)|rgb\(255, 255, 255\)")


@pytest.fixture
async def shop(api: Api) -> AsyncIterator[Api]:
    async with opened(api, shop="Corner Shop", contact="help@shop.example") as one:
        yield one


def url(shop: Api, invoice: dict[str, Any], query: str = "") -> str:
    return f"{shop.url}/i/{invoice['id']}{query}"


async def pay(shop: Api, invoice: dict[str, Any], amount: int = 10**8, *, mined: bool = False) -> None:
    shop.chain.pay(invoice["options"][0]["address"], amount)
    if mined:
        shop.chain.mine()
    await shop.scan()


async def said(page: Page, text: str) -> None:
    await expect(page.locator("#headline")).to_have_text(text)


async def test_a_payment_is_seen_and_confirmed_on_the_open_page(shop: Api, browser: Browser) -> None:
    made = await shop.invoice(confirmations=2, return_url="https://shop.example/thanks")
    page = await browser.page(url(shop, made))
    await page.evaluate("window.same = true")
    await said(page, "Waiting for your payment")

    await pay(shop, made)
    await said(page, "Your payment was seen")
    await expect(page.locator("#news")).to_have_text("Your payment was seen")
    shop.chain.mine()
    await shop.scan()
    await expect(page.locator("label[for=depth]")).to_have_text("1 of 2 confirmations")
    shop.chain.mine()
    await shop.scan()
    await said(page, "Paid")

    await expect(page.locator("#news")).to_have_text("Paid")
    await expect(page).to_have_title("Paid - Corner Shop")
    await expect(page.locator("#back")).to_have_attribute("href", "https://shop.example/thanks")
    assert await page.evaluate("window.same")


async def test_the_page_is_asked_for_again_only_when_something_changed(shop: Api, browser: Browser) -> None:
    made, other = await shop.invoice(), await shop.invoice()
    page = await browser.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.resource_type))
    async with page.expect_response("**/events"):
        await page.goto(url(shop, made))
    await pay(shop, other)
    await pay(shop, made)
    await said(page, "Your payment was seen")

    assert 1 == asked.count("document")
    assert 1 == asked.count("fetch")
    assert 1 == asked.count("eventsource")


async def test_the_choice_and_the_focus_survive_news(shop: Api, browser: Browser) -> None:
    made = await two_ways(shop)
    page = await browser.page(url(shop, made))
    await page.get_by_role("link", name="TOKEN").click()
    await expect(page.locator("#amount")).to_have_text("20")
    await expect(page.locator("#copy-amount")).to_be_visible()  # what is hidden gets no focus
    await page.locator("#copy-amount").focus()
    await pay(shop, made, 5 * 10**7)

    await expect(page.locator("#amount")).to_have_text("10")
    await expect(page.locator("#way-2")).to_have_attribute("aria-current", "true")
    await expect(page.locator("#copy-amount")).to_be_focused()
    await pay(shop, made, 5 * 10**7)
    await said(page, "Your payment was seen")
    await expect(page.locator("#headline")).to_be_focused()


async def test_without_javascript_every_way_has_its_code_and_its_link(shop: Api, browser: Browser) -> None:
    made = await two_ways(shop)
    page = await browser.page(url(shop, made), javascript=False)
    first = await page.locator("#wallet").get_attribute("href")
    await page.get_by_role("link", name="TOKEN").click()
    second = await page.locator("#wallet").get_attribute("href")

    assert first
    assert second
    assert ["value=100000000", "uint256=20000000"] == [re.split("[?&]", each)[-1] for each in (first, second)]
    await expect(page.locator(".code svg")).to_be_visible()
    await expect(page.locator("#deadline")).to_have_text("2026-01-01 13:00:00 UTC")
    await expect(page.locator("button")).to_have_count(2)
    assert [] == [each for each in await page.locator("button").all() if await each.is_visible()]
    await page.get_by_role("link", name="Français").click()
    await expect(page.locator("#amount")).to_have_text("20")
    await expect(page.locator("#how")).to_have_text("Comment payer")


async def test_a_click_that_has_begun_is_not_lost_to_news(shop: Api, browser: Browser) -> None:
    made = await shop.invoice()
    page = await browser.page(url(shop, made))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.resource_type))
    await page.locator("#copy-amount").hover()
    await page.mouse.down()
    await pay(shop, made, 4 * 10**7)
    await until(lambda: asked.count("fetch") == 2)  # the first answer was put off: the page asks again
    await page.mouse.up()

    await expect(page.locator("#amount")).to_have_text("0.6")
    assert "1" == await page.evaluate("navigator.clipboard.readText()")


async def test_the_code_as_a_camera_sees_it_is_the_wallet_link(shop: Api, browser: Browser) -> None:
    page = await browser.page(url(shop, await two_ways(shop), "?option=2"), phone=True, dark=True)
    camera = await browser.page()
    await camera.evaluate(npm_packages.read("jsqr/dist/jsQR.js").decode())
    picture = base64.b64encode(await page.screenshot(full_page=True)).decode()

    assert await page.locator("#wallet").get_attribute("href") == await camera.evaluate(DECODE, picture)


async def test_amount_and_address_are_copied_exactly(shop: Api, browser: Browser) -> None:
    made = await shop.invoice(amount="0.12345678")
    page = await browser.page(url(shop, made))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.clock.install()  # "Copied" is said for two seconds, which pass when the test says so
    copied = []
    for name in ("amount", "address"):
        await page.locator(f"#copy-{name}").click()
        await expect(page.locator(f"#copy-{name}")).to_have_text("Copied")
        copied.append(await page.evaluate("navigator.clipboard.readText()"))

    assert ["0.12345678", made["options"][0]["address"]] == copied
    await expect(page.locator("#news")).to_have_text(f"Copied: {copied[1]}")
    await page.clock.run_for(2_000)
    await expect(page.locator("#copy-amount")).to_have_text("Copy the amount")


async def test_where_the_clipboard_is_forbidden_the_text_is_marked(shop: Api, browser: Browser) -> None:
    page = await browser.page()
    await page.add_init_script(FORBIDDEN)
    await page.goto(url(shop, await shop.invoice(amount="0.5")))
    await page.locator("#copy-amount").click()

    assert "0.5" == await page.evaluate("getSelection().toString()")
    await expect(page.locator("#copy-amount")).to_have_text("Copy the amount")


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        pytest.param("en", "This page has lost its connection.", id="English"),
        pytest.param("fr", "Cette page a perdu la connexion.", id="French"),
    ],
)
async def test_a_page_that_lost_the_daemon_says_so_until_it_is_back(
    shop: Api, browser: Browser, locale: str, words: str
) -> None:
    page = await browser.page(url(shop, await shop.invoice()), locale=locale)
    await until(lambda: bool(shop.context.streams._open))
    browser.expect("ERR_INTERNET_DISCONNECTED")
    browser.expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
    notice = page.get_by_text(words)
    await expect(notice).to_be_hidden()

    await page.context.set_offline(True)
    for transport in shop.context.streams._open:
        transport.abort()

    await expect(notice).to_be_visible()
    await page.context.set_offline(False)
    await expect(notice).to_be_hidden()


async def test_the_countdown_goes_by_the_servers_clock_and_ends_the_asking(
    shop: Api, browser: Browser
) -> None:
    made = await shop.invoice()
    page = await browser.page()
    await page.clock.install(time="2019-12-31T23:00:00Z")  # what this device believes; its time stands still
    await page.clock.pause_at("2019-12-31T23:59:50Z")
    await page.goto(url(shop, made))
    await expect(page.locator("#left")).to_have_text("1:00:00")
    shop.clock.advance(3598)
    await page.reload()
    await expect(page.locator("#left")).to_have_text("00:02")
    await page.clock.run_for(1_000)
    await expect(page.locator("#left")).to_have_text("00:01")
    shop.clock.advance(5)
    await page.clock.run_for(1_000)

    await said(page, "The time to pay is over")
    await expect(page.locator("#address")).to_have_count(0)


async def test_a_page_whose_stream_is_refused_asks_from_time_to_time(shop: Api, browser: Browser) -> None:
    browser.expect("503")
    made = await shop.invoice()
    shop.context.streams.most = 0
    page = await browser.page()
    async with page.expect_response(lambda answer: answer.status == 503):
        await page.goto(url(shop, made))
    await pay(shop, made)
    await said(page, "Your payment was seen")
    shop.context.streams.most = 10
    async with page.expect_response(lambda answer: answer.url.endswith("/events") and answer.ok):
        pass
    await pay(shop, made, 1, mined=True)
    await said(page, "Paid")


async def test_a_page_that_nobody_looks_at_lets_its_stream_go_and_catches_up(
    shop: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.05)
    made = await shop.invoice()
    page = await browser.page()
    await page.clock.install()
    async with page.expect_response("**/events"):
        await page.goto(url(shop, made))
    await until(lambda: len(shop.context.payer_feed) == 1)
    await page.evaluate(LOOKED_AT, True)
    await page.clock.run_for(61_000)
    await until(lambda: not len(shop.context.payer_feed))
    await pay(shop, made)
    await said(page, "Waiting for your payment")
    async with page.expect_response("**/events"):
        await page.evaluate(LOOKED_AT, False)

    await said(page, "Your payment was seen")


async def test_nobody_is_left_out_in_any_state_and_light(shop: Api, browser: Browser) -> None:
    page = await browser.page()
    found = []
    for stage in ("pending", "partial", "confirming", "paid", "underpaid", "refunding"):
        made = await staged(shop, stage, description="Two cups and a plate")
        await page.goto(url(shop, made))
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found += await axe.findings(page)
        if stage in PICTURES:
            await shot(page, f"payer-{stage}")

    assert [] == found


async def test_a_small_phone_shows_everything_without_scrolling_sideways(shop: Api, browser: Browser) -> None:
    made = await two_ways(shop, description="W" * 120)
    shop.chain.pay(made["options"][0]["address"], 12345678)
    await shop.scan()
    page = await browser.page(url(shop, made, "?option=2&lang=fr"), phone=True)
    await page.set_viewport_size(NARROW)

    assert 320 == await page.evaluate("document.documentElement.scrollWidth")
    for name in ("#amount", "#address", "#copy-address", "#wallet", ".code svg"):
        box = await page.locator(name).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320


async def test_the_keyboard_reaches_everything_in_its_order_and_shows_where_it_is(
    shop: Api, browser: Browser
) -> None:
    page = await browser.page(url(shop, await two_ways(shop)))
    found = []
    for _ in range(5):
        await page.keyboard.press("Tab")
        found.append(await page.evaluate("document.activeElement.id"))
        ring = "s => s.outlineStyle !== 'none' || s.boxShadow !== 'none' || s.textDecorationLine !== 'none'"
        assert await page.evaluate(f"({ring})(getComputedStyle(document.activeElement))")

    assert ["way-1", "way-2", "copy-amount", "copy-address", "wallet"] == found


async def test_on_paper_amount_address_and_code_are_black_on_white(shop: Api, browser: Browser) -> None:
    page = await browser.page(url(shop, await two_ways(shop)), dark=True)
    await page.emulate_media(media="print", color_scheme="dark")

    for name in ("body", "#amount", "#address", ".warning"):
        ink, paper = await page.locator(name).evaluate(
            "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
        )
        assert "rgb(0, 0, 0)" == ink
        assert CLEAR.fullmatch(paper)
    await expect(page.locator(".code svg")).to_be_visible()
    assert [] == [one for one in await page.locator("button, a[role=button]").all() if await one.is_visible()]


async def test_the_page_speaks_french_to_a_french_browser(shop: Api, browser: Browser) -> None:
    made = await shop.invoice()
    page = await browser.page(url(shop, made), locale="fr-FR")
    await said(page, "En attente de votre paiement")
    await pay(shop, made)

    await said(page, "Votre paiement a été vu")
    assert "fr" == await page.locator("html").get_attribute("lang")


async def test_the_whole_page_weighs_little(shop: Api, browser: Browser) -> None:
    made = await two_ways(shop, description="Two cups and a plate")
    page = await browser.page()
    wire = await page.context.new_cdp_session(page)
    await wire.send("Network.enable")
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await page.goto(url(shop, made, "?option=2"), wait_until="load")

    assert len(sizes) >= 5
    assert 10_000 < sum(sizes) <= WEIGHT
