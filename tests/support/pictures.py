"""The pictures of the README: made from those that the tests took, cut to a screen and packed small.

`make pictures` runs this file after the tests.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING

import chromium
import screenshots
from browser import launched

if TYPE_CHECKING:
    from playwright.async_api import Page

KEPT = Path(__file__).parents[1] / "browser" / "pictures"
NAMES = ("payer-waiting-phone-light", "dashboard-list-desktop-light", "dashboard-invoice-desktop-dark")
MOST = 100_000
"""Bytes of one."""
_HEIGHT = {"phone": 1200, "desktop": 1000}
_SIZE = "[document.images[0].naturalWidth, document.images[0].naturalHeight]"


async def main() -> None:
    program = chromium.find()
    assert isinstance(program, Path), program
    KEPT.mkdir(exist_ok=True)
    async with launched(program) as browser:
        page = await browser.page()
        for name in NAMES:
            (KEPT / f"{name}.webp").write_bytes(await _packed(page, name))


async def _packed(page: Page, name: str) -> bytes:
    await page.goto((screenshots.folder() / f"{name}.png").absolute().as_uri())
    width, height = await page.evaluate(_SIZE)
    await page.set_viewport_size({"width": width, "height": height})
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, _HEIGHT[name.split("-")[2]]), "scale": 1}
    session = await page.context.new_cdp_session(page)
    answer = await session.send(
        "Page.captureScreenshot", {"format": "webp", "quality": 80, "clip": clip, "optimizeForSpeed": False}
    )
    return base64.b64decode(answer["data"])


if __name__ == "__main__":
    asyncio.run(main())
