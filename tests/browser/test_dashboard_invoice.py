"""An invoice in the dashboard, in a real browser: decided by keyboard alone, live, readable by everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

import axe
from dashboard import sign_in
from dashboard_forms import PAYER, place
from merchant_stages import staged
from watcher.apikeys import Scope
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

    Open = Callable[..., Awaitable[Page]]

_TWO_ROUNDS = """new Promise((done) => {
  let rounds = 0;
  document.body.addEventListener("changed", () => ++rounds === 2 && done());
  document.addEventListener("htmx:afterSwap", () => done());
})"""
"""Until the page put news off and was reminded of them, or showed them."""


@pytest.fixture
async def open_(api: Api, browser: Browser) -> Open:
    """Open a page of somebody who is signed in."""

    async def opened(path: str, **options: Any) -> Page:
        name, _, value = (await sign_in(api, Scope.WRITE)).cookie.partition("=")
        page = await browser.page(**options)
        await page.context.add_cookies([{"name": name, "value": value, "url": f"{api.url}/dashboard"}])
        await page.goto(api.url + path)
        return page

    return opened


async def to(page: Page, role: str, name: str) -> None:
    """Move on with the key that everybody has, to what a screen reader calls so."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(60):
        if await wanted.and_(page.locator(":focus")).count():
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not reach {role} {name!r}")


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["with JavaScript", "without"])
async def test_an_invoice_is_accepted_with_the_keyboard_alone(
    api: Api, open_: Open, options: dict[str, Any]
) -> None:
    invoice = await staged(api, "underpaid", order_id="A-1001")
    page = await open_(place(invoice), **options)
    await to(page, "button", "Accept")
    await page.keyboard.press("Space")
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Accept what came as the whole payment")
    await to(page, "textbox", "Reason (optional)")
    await page.keyboard.type("an old customer")
    await to(page, "button", "Accept: the invoice is paid")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("status").filter(has_text="Done. Accepted.")).to_be_visible()
    await expect(page.get_by_text("Reason: an old customer")).to_be_visible()
    assert f"{api.url}{place(invoice)}?done=accept" == page.url
    assert "paid" == (await api.get(f"/v1/invoices/{invoice['id']}")).json["status"]


async def test_a_payment_appears_in_the_story_without_a_reload(api: Api, open_: Open) -> None:
    invoice = await staged(api, "pending")
    page = await open_(place(invoice))
    await expect(page.get_by_text("Nothing came yet.")).to_be_visible()
    await page.evaluate("window.stayed = true")
    api.chain.pay(invoice["options"][0]["address"], COIN * 4 // 10)
    await api.scan()

    story = page.get_by_role("region", name="What happened")
    await expect(story.get_by_text("Payment seen")).to_be_visible()
    await expect(story.get_by_text("Partly paid")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert await page.evaluate("window.stayed")


async def test_what_has_the_focus_keeps_it_when_the_page_shows_news(api: Api, open_: Open) -> None:
    invoice = await staged(api, "partial")
    page = await open_(place(invoice))
    button = page.get_by_role("button", name="Accept", exact=True)
    await button.focus()
    api.chain.pay(invoice["options"][0]["address"], COIN // 10)
    await api.scan()

    await expect(page.get_by_role("region", name="Payments").get_by_role("row")).to_have_count(3)
    await expect(button).to_be_focused()


@pytest.mark.parametrize("with_keys", [False, True], ids=["the mouse", "the keyboard"])
async def test_a_press_that_has_begun_is_not_lost_to_news(api: Api, open_: Open, *, with_keys: bool) -> None:
    invoice = await staged(api, "partial")
    page = await open_(place(invoice))
    button = page.get_by_role("button", name="Accept", exact=True)
    if with_keys:
        await button.focus()
        await page.keyboard.down("Space")
    else:
        await button.hover()
        await page.mouse.down()
    api.chain.pay(invoice["options"][0]["address"], COIN // 10)
    await api.scan()
    await page.evaluate(_TWO_ROUNDS)
    await (page.keyboard.up("Space") if with_keys else page.mouse.up())

    await expect(page.get_by_role("heading", level=1)).to_have_text("Accept what came as the whole payment")


async def test_a_double_click_decides_once(api: Api, open_: Open) -> None:
    invoice = await staged(api, "underpaid")
    page = await open_(place(invoice, "/accept"))
    await page.get_by_role("button", name="Accept: the invoice is paid").dblclick(no_wait_after=True)

    await expect(page.get_by_role("status").filter(has_text="Done. Accepted.")).to_be_visible()
    explained = (await api.get(f"/v1/invoices/{invoice['id']}/explain")).json
    assert 1 == len(explained["decisions"])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="desktop, light"),
        pytest.param({"phone": True, "dark": True}, id="phone, dark"),
    ],
)
async def test_invoice_decision_and_refund_are_sound_for_everybody_and_fit_the_screen(
    api: Api, open_: Open, browser: Browser, options: dict[str, Any]
) -> None:
    waits = await staged(api, "underpaid", order_id="A-1001", description="x" * 200, metadata={"a": "b"})
    refunding = await staged(api, "refunding")
    refund = f"/refunds/{refunding['refunds'][0]['id']}"
    page = await open_(place(waits), **options)
    browser.expect("status of 4")  # what is typed wrong below is answered with 422
    for path in (
        *(place(waits, then) for then in ("", "/accept", "/extend", "/refund")),
        *(place(refunding, refund + then) for then in ("", "/sent", "/address", "/withdraw")),
        place(await staged(api, "pending"), "/cancel"),
    ):
        await page.goto(api.url + path)

        assert [] == await _wrong(page), path
    await page.goto(api.url + place(waits, "/refund"))
    await page.get_by_label("Address of the payer").fill(PAYER)
    await page.get_by_role("button", name="See what follows").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Request a refund of 0.4 COIN")
    assert [] == await _wrong(page)
    await page.goto(api.url + place(waits, "/refund"))
    await page.get_by_role("button", name="See what follows").click()
    field = page.get_by_label("Address of the payer")
    await expect(field).to_have_accessible_description(
        "Ask the payer for one. Never take the sender of a payment for it: that is often an exchange."
        " is required: the payer named no refund_address"
    )
    assert [] == await _wrong(page)


async def _wrong(page: Page) -> list[str]:
    """What is serious for axe-core, or lies beside the screen; and whether there is one heading of all."""
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = [f"the page is {wide} points wider than the screen"] if wide > 0 else []
    if await page.get_by_role("heading", level=1).count() != 1:
        found.append("there is not one heading of level 1")
    return found + await axe.findings(page)
