"""Whole stories in Chromium: the installed daemon, a real anvil, a shop that checks each signature."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from checkout_town import ETH, USDT, open_town
from looks import sound
from merchant_eyes import copied, press, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Locator, Page

    from browser import Browser
    from checkout_town import Town
    from watcher.sandbox.anvil import Anvil

SECONDS = 200
"""To pay: few enough that the shop believes messages from behind the deadline."""
PAYER = f"0x{'51' * 20}"
_MINUTES = re.compile(r"^59:\d\d$")


@pytest.fixture
async def town(tmp_path: Path, anvil: Anvil) -> AsyncIterator[Town]:
    async with open_town(tmp_path, anvil) as town:
        yield town


@pytest.fixture
async def later_town(tmp_path: Path, anvil: Anvil) -> AsyncIterator[Town]:
    async with open_town(tmp_path, anvil, with_time=True) as town:
        yield town


def heading(page: Page, words: str) -> Locator:
    return page.get_by_role("heading", name=words, exact=True)


def badge(page: Page, words: str) -> Locator:
    return page.locator(".badge", has_text=re.compile(f"^{words}$")).first


async def test_a_link_is_opened_an_asset_chosen_and_paid_live_and_the_payer_lands_on_the_shop(
    town: Town, browser: Browser
) -> None:
    ways = [{**ETH, "amount": "0.01"}, {**USDT, "amount": "25.5"}]
    said = {"description": "Assam, 500 g", "return_url": town.shop.thanks}
    link = await town.daemon.call("POST", "/v1/links", {"options": ways, **said}, expect=201)

    page = await browser.page(f"{town.url}/pay/{link['id']}")
    await expect(heading(page, "Assam, 500 g")).to_be_visible()
    await sound(page, "link")
    await page.get_by_label("25.5 USDT").check()
    await press(page, "Continue to the payment")

    await expect(heading(page, "Waiting for your payment")).to_be_visible()
    await expect(page.get_by_role("timer")).to_have_text(_MINUTES)
    await sound(page, "payer-waiting")
    address, opened = await page.locator("#address").inner_text(), page.url
    town.pay(address, "USDT", "25.5", blocks=1)
    await expect(heading(page, "Your payment is being confirmed")).to_be_visible()
    await expect(page.locator("#live").get_by_label("1 of 2 confirmations")).to_be_visible()
    await sound(page, "payer-confirming")
    town.anvil.mine()
    await expect(heading(page, "Paid")).to_be_visible()
    assert opened == page.url
    await sound(page, "payer-paid")

    await press(page, "Back to Tea & Biscuits")
    await expect(heading(page, "Thank you")).to_be_visible()
    assert town.shop.thanks == page.url
    await town.shop.heard(opened.rpartition("/")[2], "invoice.paid")


async def test_too_little_runs_out_and_is_accepted_in_the_dashboard_and_the_payer_sees_it(
    later_town: Town, browser: Browser
) -> None:
    town = later_town
    ways = [{**ETH, "amount": "0.01"}, {**USDT, "amount": "25.5"}]
    await _others(town)
    one = await town.invoice(options=ways, order_id="A-1001", expires_in=SECONDS)

    payer = await browser.page(one["checkout_url"], phone=True)
    await payer.get_by_role("navigation", name="Ways to pay").get_by_role("link", name="USDT").click()
    address = await payer.locator("#address").inner_text()
    town.pay(address, "USDT", "10", blocks=2)
    await expect(heading(payer, "A part of it has arrived")).to_be_visible()
    await expect(payer.locator("#amount")).to_have_text("15.5")
    await sound(payer, "payer-partial")
    await town.later(SECONDS + 1)
    await expect(heading(payer, "Too little was paid in time")).to_be_visible()
    await expect(payer.get_by_text("The shop decides what happens")).to_be_visible()
    await sound(payer, "payer-underpaid")

    merchant = await signed_in(browser, town)
    waits = merchant.get_by_role("region", name="What waits for you")
    await expect(waits).to_contain_text("A-1001")
    await sound(merchant, "dashboard-list")
    await waits.get_by_role("link").click()
    await expect(badge(merchant, "underpaid")).to_be_visible()
    await sound(merchant, "dashboard-invoice")
    await press(merchant, "Accept")
    lacks = "The invoice becomes paid although 15.5 of 25.5 USDT on Ethereum (test) is missing."
    await expect(merchant.get_by_text(lacks)).to_be_visible()
    await sound(merchant, "dashboard-accept")
    await merchant.get_by_label("Reason").fill("an old customer")
    await press(merchant, "Accept: the invoice is paid")

    await expect(badge(merchant, "paid")).to_be_visible()
    await expect(merchant.get_by_text("an old customer")).to_be_visible()
    await expect(heading(payer, "Paid")).to_be_visible()
    await town.shop.heard(one["id"], "invoice.paid")


async def _others(town: Town) -> None:
    """Let the list hold more than one."""
    for order, asked, paid in (("A-998", "0.2", "0.2"), ("A-999", "0.02", "0.03"), ("A-1000", "0.35", None)):
        other = await town.invoice(amount=asked, order_id=order)
        if paid:
            town.pay(other["options"][0]["address"], "ETH", paid, blocks=2)


async def test_late_money_waits_in_the_dashboard_and_goes_back_by_a_transaction_that_is_signed_elsewhere(
    later_town: Town, browser: Browser
) -> None:
    town = later_town
    one = await town.invoice(amount="0.5", order_id="A-1002", expires_in=SECONDS)
    payer = await browser.page(one["checkout_url"], phone=True, dark=True)
    merchant = await signed_in(browser, town)
    await expect(merchant.get_by_role("region", name="Invoices")).to_contain_text("A-1002")

    await town.later(SECONDS + 1)
    await expect(heading(payer, "The time to pay is over")).to_be_visible()
    await sound(payer, "payer-expired")
    town.pay(one["options"][0]["address"], "ETH", "0.5", blocks=2)
    await expect(heading(payer, "Your payment came too late")).to_be_visible()
    await sound(payer, "payer-late")
    waits = merchant.get_by_role("region", name="What waits for you")
    await expect(waits).to_contain_text("A-1002")
    await waits.get_by_role("link").click()

    await press(merchant, "Give money back")
    await merchant.get_by_label("Address of the payer").fill(PAYER)
    await press(merchant, "See what follows")
    await expect(merchant.get_by_text("0.5 ETH on Ethereum (test) is to go to")).to_be_visible()
    await sound(merchant, "dashboard-refund-confirm")
    await press(merchant, "Request the refund of 0.5 ETH")
    await expect(heading(merchant, "What to sign")).to_be_visible()
    await sound(merchant, "dashboard-refund")
    to, units = [await copied(merchant, what) for what in ("whom the transaction calls", "the value")]
    assert PAYER == to.lower()
    txid = town.anvil.send(to, int(units))
    town.anvil.mine()

    await press(merchant, "Mark as sent")
    await merchant.get_by_label("Transaction id").fill(txid)
    await press(merchant, "Mark as sent")
    await expect(badge(merchant, "sent")).to_be_visible()
    await expect(heading(payer, "Your money goes back to you")).to_be_visible()
    town.anvil.mine()
    await expect(badge(merchant, "confirmed")).to_be_visible()
    await expect(heading(payer, "Your money was sent back")).to_be_visible()
    await sound(payer, "payer-refunded")
    await town.shop.heard(one["id"], "invoice.refunded")


async def test_a_dead_shop_is_shown_with_its_answer_and_is_sent_again_what_it_missed(
    town: Town, browser: Browser
) -> None:
    town.shop.answer, town.shop.says = lambda: 503, "closed <b>for the night</b>"
    one = await town.invoice(amount="0.5", order_id="A-1003")

    page = await signed_in(browser, town, "/dashboard/webhooks")
    await press(page, town.shop.url)
    row = page.get_by_role("row").filter(has_text="invoice.created")
    await expect(row).to_contain_text("status 503")
    await sound(page, "dashboard-endpoint")
    await row.get_by_role("link", name="invoice.created").click()
    await expect(page.get_by_text("closed <b>for the night</b>").first).to_be_visible()
    await expect(badge(page, "pending")).to_be_visible()
    await sound(page, "dashboard-delivery")

    town.shop.answer, town.shop.says = lambda: 200, "thank you"
    await press(page, "Redeliver")
    await expect(badge(page, "delivered")).to_be_visible()
    await expect(page.get_by_text("thank you")).to_be_visible()
    await town.shop.heard(one["id"], "invoice.created")
