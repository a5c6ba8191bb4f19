"""A state of a page as its visitors may meet it: photographed in each look, and held against axe-core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import axe
import screenshots

if TYPE_CHECKING:
    from playwright.async_api import Page

_HELD = ("phone-light", "desktop-dark")
"""Where axe-core looks: each screen and each scheme once."""
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def sound(page: Page, name: str) -> None:
    """Take the pictures NAME-*.png; nothing serious may be wrong, nor may a page be wider than its screen.

    The page stays as it was.
    """
    found: dict[str, object] = {}
    async for look in screenshots.looks(page):
        await page.screenshot(path=screenshots.folder() / f"{name}-{look}.png", full_page=True)
        if look in _HELD:
            found[look] = (await page.evaluate(_TOO_WIDE), await axe.findings(page))

    assert {look: (0, []) for look in _HELD} == found
