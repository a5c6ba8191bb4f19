"""Pictures of the main states: each as a phone and a desktop show it, light and dark."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from browser import DESKTOP, PHONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

FOLDER = Path(__file__).parents[2] / "test-logs" / "screenshots"
"""Where they go unless $SCREENSHOTS names another folder."""
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"


def folder() -> Path:
    return Path(os.environ.get("SCREENSHOTS", FOLDER))


async def looks(page: Page) -> AsyncIterator[str]:
    """Show the page as a phone and a desktop do, light and dark, and name each; then as it was before."""
    before, dark = page.viewport_size, await page.evaluate(_DARK)
    for screen, (width, height) in (("phone", PHONE), ("desktop", DESKTOP)):
        await page.set_viewport_size({"width": width, "height": height})
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            yield f"{screen}-{scheme}"
    await page.emulate_media(color_scheme="dark" if dark else "light")
    if before:
        await page.set_viewport_size(before)


async def shot(page: Page, name: str) -> None:
    """Write NAME-phone-light.png and the three others; the page is afterwards as it was."""
    async for look in looks(page):
        await page.screenshot(path=folder() / f"{name}-{look}.png", full_page=True)
