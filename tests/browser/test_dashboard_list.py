"""The dashboard's list of invoices in a real browser: signed in to, filtered, live, readable by everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

import axe
from merchant_stages import staged
from watcher import apikeys
from watcher.apikeys import Scope
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

    SignIn = Callable[..., Awaitable[Page]]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
async def sign_in(api: Api, browser: Browser) -> SignIn:
    """Sign somebody in by the form, and show the page that was asked for."""

    async def signed_in(path: str = "/dashboard", scope: Scope = Scope.WRITE, **options: Any) -> Page:
        browser.expect("401 (Unauthorized)")
        page = await browser.page(api.url + path, **options)
        await page.get_by_label("API key").fill(api.keys[scope])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Invoices")
        return page

    return signed_in


def row(page: Page, words: str) -> Any:
    return page.get_by_role("row").filter(has_text=words)


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["with JavaScript", "without"])
async def test_somebody_signs_in_sees_the_list_asked_for_filters_it_and_signs_out(
    api: Api, sign_in: SignIn, options: dict[str, Any]
) -> None:
    await staged(api, "paid", order_id="Paid-1")
    await staged(api, "pending", order_id="Open-2")
    page = await sign_in("/dashboard?status=paid", **options)
    assert f"{api.url}/dashboard?status=paid" == page.url
    await expect(row(page, "Paid-1")).to_be_visible()
    await expect(row(page, "Open-2")).to_have_count(0)

    await page.get_by_role("link", name="Open", exact=True).click()
    await expect(row(page, "Open-2")).to_be_visible()
    await page.get_by_role("searchbox", name="Search").fill("paid-")
    await page.get_by_role("searchbox", name="Search").press("Enter")
    await expect(page.get_by_text("No invoice matches.")).to_be_visible()
    for status in ("pending", "partial", "confirming"):
        await page.get_by_label(status, exact=True).uncheck()
    await page.get_by_label("from", exact=True).fill("2026-01-01")
    await page.get_by_role("button", name="Show").last.click()
    await expect(row(page, "Paid-1")).to_be_visible()
    assert "q=paid-" in page.url
    assert "from=2026-01-01" in page.url

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    await page.goto(f"{api.url}/dashboard")
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_wrong_key_is_told_beside_the_field(api: Api, browser: Browser) -> None:
    browser.expect("401 (Unauthorized)")
    page = await browser.page(f"{api.url}/dashboard")
    await page.get_by_label("API key").fill("dwk_wrong")
    await page.get_by_label("API key").press("Enter")

    await expect(page.get_by_role("alert")).to_have_text("this API key is wrong or was revoked")
    assert [] == await axe.findings(page)


async def test_a_payment_moves_its_row_without_a_reload_and_keeps_focus_and_scroll(
    api: Api, sign_in: SignIn
) -> None:
    made = await staged(api, "pending", order_id="A-1")
    page = await sign_in()
    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate("window.stayed = true; document.querySelector('.wide').scrollLeft = 60")
    link = row(page, "A-1").get_by_role("link")
    # in one step: a link that is looked up first may be swapped before it is focused
    await page.evaluate(f"document.getElementById('row-{made['id']}').focus({{ preventScroll: true }})")
    await expect(link).to_be_focused()
    api.chain.pay(made["options"][0]["address"], COIN * 4 // 10)
    await api.scan()
    await expect(row(page, "A-1")).to_contain_text("partial")
    await expect(link).to_be_focused()
    api.chain.pay(made["options"][0]["address"], COIN)
    api.chain.mine()
    await api.scan()

    await expect(row(page, "A-1")).to_contain_text("paid overpaid")
    assert [True, 60] == await page.evaluate("[window.stayed, document.querySelector('.wide').scrollLeft]")


async def test_a_new_invoice_appears_and_what_begins_to_wait_goes_to_the_top(
    api: Api, sign_in: SignIn
) -> None:
    page = await sign_in()
    await expect(page.get_by_text("There is no invoice yet.")).to_be_visible()
    await staged(api, "pending", order_id="A-1")
    await expect(row(page, "A-1")).to_be_visible()
    await staged(api, "underpaid", order_id="A-2")

    await expect(page.get_by_role("region", name="What waits for you")).to_contain_text("A-2")


async def test_text_that_somebody_selects_stays_until_they_are_done(api: Api, sign_in: SignIn) -> None:
    made = await staged(api, "pending", order_id="A-1")
    page = await sign_in()
    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    await page.get_by_text("A-1").dblclick()
    api.chain.pay(made["options"][0]["address"], COIN * 4 // 10)
    await api.scan()
    async with page.expect_response("**/dashboard/invoices/*") as _other:  # time enough for a refresh
        await page.evaluate(f"fetch('/dashboard/invoices/{made['id']}').then(() => 0)")

    assert await page.evaluate("!getSelection().isCollapsed")
    assert "pending" in await row(page, "A-1").inner_text()
    await page.evaluate("getSelection().removeAllRanges()")
    await expect(row(page, "A-1")).to_contain_text("partial")


async def test_an_open_page_asks_for_a_key_again_when_its_own_is_revoked(
    api: Api, sign_in: SignIn, browser: Browser
) -> None:
    browser.expect("Status Error Code 401")
    page = await sign_in(scope=Scope.READ)
    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    async with api.context.store.write() as conn:
        await apikeys.revoke(conn, "a read", api.clock())
    await api.invoice()

    await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_page_that_lost_the_daemon_says_so_and_follows_again(
    api: Api, sign_in: SignIn, browser: Browser
) -> None:
    page = await sign_in()
    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    browser.expect("ERR_INTERNET_DISCONNECTED")
    browser.expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
    await page.context.set_offline(True)
    for transport in api.context.streams._open:
        transport.abort()
    await expect(page.get_by_text("offline", exact=True)).to_be_visible()
    await api.invoice(order_id="A-1")
    await page.context.set_offline(False)

    await expect(page.get_by_text("live", exact=True)).to_be_visible()
    await expect(row(page, "A-1")).to_be_visible()


async def test_what_a_stranger_wrote_does_nothing(api: Api, sign_in: SignIn) -> None:
    await staged(api, "underpaid", order_id=HOSTILE, description=HOSTILE, metadata={"a": HOSTILE})
    page = await sign_in()

    await expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert "Invoices - deposit-watcher" == await page.title()
    assert 0 == await page.locator("main img").count()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="desktop, light"),
        pytest.param({"phone": True, "dark": True}, id="phone, dark"),
    ],
)
async def test_the_list_and_the_sign_in_are_sound_for_everybody_and_fit_the_screen(
    api: Api, sign_in: SignIn, options: dict[str, Any]
) -> None:
    for name in ("pending", "partial", "paid", "underpaid", "refunding", "cancelled"):
        await staged(api, name, order_id=f"A-{name}", description="Two tickets")
    page = await sign_in(**options)
    await page.get_by_text("Filters", exact=True).click()

    assert [] == await axe.findings(page)
    assert [] == await _too_wide(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    assert [] == await _too_wide(page)


async def _too_wide(page: Page) -> list[str]:
    """Return what reaches out of the screen: nothing but a table's own box has to be moved sideways."""
    found: list[str] = await page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
        [...document.querySelectorAll("body *")].filter((one) => !one.closest(".wide") && !one.children.length
          && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80))"""
    )
    return found


async def test_the_keyboard_goes_straight_to_the_content(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")

    await expect(page.get_by_role("link", name="All", exact=True)).to_be_focused()
