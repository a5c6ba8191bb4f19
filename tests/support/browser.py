"""A Chromium that reaches loopback only and remembers what its pages complain about."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright, expect

import chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, WebError

DESKTOP = (1280, 800)
PHONE = (390, 844)
"""Points of the screen."""
_LOOPBACK_ONLY = (
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_LEFT = "net::ERR_ABORTED"
"""A request, such as a stream of events, that ended because the page was left."""
_WITHIN = 20_000.0
"""Milliseconds after which waiting for anything on a page fails."""
expect.set_options(timeout=_WITHIN)


class Browser:
    """What a test drives.

    `page` opens a page of a visitor of its own: no cookies, nothing kept from another. Any complaint of a
    page fails the test at its end, unless the test said with `expect` that it would come.
    """

    def __init__(self, chromium: Chromium) -> None:
        self.complaints: list[str] = []
        self._chromium = chromium
        self._expected: list[str] = []

    async def page(
        self,
        url: str = "about:blank",
        *,
        phone: bool = False,
        dark: bool = False,
        locale: str = "en-GB",
        javascript: bool = True,
    ) -> Page:
        """Open an address as a new visitor; more pages of the same one: `await page.context.new_page()`."""
        width, height = PHONE if phone else DESKTOP
        context = await self._chromium.new_context(
            viewport={"width": width, "height": height},
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            locale=locale,
            timezone_id="UTC",
            reduced_motion="reduce",
            java_script_enabled=javascript,
        )
        context.set_default_timeout(_WITHIN)
        self._listen(context)
        page = await context.new_page()
        await page.goto(url)
        return page

    def expect(self, words: str) -> None:
        """Let complaints with these words pass, those that came already too: `expect("404 (Not Found)")`."""
        self._expected.append(words)

    def unexpected(self) -> list[str]:
        """Return the complaints that nobody expected."""
        return [line for line in self.complaints if not any(words in line for words in self._expected)]

    async def save(self, folder: Path) -> None:
        """Write each open page as a picture and as HTML."""
        pages = [page for context in self._chromium.contexts for page in context.pages]
        for number, page in enumerate(pages):
            await page.screenshot(path=folder / f"page-{number}.png", full_page=True)
            (folder / f"page-{number}.html").write_text(f"<!-- {page.url} -->\n{await page.content()}")

    def _listen(self, context: BrowserContext) -> None:
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("requestfailed", self._on_failure)

    def _on_console(self, message: ConsoleMessage) -> None:
        """Keep errors; violations of the policy and answers of 400 and more are among them."""
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self.complaints.append(f"uncaught: {error.error}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.complaints.append(f"{request.failure}: {request.url}")


@asynccontextmanager
async def launched(program: Path) -> AsyncIterator[Browser]:
    """Run a Chromium of our own to the end of the block; it and the driver end with it in any case."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=program, args=[*chromium.FLAGS, *_LOOPBACK_ONLY]
        )
        try:
            yield Browser(running)
        finally:
            await running.close()
