"""Links, standing addresses, statistics and exports in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

import axe
import link_scene
import report_scene
from browser import DESKTOP, PHONE
from dashboard import sign_in
from link_scene import UNIT
from looks import sound
from watcher.apikeys import Scope

if TYPE_CHECKING:
    from playwright.async_api import Page

    from api_server import Api
    from browser import Browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'"
_PIXELS = """(chart) => {
  const canvas = chart.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = {};
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] !== 255) continue;
    const colour = "#" + [0, 1, 2].map((n) => data[at + n].toString(16).padStart(2, "0")).join("");
    found[colour] = (found[colour] ?? 0) + 1;
  }
  return found;
}"""
"""How many pixels of a chart have which colour."""
_COLOUR = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--chart-${name}`).trim()"


async def visit(browser: Browser, api: Api, place: str, scope: Scope = Scope.WRITE, **look: Any) -> Page:
    """Open a page of the dashboard as somebody who is signed in."""
    page = await browser.page(**look)
    name, _, value = (await sign_in(api, scope)).cookie.partition("=")
    await page.context.add_cookies([{"name": name, "value": value, "url": f"{api.url}/dashboard"}])
    await page.goto(f"{api.url}/dashboard/{place}")
    return page


async def pixels(page: Page, kind: str, *names: str) -> list[int]:
    """How many pixels of a chart have the colours of these names."""
    found = await page.locator(f"[data-chart={kind}]").evaluate(_PIXELS)
    return [found.get(await page.evaluate(_COLOUR, name), 0) for name in names]


async def drawn(page: Page, kind: str) -> Any:
    return json.loads(await page.locator(f"[data-chart={kind}]").get_attribute("data-values") or "")


async def column(page: Page, table: str, place: int) -> list[str]:
    """A column of a table, by its id."""
    rows = await page.locator(f"#{table} tbody tr > :nth-child({place})").all_inner_texts()
    return [" ".join(text.split()) for text in rows]


async def test_the_charts_show_the_numbers_of_the_tables_with_both_deadlines_marked(
    browser: Browser, api: Api
) -> None:
    await report_scene.busy_days(api)
    page = await visit(browser, api, "statistics")

    (paid, underpaid, expired, refunded) = await pixels(
        page, "outcomes", "paid", "underpaid", "expired", "refunded"
    )
    payers = len(report_scene.PAID_AFTER)
    assert paid / payers == pytest.approx(underpaid, rel=0.1) == pytest.approx(expired, rel=0.1)
    assert (True, 0) == (underpaid > 100, refunded)
    assert all(count > 50 for count in await pixels(page, "times", "bar", "line"))
    assert (await pixels(page, "volume", "bar"))[0] > 100

    times = await drawn(page, "times")
    assert [str(count) for count in times["counts"]] == await column(page, "distribution", 2)
    over = await page.locator("[data-chart=times] .u-over").bounding_box()
    assert over is not None
    for mark in times["marks"]:
        line = page.locator(f"[data-chart=times] .mark[data-mark={mark['name']}]")
        await expect(line).to_have_text(mark["label"])
        box = await line.bounding_box()
        assert box is not None
        place = (box["x"] - over["x"]) / over["width"]
        assert place == pytest.approx(mark["at"] / (len(times["edges"]) - 1), abs=0.01)
    assert ["suggested: 25 min", "default: 1 h"] == [mark["label"] for mark in times["marks"]]

    outcomes = await drawn(page, "outcomes")
    shown = [int(text) for text in (await column(page, "outcomes", 3))[::-1]]
    assert shown == [count for count in outcomes["series"][0]["values"] if count] + [0]


async def test_a_chart_follows_the_scheme_and_the_width_and_tells_its_values(
    browser: Browser, api: Api
) -> None:
    await report_scene.paid(api, 60, amount="1.25")
    page = await visit(browser, api, "statistics")
    light = await page.evaluate(_COLOUR, "paid")
    await page.emulate_media(color_scheme="dark")
    assert light != await page.evaluate(_COLOUR, "paid")
    async with asyncio.timeout(20):
        while (await pixels(page, "outcomes", "paid"))[0] <= 100:  # drawn anew with the next frame
            pass
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await expect(page.locator("[data-chart=outcomes] .uplot")).to_have_css("width", re.compile(r"^3[0-9]{2}"))

    over = page.locator("[data-chart=volume] .u-over")
    await over.scroll_into_view_if_needed()
    await over.hover()
    await expect(page.locator("[data-chart=volume] .u-legend")).to_contain_text("1.25")
    await expect(page.locator("[data-chart=volume] .u-legend")).to_contain_text("2026-01-01")


async def test_without_javascript_the_tables_are_there_and_no_empty_chart(browser: Browser, api: Api) -> None:
    await report_scene.paid(api, 60)
    page = await visit(browser, api, "statistics", Scope.READ, javascript=False)

    for name in ("endings", "distribution", "percentiles", "deadlines", "outcomes"):
        await expect(page.locator(f"#{name}")).to_be_visible()
    await expect(page.locator("table.volume")).to_contain_text("1.5 COIN")
    assert [False] * 3 == [await figure.is_visible() for figure in await page.locator("figure").all()]
    await expect(page.locator("noscript p")).to_be_visible()
    await page.get_by_label("Each bar is a").select_option("month")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#outcomes th").first).to_have_text("Month from")


async def test_an_export_is_downloaded_under_its_name(browser: Browser, api: Api) -> None:
    await report_scene.paid(api, 60, order_id="A-1")
    page = await visit(browser, api, "statistics", Scope.READ)
    for words, form in (("Download CSV", "csv"), ("Download JSON", "json")):
        async with page.expect_download() as download:
            await page.get_by_role("button", name=words).click()
        file = await download.value

        assert f"deposit-watcher.{form}" == file.suggested_filename
        same = await api.get(f"/v1/export?format={form}")
        assert same.body == Path(await file.path()).read_bytes()  # noqa: ASYNC240 - a few bytes


async def test_a_link_is_made_and_removed_without_javascript(browser: Browser, api: Api) -> None:
    browser.expect("422 (Unprocessable Entity)")
    page = await visit(browser, api, "links", javascript=False)
    await page.get_by_role("link", name="New link").click()
    await page.get_by_label("Description").fill(HOSTILE)
    await page.get_by_label("Asset").first.select_option("COIN on Fake")
    await page.get_by_role("button", name="Make the link").click()
    await expect(page.locator("#amount_1")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#description")).to_have_value(HOSTILE)
    await page.get_by_label("Amount, if it is fixed").first.fill("2.5")
    await page.get_by_role("button", name="Make the link").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    made = (await api.get("/v1/links")).json["data"][0]
    await expect(page.get_by_text(made["url"], exact=True)).to_be_visible()
    assert not await page.locator("[data-copy]").is_visible()
    await page.get_by_role("link", name="Remove…").click()
    await expect(page.get_by_text("It cannot be put back")).to_be_visible()
    await page.get_by_role("button", name="Remove the link").click()
    await expect(page.get_by_role("status").filter(has_text="was removed on")).to_be_visible()
    assert [] == (await api.get("/v1/links")).json["data"]


async def test_an_address_is_made_found_by_its_label_and_archived(browser: Browser, api: Api) -> None:
    page = await visit(browser, api, "addresses/new")
    await page.get_by_label("Label").fill(HOSTILE)
    await page.get_by_role("button", name="Make the address").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    known = (await api.get("/v1/addresses")).json["data"][0]
    await report_scene.deposit(api, known, UNIT)
    await page.goto(f"{api.url}/dashboard/addresses")
    await page.get_by_label("Label").fill(HOSTILE)
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name=HOSTILE).click()
    await expect(page.locator("#totals")).to_contain_text("1 COIN")
    await page.get_by_role("link", name="Archive…").click()
    await page.get_by_role("button", name="Archive the address").click()

    await expect(page.get_by_role("status").filter(has_text="Archived on")).to_be_visible()


async def test_a_long_name_leaves_the_rest_of_its_row_in_sight(browser: Browser, api: Api) -> None:
    await report_scene.customer(api, "1" * 200)
    await link_scene.link(api, description="x" * 300)
    page = await visit(browser, api, "links")
    for place in ("links", "addresses"):
        await page.goto(f"{api.url}/dashboard/{place}")
        beside = await page.locator(f"#{place} tbody td").first.bounding_box()

        assert beside
        assert beside["x"] + beside["width"] < DESKTOP[0] / 2


async def test_every_page_is_sound_on_a_phone_and_in_the_dark(browser: Browser, api: Api) -> None:
    await report_scene.busy_days(api)
    mine = await report_scene.customer(api, "customer-" + "1" * 180)
    made = await link_scene.link(api, description="A book " + "x" * 300)
    await report_scene.deposit(api, mine, UNIT)
    invoice = await link_scene.invoice(api, made)
    await link_scene.paid(api, invoice, UNIT)
    page = await visit(browser, api, "statistics")
    await sound(page, "dashboard-statistics")
    places = ["links", "links/new", "addresses", "addresses/new"]
    places += [f"links/{made['id']}", f"links/{made['id']}/remove"]
    places += [f"addresses/{mine['id']}", f"addresses/{mine['id']}/archive"]
    for place in places:
        await page.goto(f"{api.url}/dashboard/{place}")
        for (width, height), scheme in ((PHONE, "light"), (DESKTOP, "dark")):
            await page.set_viewport_size({"width": width, "height": height})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (0, []) == (max(0, wide), await axe.findings(page)), place
