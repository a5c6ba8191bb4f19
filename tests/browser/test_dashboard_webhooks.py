"""A merchant in Chromium: adds a receiver, tests it, sends again what died, and watches the chains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.async_api import expect
from sqlalchemy import update

import axe
import looks
from dashboard import sign_in
from merchant_eyes import copied, press
from notified import by_name, hook, notifying, settled
from watcher.tables import DELIVERY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser
    from running_notifier import Shop

HOOKS = "/dashboard/webhooks"
RUDE = b"<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\x1b[31mno " + b"x" * 600


async def opened(browser: Browser, api: Api, place: str, **options: bool) -> Page:
    """Open a page of the dashboard as somebody who is signed in."""
    name, _, value = (await sign_in(api)).cookie.partition("=")
    page = await browser.page(**options)
    await page.context.add_cookies([{"name": name, "value": value, "url": api.url}])
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=api.url)
    await page.goto(api.url + place)
    return page


async def fits(page: Page) -> bool:
    """Whether nothing sticks out of the screen at its side."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture
async def busy(api: Api, shop: Shop) -> AsyncIterator[str]:
    """An endpoint whose receiver refuses with markup; a delivery of it that was given up."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=500, body=RUDE, content_type="text/html")

    shop.otherwise = refuse
    async with notifying(api):
        await hook(api, by_name(shop.url), description="the till")
        await api.invoice()
        (sent,) = (await api.get("/v1/deliveries")).json["data"]
        await settled(api, sent["id"], "pending")
        async with api.context.store.write() as conn:
            await conn.execute(update(DELIVERY).values(state="dead", next_at=None))
        yield str(sent["id"])


async def test_a_receiver_is_added_and_tested_and_its_answer_comes_in_without_a_reload(
    api: Api, shop: Shop, browser: Browser
) -> None:
    answered = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await answered.wait()
        return web.Response(status=202, text="booked")

    shop.otherwise = late
    page = await opened(browser, api, HOOKS)
    await press(page, "Add an endpoint")
    await page.get_by_label("URL").fill(by_name(shop.url))
    await press(page, "Add it")
    await looks.sound(page, "dashboard-webhook-secret")
    secret = await copied(page, "the secret")
    await page.clock.install()  # "Copied" is said for two seconds, which pass when the test says so
    for button in ("Copy the secret", "Copied"):
        await page.get_by_role("button", name=button).click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    await page.clock.resume()
    assert [] == await axe.findings(page)
    await expect(page.get_by_role("button", name="Copy the secret")).to_have_text("Copy")
    assert secret == await page.evaluate("navigator.clipboard.readText()")
    await page.reload()
    await expect(page.get_by_role("heading", name="Endpoint", exact=True)).to_be_visible()
    assert secret not in await page.content()

    async with notifying(api):
        await press(page, "Send a test")
        await expect(page.get_by_text("It is on its way.")).to_be_visible()
        await page.evaluate("window.before = true")
        answered.set()
        await expect(page.get_by_text("The receiver took it at")).to_be_visible()
        await expect(page.get_by_text("status 202 after")).to_be_visible()
        await expect(page.get_by_text("booked", exact=True)).to_be_visible()
    assert await page.evaluate("window.before")
    assert 1 == len((await api.get("/v1/webhooks")).json["data"])


async def test_h138_a_delivery_that_died_is_sent_again_and_its_answer_does_nothing(
    api: Api, shop: Shop, busy: str, browser: Browser
) -> None:
    page = await opened(browser, api, "/dashboard/deliveries?state=dead")
    await page.get_by_role("link", name="invoice.created").click()
    await expect(page.get_by_text("It was given up.")).to_be_visible()
    await expect(page.get_by_text(RUDE[:60].decode())).to_be_visible()
    assert await page.title() != "taken"
    await looks.sound(page, "dashboard-delivery-dead")
    shop.otherwise = 200
    await press(page, "Redeliver")
    await expect(page.get_by_text("The receiver took it at")).to_be_visible()

    assert 2 == await page.locator(".timeline > li").count()
    assert "delivered" == (await api.get(f"/v1/deliveries/{busy}")).json["state"]


async def test_every_page_is_sound_and_fits_on_a_phone(api: Api, busy: str, browser: Browser) -> None:
    (one,) = (await api.get("/v1/webhooks")).json["data"]
    page = await opened(browser, api, HOOKS, phone=True)
    found = {}
    for place in (
        HOOKS,
        f"{HOOKS}/add",
        *(
            f"{HOOKS}/{one['id']}{act}"
            for act in ("", "/change", "/rotate", "/replay", "/disable", "/remove")
        ),
        "/dashboard/deliveries",
        f"/dashboard/deliveries/{busy}",
        "/dashboard/chains",
        "/dashboard/chains/fake/rescan",
    ):
        await page.goto(api.url + place)
        found[place] = await axe.findings(page) + ([] if await fits(page) else ["too wide"])

    assert {} == {place: lines for place, lines in found.items() if lines}


async def test_without_javascript_a_receiver_is_added_paused_and_removed(api: Api, browser: Browser) -> None:
    page = await opened(browser, api, f"{HOOKS}/add", javascript=False)
    await page.get_by_label("URL").fill("https://shop.example/hooks")
    await press(page, "Add it")
    await expect(page.locator("#secret code")).to_contain_text("whsec_")
    await expect(page.get_by_role("button", name="Copy the secret")).to_be_hidden()
    await press(page, "To the endpoint")
    await press(page, "Disable…")
    await press(page, "Disable it")
    await expect(page.get_by_text("It is disabled: disabled by the merchant.")).to_be_visible()
    await press(page, "Remove…")
    await press(page, "Remove it")
    await expect(page.get_by_text("There is no endpoint yet")).to_be_visible()


async def test_the_chains_follow_by_themselves(api: Api, browser: Browser) -> None:
    page = await opened(browser, api, "/dashboard/chains")
    await looks.sound(page, "dashboard-chains")
    await page.evaluate("window.before = true")
    api.chain.mine(7)
    await api.scan()

    await expect(page.locator("dd").filter(has_text="7 ").first).to_be_visible()
    assert await page.evaluate("window.before")
