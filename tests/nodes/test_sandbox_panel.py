"""The sandbox as a process with both nodes, and its panel: what is simulated, the merchant then sees."""

from __future__ import annotations

import html
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

import axe
from command_line import Running, running
from sandbox_visit import Visitor, visiting
from screenshots import shot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from browser import Browser


@pytest.fixture(scope="module")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, litecoind_binary: Path, anvil_binary: Path
) -> Iterator[Running]:
    assert litecoind_binary
    assert anvil_binary
    with running("sandbox", cwd=tmp_path_factory.mktemp("panel")) as process:
        process.wait_for("Ctrl-C ends it")
        yield process
        process.end(signal.SIGINT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expiring(sandbox: Running) -> dict[str, Any]:
    """An invoice that is paid when its deadline has passed: asked for first, so that the wait is shared."""
    async with visiting(sandbox) as one:
        invoice = await one.invoice(expires_in=60)
        page = await one.pay(invoice, "0-USDT", when="late")
        assert "will pay 25.5 USDT on ethereum" in page
        return invoice


@pytest.fixture
async def visitor(sandbox: Running) -> AsyncIterator[Visitor]:
    async with visiting(sandbox) as one:
        yield one


@pytest.mark.usefixtures("expiring")
async def test_any_amount_and_then_what_is_missing(visitor: Visitor) -> None:
    invoice = await visitor.invoice()

    await visitor.pay(invoice, "0-USDT", amount="10.25")
    await visitor.until(invoice, "partial")
    await visitor.pay(invoice, "0-USDT")
    await visitor.send("mine", chain="ethereum", blocks="2")
    paid = await visitor.until(invoice, "paid")

    assert ["10.25", "15.25"] == sorted(payment["amount"] for payment in paid["payments"])


@pytest.mark.parametrize(
    ("chain", "asset", "parts"),
    [
        pytest.param("ethereum", "USDT", ["8.4", "8.4", "8.4"], id="a token"),
        pytest.param("litecoin", "LTC", ["8.4", "8.4", "8.4"], id="coins of one mempool"),
    ],
)
async def test_a_sum_in_parts_comes_as_payments_of_their_own(
    visitor: Visitor, chain: str, asset: str, parts: list[str]
) -> None:
    invoice = await visitor.invoice(chain=chain, asset=asset, amount="25.2")

    await visitor.pay(invoice, f"0-{asset}", parts=str(len(parts)))
    await visitor.send("mine", chain=chain, blocks="2")
    paid = await visitor.until(invoice, "paid")

    assert parts == [payment["amount"] for payment in paid["payments"]]
    assert len(parts) == len({payment["txid"] for payment in paid["payments"]})


@pytest.mark.parametrize(("asset", "wrong"), [("USDT", "ETH"), ("ETH", "USDT")])
async def test_the_wrong_token_is_told_and_not_credited(visitor: Visitor, asset: str, wrong: str) -> None:
    invoice = await visitor.invoice(asset=asset, amount="3")

    await visitor.pay(invoice, f"0-{wrong}")
    await visitor.send("mine", chain="ethereum", blocks="2")
    found = await visitor.until(invoice, "pending wrong_asset")

    assert ["3"] == [option["missing"] for option in found["options"]]


async def test_a_fake_token_of_the_same_symbol_is_not_seen_at_all(visitor: Visitor) -> None:
    invoice = await visitor.invoice()

    page = await visitor.pay(invoice, "0-fake-USDT")
    await visitor.send("mine", chain="ethereum", blocks="2")
    await visitor.pay(invoice, "0-USDT", amount="1")  # once this is seen, the other one was there to see
    found = await visitor.until(invoice, "partial")

    assert "paid 25.5 fake USDT on ethereum" in html.unescape(page)
    assert ["1"] == [payment["amount"] for payment in found["payments"]]


@pytest.mark.parametrize("transactions", ["again", "gone"])
@pytest.mark.parametrize(("chain", "asset"), [("ethereum", "USDT"), ("litecoin", "LTC")])
async def test_a_reorganisation_takes_a_payment_back_or_moves_it(
    visitor: Visitor, chain: str, asset: str, transactions: str
) -> None:
    await visitor.send("mine", chain=chain, blocks="3")
    invoice = await visitor.invoice(chain=chain, asset=asset, amount="2")
    await visitor.pay(invoice, f"0-{asset}")
    await visitor.send("mine", chain=chain, blocks="3")
    (before,) = (await visitor.until(invoice, "paid"))["payments"]

    await visitor.send("reorganise", chain=chain, depth="6", transactions=transactions)
    await visitor.send("mine", chain=chain, blocks="3")

    if transactions == "gone":
        await visitor.until(invoice, "pending reverted")
        return
    moved = await visitor.wait(
        invoice, lambda found: found["payments"][0]["block_hash"] != before["block_hash"], "moved"
    )
    assert [before["txid"]] == [payment["txid"] for payment in moved["payments"]]
    await visitor.until(invoice, "paid", "paid reverted")


async def test_the_panel_in_a_browser_pays_mines_and_says_what_is_wrong(
    visitor: Visitor, browser: Browser
) -> None:
    invoice = await visitor.invoice(order_id="A-77")
    page = await browser.page(f"{visitor.url}/dashboard/sandbox")
    browser.expect("401 (Unauthorized)")  # nobody is signed in yet
    await page.get_by_label("API key").fill(visitor.key)
    await page.get_by_role("button", name="Sign in").click()

    await page.get_by_role("link", name=invoice["id"]).click()
    browser.expect("422 (Unprocessable Entity)")
    await page.get_by_label("Amount").fill("1,5")
    await page.get_by_role("button", name="Simulate the payment").click()
    told = await page.get_by_role("alert").inner_text()
    assert [] == await axe.findings(page)
    await page.get_by_label("Amount").fill("")
    await page.get_by_role("button", name="Simulate the payment").click()
    await page.get_by_label("Blocks", exact=True).fill("2")
    await page.get_by_role("button", name="Mine").click()
    await page.locator("#standing").get_by_text("paid").wait_for()  # without a reload
    await page.get_by_text("paid 25.5 USDT on ethereum").wait_for()

    assert told.startswith("Not paid. amount: is not a decimal number")
    assert f"/dashboard/sandbox/{invoice['id']}" == page.url.removeprefix(visitor.url)
    assert [] == await axe.findings(page)
    await shot(page, "dashboard-sandbox")


async def test_the_panel_works_without_javascript_on_a_phone(visitor: Visitor, browser: Browser) -> None:
    await visitor.send("mine", chain="litecoin", blocks="3")
    invoice = await visitor.invoice(chain="litecoin", asset="LTC", amount="0.5")
    browser.expect("401 (Unauthorized)")
    page = await browser.page(f"{visitor.url}/dashboard/sandbox", javascript=False, phone=True)
    await page.get_by_label("API key").fill(visitor.key)
    await page.get_by_role("button", name="Sign in").click()

    await page.get_by_label("Invoice", exact=True).fill(invoice["id"])
    await page.get_by_role("button", name="Choose").click()
    await page.get_by_label("In how many transactions").fill("2")
    await page.get_by_role("button", name="Simulate the payment").click()
    await visitor.send("mine", chain="litecoin", blocks="3")
    await visitor.until(invoice, "paid")
    forms = page.get_by_role("button", name="Replace the blocks").locator("xpath=ancestor::form")
    await forms.get_by_label("Chain").select_option("litecoin")
    await forms.get_by_label("How many of the last blocks").fill("6")
    await forms.get_by_label("vanish").check()
    await page.get_by_role("button", name="Replace the blocks").click()

    await visitor.until(invoice, "pending reverted")
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert 0 == wide
    assert "their transactions are gone" in await page.locator("#notes").inner_text()


async def test_money_for_later_comes_late(visitor: Visitor, expiring: dict[str, Any]) -> None:
    """The last test: the deadline passes while the others run."""
    found = await visitor.until(expiring, "expired late")

    (payment,) = found["payments"]
    assert ("25.5", True) == (payment["amount"], payment["late"])


async def test_late_money_of_an_expired_invoice_is_sent_at_once(
    visitor: Visitor, expiring: dict[str, Any]
) -> None:
    await visitor.until(expiring, "expired late")

    await visitor.pay(expiring, "0-USDT", when="late", amount="1")

    await visitor.wait(expiring, lambda found: len(found["payments"]) == len("12"), "paid twice")
