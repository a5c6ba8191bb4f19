"""The payer's page inside a shop's own page, in a real browser: refused, unless the shop is named."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from playwright.async_api import expect

from watcher.settings_checkout import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_server import Api
    from browser import Browser

SHOP = """<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>Your order</h1>
<iframe src="{url}" title="Payment" allow="clipboard-write" width="100%" height="800"></iframe>"""
"""As the README shows it."""
REFUSED = re.compile("^chrome-error://")
"""Where a browser takes a frame that may not show its page."""
PAY = 10**8


@asynccontextmanager
async def shop(url: str) -> AsyncIterator[str]:
    """Serve a shop's page that embeds an address."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=SHOP.format(url=url), content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def let_embed(api: Api, *origins: str) -> None:
    """Configure who may embed the pages of the running API."""
    update = {"checkout": CheckoutSettings(frame_ancestors=origins)}
    object.__setattr__(api.context, "settings", api.context.settings.model_copy(update=update))


async def test_a_shop_that_is_not_named_shows_nothing_of_the_page(api: Api, browser: Browser) -> None:
    browser.expect("frame-ancestors")
    browser.expect("ERR_BLOCKED_BY_RESPONSE")
    made = await api.invoice()
    async with shop(f"{api.url}/i/{made['id']}") as place:
        for others in ((), ("https://other.example",)):
            let_embed(api, *others)
            page = await browser.page(place)
            (frame,) = page.main_frame.child_frames
            await frame.wait_for_url(REFUSED)

            assert made["options"][0]["address"] not in await frame.content()
            await page.close()

    assert any("frame-ancestors" in line for line in browser.complaints)


async def test_a_shop_that_is_named_shows_it_and_it_stays_live(api: Api, browser: Browser) -> None:
    made = await api.invoice(return_url="https://shop.example/thanks")
    async with shop(f"{api.url}/i/{made['id']}") as place:
        let_embed(api, "https://other.example", place)
        page = await browser.page(place)
        inside = page.frame_locator("iframe")
        await expect(inside.get_by_text(made["options"][0]["address"])).to_be_visible()

        api.chain.pay(made["options"][0]["address"], PAY)
        api.clock.advance(1)
        api.chain.mine()
        await api.scan()

        await expect(inside.locator("#live[data-state=paid]")).to_be_visible()
        await page.goto("about:blank")  # ends the stream before the server ends


async def test_a_link_is_opened_inside_a_shop(api: Api, browser: Browser) -> None:
    reply = await api.post("/v1/links", {"chain": "fake", "asset": "COIN", "amount": "1"})
    async with shop(f"{api.url}/pay/{reply.json['id']}") as place:
        let_embed(api, place)
        page = await browser.page(place)
        inside = page.frame_locator("iframe")
        await inside.get_by_role("button").click()

        await expect(inside.locator("#live")).to_be_visible()
        await page.goto("about:blank")


async def test_the_dashboard_is_never_shown_inside_another_page(api: Api, browser: Browser) -> None:
    browser.expect("frame-ancestors")
    browser.expect("ERR_BLOCKED_BY_RESPONSE")
    async with shop(f"{api.url}/dashboard/sign-in") as place:
        let_embed(api, place)
        page = await browser.page(place)
        (frame,) = page.main_frame.child_frames

        await frame.wait_for_url(REFUSED)
