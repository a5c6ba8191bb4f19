"""Pages of what went wrong in Chromium: readable by everybody, on a phone too, and with a way on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect
from structlog.testing import capture_logs

import axe
from merchant_eyes import press
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "x" * 128


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keep bugs out of the log, where each is a page of text."""
    with capture_logs():
        yield


async def sound(page: Page) -> None:
    """Nothing serious may be wrong with a page, nor may it be wider than its screen."""
    assert ([], 0) == (await axe.findings(page), await page.evaluate(TOO_WIDE))


async def says(page: Page, words: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(words)


async def test_a_merchant_comes_in_by_the_front_door_and_back_from_a_page_that_is_none(
    api: Api, browser: Browser
) -> None:
    browser.expect("401 (Unauthorized)")
    browser.expect("404 (Not Found)")
    page = await browser.page(api.url)
    await page.get_by_label("API key").fill(api.keys[Scope.WRITE])
    await press(page, "Sign in")
    await says(page, "Invoices")
    await page.goto(f"{api.url}/dashboard/links/new")
    await page.evaluate("setTimeout(() => { location.href = '/dashboard/nonsense'; })")

    await says(page, "Not found")
    await sound(page)
    await press(page, "Back to the page before")
    await says(page, "New payment link")
    assert f"{api.url}/dashboard/links/new" == page.url


@pytest.mark.usefixtures("quiet")
async def test_a_payer_reads_what_happened_and_tries_again(
    api: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("sesame")

    browser.expect("500 (Internal Server Error)")
    invoice = await api.invoice()
    page = await browser.page(phone=True, dark=True, locale="fr-FR")
    await page.set_extra_http_headers({"X-Request-Id": LONG})
    with monkeypatch.context() as patch:
        patch.setattr(type(api.context.store), "read", broken)
        await page.goto(f"{api.url}/i/{invoice['id']}")

    await says(page, "Cette page ne peut pas être affichée")
    await expect(page.get_by_text(LONG)).to_be_visible()
    await sound(page)
    await page.get_by_role("link", name="Réessayer").click()
    await says(page, "Paiement")
