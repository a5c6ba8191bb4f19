"""A merchant before the dashboard: signs in, finds what waits, presses what is there to press."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Page

    from browser import Browser
    from checkout_town import Town


async def signed_in(browser: Browser, town: Town, place: str = "/dashboard") -> Page:
    """Return a page of the dashboard, after the sign-in that it asks for."""
    browser.expect("401 (Unauthorized)")
    page = await browser.page(town.url + place)
    await page.get_by_label("API key").fill(town.daemon.key)
    await press(page, "Sign in")
    await expect(page.get_by_role("navigation", name="Dashboard")).to_be_visible()
    return page


async def press(page: Page, words: str) -> None:
    """Follow the only link or press the only button with just these words on it."""
    whole = re.compile(rf"^\s*{re.escape(words)}\s*$")
    await page.locator("main a, main button").filter(has_text=whole).click()


async def copied(page: Page, what: str) -> str:
    """Return what a button copies."""
    text = await page.get_by_role("button", name=f"Copy {what}").get_attribute("data-copy")
    assert text is not None
    return text
