"""Payments that count before they are in a block, and those that must not, on a real litecoind."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bitcoin_adapters import BURN
from followed import following, litecoin
from raw_payer import FINAL, SIGNALS, RawPayer
from watcher.explain import explanation
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

DETECTED, CONFIRMED = "payment.detected", "payment.confirmed"
CONFIRMING, PAID, REVERTED = "invoice.confirming", "invoice.paid", "invoice.reverted"
BY_AMOUNT = [{"up_to": "0.5", "confirmations": 0}, {"up_to": "5", "confirmations": 1}]


@pytest.fixture
async def followed(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[Followed]:
    keys = litecoin(litecoind.url, confirmations=2, confirmations_by_amount=BY_AMOUNT)
    async with following(tmp_path, ltc=keys) as deployment:
        await deployment.caught_up()
        yield deployment


@pytest.fixture
def payer(litecoind: Litecoind) -> RawPayer:
    return RawPayer(litecoind)


async def ask(followed: Followed, amount: str = "0.5", **fields: object) -> Made:
    return await followed.invoice(chain="ltc", asset="LTC", amount=amount, **fields)


async def only(invoice: Made) -> dict[str, Any]:
    """The invoice's one payment, as its last event showed it."""
    (payment,) = (await invoice.events())[-1]["data"]["invoice"]["payments"]
    return dict(payment)


async def why(followed: Followed, invoice: Made) -> str:
    record, view = await invoice.record(), await followed.ledger.view("ltc")
    assert view is not None
    shown = explanation(record, {"ltc": view}, followed.app.links)
    return str(shown["payments"][0]["why"])


async def risks(followed: Followed) -> list[str | None]:
    return [row.risk for row in await followed.rows(DEPOSIT)]


def make_fees_rise(node: Litecoind, payer: RawPayer) -> None:
    """Let the node see payments mined at 200 times the least fee, until it estimates that."""
    coins = [payer.coin("2") for _ in range(3)]
    for _ in range(8):
        raws = [payer.signed(coin, {BURN: "0.001"}, fee=Decimal("0.0005")) for coin in coins]
        for raw in raws:
            payer.send(raw)
        node.mine(1, BURN)
        coins = [payer.output(raw) for raw in raws]
    assert node.rpc("estimatesmartfee", 3)["feerate"] > Decimal("0.001")


async def test_h17_a_sound_small_payment_is_paid_before_it_is_mined(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    payer.pay(invoice.address, "0.5")
    await followed.caught_up()

    assert "paid" == await invoice.status()
    assert [DETECTED, CONFIRMED, PAID] == await invoice.told()
    assert ("confirmed", 0) == ((shown := await only(invoice))["status"], shown["required_confirmations"])
    litecoind.mine(3)
    await followed.caught_up()
    assert ("paid", [DETECTED, CONFIRMED, PAID]) == (await invoice.status(), await invoice.told())


@pytest.mark.parametrize(
    ("amount", "depths"),
    [
        pytest.param("0.5", ["paid", "paid", "paid"], id="0"),
        pytest.param("0.50000001", ["confirming", "paid", "paid"], id="1"),
        pytest.param("5.1", ["confirming", "confirming", "paid"], id="2"),
    ],
)
async def test_h103_each_amount_has_its_own_number_of_confirmations(
    litecoind: Litecoind, followed: Followed, payer: RawPayer, amount: str, depths: list[str]
) -> None:
    invoice = await ask(followed, amount)
    payer.pay(invoice.address, amount)
    await followed.caught_up()
    found = [await invoice.status()]
    for _ in range(2):
        litecoind.mine()
        await followed.caught_up()
        found.append(await invoice.status())

    assert depths == found


async def test_h17_one_that_says_it_may_be_replaced_needs_its_block(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    payer.pay(invoice.address, "0.5", sequence=SIGNALS)
    await followed.caught_up()

    assert "confirming" == await invoice.status()
    assert ("pending", 1) == ((shown := await only(invoice))["status"], shown["required_confirmations"])
    assert "may replace it while it is unconfirmed (BIP-125)" in await why(followed, invoice)
    litecoind.mine()
    await followed.caught_up()
    assert "paid" == await invoice.status()
    assert [DETECTED, CONFIRMING, CONFIRMED, PAID] == await invoice.told()


async def test_h17_a_confirmed_one_that_falls_back_into_the_mempool_is_judged_anew(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    payer.pay(invoice.address, "0.5", sequence=SIGNALS)
    (block,) = litecoind.mine()
    await followed.caught_up()
    assert ("paid", [None]) == (await invoice.status(), await risks(followed))
    litecoind.rpc("invalidateblock", block)
    for _ in range(2):
        litecoind.mine_only()
    await followed.caught_up()

    assert ("confirming reverted", ["replaceable"]) == (await invoice.status(), await risks(followed))
    litecoind.mine()
    await followed.caught_up()
    assert "paid reverted" == await invoice.status()


async def test_h17_the_child_of_an_unconfirmed_payment_waits_for_its_parent_or_its_own_block(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    parent = payer.signed(payer.coin("3"), {BURN: "1"}, sequence=FINAL)
    payer.send(parent)
    payer.send(payer.signed(payer.output(parent), {invoice.address: "0.5"}))
    await followed.caught_up()
    assert ("confirming", ["unconfirmed_parent"]) == (await invoice.status(), await risks(followed))
    assert "it spends coins that are unconfirmed themselves" in await why(followed, invoice)
    litecoind.mine_only(payer.txid(parent))
    await followed.restart()  # what waits is judged again when the mempool is read in full
    await followed.caught_up()

    assert ("paid", [None]) == (await invoice.status(), await risks(followed))


async def test_one_whose_fee_will_not_get_it_mined_soon_needs_its_block(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    make_fees_rise(litecoind, payer)
    cheap, dear = await ask(followed), await ask(followed)
    payer.pay(cheap.address, "0.5", fee=Decimal("0.00002"))
    payer.pay(dear.address, "0.5", fee=Decimal("0.01"))
    await followed.caught_up()

    assert ("confirming", "paid") == (await cheap.status(), await dear.status())
    assert "its fee is too low to be mined soon" in await why(followed, cheap)
    litecoind.mine()
    await followed.caught_up()
    assert ("paid", "paid") == (await cheap.status(), await dear.status())


async def test_a_payment_that_was_told_confirmed_stays_so_when_fees_rise(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    litecoind.rpc("prioritisetransaction", txid := payer.pay(invoice.address, "0.5"), 0, -(10**8))
    await followed.caught_up()
    before = await invoice.told()
    make_fees_rise(litecoind, payer)
    assert txid in litecoind.rpc("getrawmempool")
    await followed.restart()
    await followed.caught_up()

    late = await ask(followed)
    payer.pay(late.address, "0.5")
    await followed.caught_up()
    assert "low_fee" in await risks(followed)
    assert ("paid", before) == (await invoice.status(), await invoice.told())
    assert "confirming" == await late.status()
