"""What axe-core, of the pinned npm package, finds wrong on a page for people who cannot see or point well."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import npm_packages

if TYPE_CHECKING:
    from playwright.async_api import Page

_GRAVE = ("serious", "critical")
_RUN = """async () => {
  const options = { iframes: false, rules: { "target-size": { enabled: true } } };
  return (await axe.run(document, options)).violations;
}"""


async def findings(page: Page) -> list[str]:
    """Return what is serious or critical, one line each; the page needs JavaScript.

    The script comes through the developers' door of the browser: the page's own policy stays in force.
    """
    await page.evaluate(_source())
    found: list[dict[str, Any]] = await page.evaluate(_RUN)
    return [_line(each, node) for each in found if each["impact"] in _GRAVE for node in each["nodes"]]


def _line(finding: dict[str, Any], node: dict[str, Any]) -> str:
    why = " ".join(node["failureSummary"].split())
    return f"{finding['impact']} {finding['id']}: {node['html'][:120]} - {why}"


@cache
def _source() -> str:
    return npm_packages.read("axe-core/axe.min.js").decode()
