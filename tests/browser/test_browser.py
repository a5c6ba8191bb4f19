"""What the other tests of this folder stand on: Chromium sees mistakes, reaches no stranger and ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.async_api import Error

import axe
import screenshots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from browser import Browser

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src *; img-src 'self'"
WELL_MADE = """<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="/fine.js">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/site.css"><main><h1>Shop</h1><p>Open</p></main>"""
FILES = {
    "/fine.js": "",
    "/throws.js": "throw new Error('boom')",
    "/asks.js": "fetch('http://stranger.test/').catch(() => 0)",
    "/asks-a-number.js": "fetch('http://192.0.2.1/').catch(() => 0)",
    "/site.css": """body { color: #666; background: #fff }
@media (prefers-color-scheme: dark) { body { background: #aaa } }""",
}

MISTAKES = {
    "<script>1</script>": "Executing inline script violates",
    '<p style="color: red">x': "Applying inline style violates",
    '<p onclick="1">x': "Executing inline event handler violates",
    '<script src="/throws.js"></script>': "uncaught: boom",
    '<img alt="" src="/none.png">': "404 (Not Found)",
    '<script src="/asks.js"></script>': "net::ERR_NAME_NOT_RESOLVED: http://stranger.test/",
    '<script src="/asks-a-number.js"></script>': "net::ERR_NAME_NOT_RESOLVED: http://192.0.2.1/",
}
"""What is added to a page, and words of what Chromium says of it."""


@asynccontextmanager
async def serving(more: str) -> AsyncIterator[str]:
    """Serve a page that is well made but for what is added."""

    async def page(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=WELL_MADE + more, content_type="text/html", headers=headers)

    async def file(request: web.Request) -> web.Response:
        kind = "text/css" if request.path.endswith("css") else "text/javascript"
        if request.path not in FILES:
            raise web.HTTPNotFound
        return web.Response(text=FILES[request.path], content_type=kind)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/{file}", file)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_every_mistake_of_a_page_is_a_complaint(browser: Browser) -> None:
    for more, words in MISTAKES.items():
        async with serving(more) as url, asyncio.timeout(20):
            await browser.page(url)
            while not any(words in line for line in browser.unexpected()):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.02)

    browser.expect("")


async def test_a_page_without_mistakes_is_no_complaint_and_serious_nothing(browser: Browser) -> None:
    async with serving("") as url:
        page = await browser.page(url)

        assert [] == await axe.findings(page)


async def test_what_is_hard_to_read_in_the_dark_is_found_in_the_dark(browser: Browser) -> None:
    async with serving("") as url:
        [finding, *_] = await axe.findings(await browser.page(url, dark=True))

        assert finding.startswith("serious color-contrast: <h1>Shop</h1> - Fix any of the following")


async def test_a_visitor_has_the_screen_the_language_and_the_scripts_that_the_test_gives(
    browser: Browser,
) -> None:
    async with serving('<noscript><p id="without">without</noscript>') as url:
        page = await browser.page(url, phone=True, locale="fr-FR", javascript=False)

        assert await page.locator("#without").is_visible()
        assert [390, "fr-FR"] == await page.evaluate("[innerWidth, navigator.language]")


async def test_a_visitor_has_no_cookies_of_another(browser: Browser) -> None:
    async with serving("") as url:
        first = await browser.page(url)
        await first.evaluate("document.cookie = 'a=1'")

        assert ["a=1", ""] == [
            await page.evaluate("document.cookie") for page in (first, await browser.page(url))
        ]


async def test_nothing_but_loopback_is_reached(browser: Browser) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await browser.page("http://192.0.2.1/")
    browser.expect("http://192.0.2.1/")


async def test_a_picture_is_taken_of_each_look_and_the_page_stays_as_it_was(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENSHOTS", str(tmp_path))
    async with serving("") as url:
        page = await browser.page(url, phone=True, dark=True)
        await screenshots.shot(page, "shop")

        assert [
            "shop-desktop-dark.png",
            "shop-desktop-light.png",
            "shop-phone-dark.png",
            "shop-phone-light.png",
        ] == _names(tmp_path)
        assert [390, True] == await page.evaluate(f"[innerWidth, {screenshots._DARK}]")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


TOLD = """
async def test_told(browser):
    page = await browser.page()
    await page.evaluate("console.error('a mistake')")
    await page.evaluate("console.error('a known one')")
    browser.expect("known")
"""


def test_a_complaint_fails_the_test_and_leaves_the_page_for_a_person_to_see(tmp_path: Path) -> None:
    (tmp_path / "test_told.py").write_text(TOLD)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    line = [sys.executable, "-m", "pytest", "-q", "-p", "failure_logs", "-p", "browser_fixtures", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(Path(axe.__file__).parent)}
    run = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert "the browser complained:\na mistake (" in run.stdout
    assert "1 passed, 1 error" in run.stdout
    left = tmp_path / "test-logs" / "test_told.py-test_told"
    assert ["page-0.html", "page-0.png"] == _names(left)
    assert "<!-- about:blank -->" in (left / "page-0.html").read_text()
