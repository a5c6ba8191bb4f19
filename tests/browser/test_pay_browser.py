"""A payment link in a real browser: the form without JavaScript, the way back, and impatient clicks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect
from sqlalchemy import func, select

import axe
import screenshots
from link_scene import COIN, LIMITS, TOKEN, link
from watcher.tables import INVOICE

if TYPE_CHECKING:
    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

WAYS = {"options": [{**COIN, "amount": LIMITS}, {**TOKEN, "amount": LIMITS}], "description": "A coffee"}


def place(api: Api, made: dict[str, Any]) -> str:
    return f"{api.url}/pay/{made['id']}"


async def fill(page: Page, amount: str) -> None:
    await page.get_by_label("5 \u2013 100 TOKEN").check()
    await page.get_by_label("Amount").fill(amount)


async def invoices(api: Api) -> int:
    async with api.context.store.read() as conn:
        return int((await conn.execute(select(func.count()).select_from(INVOICE))).scalar_one())


@pytest.mark.parametrize("javascript", [False, True], ids=["without JavaScript", "with JavaScript"])
async def test_the_way_back_and_another_click_lead_to_the_same_invoice(
    api: Api, browser: Browser, *, javascript: bool
) -> None:
    page = await browser.page(place(api, await link(api, **WAYS)), javascript=javascript)
    await fill(page, "7.5")
    async with page.expect_navigation(url="**/i/*"):
        await page.get_by_role("button").click()
    first = page.url

    await page.go_back()
    await fill(page, "7.5")
    async with page.expect_navigation(url="**/i/*"):
        await page.get_by_role("button").click()
    await page.reload()

    assert first == page.url
    assert 1 == await invoices(api)


async def test_two_clicks_make_one_invoice(api: Api, browser: Browser) -> None:
    page = await browser.page(place(api, await link(api, **WAYS)), phone=True)
    await fill(page, "7.5")

    await page.get_by_role("button").dblclick(no_wait_after=True)
    await expect(page).to_have_url(re.compile("/i/inv_"))  # the second click gives the first one's answer up

    assert 1 == await invoices(api)


async def test_what_is_wrong_is_told_at_the_field_that_is_then_ready_to_be_corrected(
    api: Api, browser: Browser
) -> None:
    page = await browser.page(place(api, await link(api, **WAYS)), javascript=False)
    browser.expect("422 (Unprocessable")
    await fill(page, "3")
    await page.get_by_role("button").click()

    amount = page.get_by_label("Amount")
    assert "3" == await amount.input_value()
    assert await page.get_by_label("5 \u2013 100 TOKEN").is_checked()
    told = await amount.get_attribute("aria-describedby")
    assert "This amount is not within the limits." == await page.locator(f"#{told.split()[-1]}").inner_text()
    await expect(amount).to_be_focused()  # by the browser, when it has drawn the page
    await amount.fill("7")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/i/*")
    assert 1 == await invoices(api)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_form_is_usable_by_everybody(api: Api, browser: Browser, *, dark: bool) -> None:
    browser.expect("422 (Unprocessable")
    page = await browser.page(place(api, await link(api, **WAYS)), dark=dark, phone=True, locale="fr-FR")
    await page.get_by_label("5 \u2013 100 COIN").check()
    await page.get_by_label("Montant").fill("3")
    await page.get_by_text("E-mail et adresse").click()

    assert [] == await axe.findings(page)
    await page.get_by_role("button").click()
    await page.wait_for_selector("#wrong-amount")
    assert [] == await axe.findings(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_pictures_of_the_form(api: Api, browser: Browser) -> None:
    page = await browser.page(place(api, await link(api, **WAYS)))

    await screenshots.shot(page, "payment-link")
