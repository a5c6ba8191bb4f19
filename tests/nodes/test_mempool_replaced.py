"""Unconfirmed payments that something else takes the place of, on a real litecoind, up to the events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN
from followed import following, litecoin
from raw_payer import SIGNALS, RawPayer, malleated
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

DETECTED, REPLACED, CONFIRMED = "payment.detected", "payment.replaced", "payment.confirmed"
PARTLY, CONFIRMING, PAID = "invoice.partially_paid", "invoice.confirming", "invoice.paid"
REVERTED, OVERPAID = "invoice.reverted", "invoice.overpaid"
MORE_FEE = Decimal("0.001")


@pytest.fixture
async def followed(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[Followed]:
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as deployment:
        await deployment.caught_up()
        yield deployment


@pytest.fixture
def payer(litecoind: Litecoind) -> RawPayer:
    return RawPayer(litecoind)


async def ask(followed: Followed, amount: str = "1", **fields: object) -> Made:
    return await followed.invoice(chain="ltc", asset="LTC", amount=amount, **fields)


async def seen_at(followed: Followed) -> dict[str, str]:
    """Where each deposit stands, by its transaction."""
    return {row.txid: row.standing for row in await followed.rows(DEPOSIT)}


async def test_h18_a_fee_bump_that_keeps_paying_counts_once_and_never_falls(
    litecoind: Litecoind, followed: Followed
) -> None:
    invoice = await ask(followed)
    first = litecoind.pay(invoice.address, "1")
    await followed.caught_up()
    second = litecoind.rpc("bumpfee", first)["txid"]
    await followed.caught_up()

    assert "confirming" == await invoice.status()
    assert [DETECTED, CONFIRMING] == (await invoice.told())[:2]
    assert sorted([DETECTED, REPLACED]) == sorted((await invoice.told())[2:])
    litecoind.mine(2)
    await followed.caught_up()
    assert {first: "replaced", second: "mined"} == await seen_at(followed)
    assert "paid" == await invoice.status()
    assert [CONFIRMED, PAID] == (await invoice.told())[4:]


@pytest.mark.parametrize(
    ("amount", "status", "told", "at_last"),
    [
        pytest.param(
            None, "pending reverted", [REPLACED, REVERTED], "pending reverted", id="to another address"
        ),
        pytest.param(
            "0.25", "partial reverted", [DETECTED, REPLACED, REVERTED], "partial reverted", id="less"
        ),
        pytest.param("1", "confirming", [DETECTED, REPLACED], "paid", id="as much"),
        pytest.param("2", "confirming overpaid", [DETECTED, REPLACED], "paid overpaid", id="more"),
    ],
)
async def test_h16_h18_h19_a_replacement_counts_for_what_it_pays(
    followed: Followed,
    payer: RawPayer,
    amount: str | None,
    status: str,
    told: list[str],
    at_last: str,
    litecoind: Litecoind,
) -> None:
    invoice = await ask(followed)
    coin = payer.coin("2")
    first = payer.send(payer.signed(coin, {invoice.address: "1"}, sequence=SIGNALS))
    await followed.caught_up()
    pays = {invoice.address: amount} if amount else {BURN: "1"}
    payer.send(payer.signed(coin, pays, fee=MORE_FEE))
    await followed.caught_up()

    assert status == await invoice.status()
    assert [DETECTED, CONFIRMING] == (await invoice.told())[:2]
    assert sorted(told) == sorted((await invoice.told())[2:])
    assert "replaced" == (await seen_at(followed))[first]
    litecoind.mine(2)
    await followed.caught_up()
    assert at_last == await invoice.status()
    assert ("mined" in (await seen_at(followed)).values()) is (amount is not None)


@pytest.mark.parametrize("to_us", [False, True], ids=["to somebody else", "to us again"])
async def test_h16_h17_a_double_spend_that_only_a_block_shows_replaces_a_final_transaction(
    litecoind: Litecoind, followed: Followed, payer: RawPayer, *, to_us: bool
) -> None:
    """The node calls the first one not replaceable; a miner took another. It was in no mempool of ours."""
    invoice = await ask(followed)
    coin = payer.coin("2")
    first = payer.send(payer.signed(coin, {invoice.address: "1"}))
    assert not litecoind.rpc("getmempoolentry", first)["bip125-replaceable"]
    await followed.caught_up()
    other = payer.signed(coin, {invoice.address if to_us else BURN: "1"}, fee=MORE_FEE)
    litecoind.mine_only(other)
    await followed.caught_up()

    assert "replaced" == (await seen_at(followed))[first]
    assert ("confirming" if to_us else "pending reverted") == await invoice.status()
    gone = [e["data"]["payment"] for e in await invoice.events() if e["type"] == REPLACED]
    assert [first] == [payment["txid"] for payment in gone]
    litecoind.mine()
    await followed.caught_up()
    assert ("paid" if to_us else "pending reverted") == await invoice.status()


async def test_h16_a_double_spend_made_while_the_watcher_was_down_is_found_in_its_block(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    coin = payer.coin("2")
    payer.send(payer.signed(coin, {invoice.address: "1"}))
    await followed.caught_up()
    await followed.restart()
    litecoind.mine_only(payer.signed(coin, {BURN: "1"}))
    litecoind.mine(3)
    await followed.caught_up()

    assert "pending reverted" == await invoice.status()
    assert [DETECTED, CONFIRMING, REPLACED, REVERTED] == await invoice.told()
    assert "replaced" == (await invoice.events())[-1]["data"]["reason"]


async def test_h38_a_malleated_transaction_takes_the_first_ones_place(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    legacy = litecoind.new_address("legacy")
    funding = payer.send(payer.signed(payer.coin("3"), {legacy: "3"}))
    litecoind.mine()
    coin = next(each for each in litecoind.rpc("listunspent", 1) if each["txid"] == funding)
    raw = payer.signed(coin, {invoice.address: "1"})
    first = payer.send(raw)
    await followed.caught_up()
    twisted = malleated(raw)
    litecoind.mine_only(twisted)
    await followed.caught_up()

    assert first != payer.txid(twisted)
    assert {first: "replaced", payer.txid(twisted): "mined"} == await seen_at(followed)
    assert "confirming" == await invoice.status()
    litecoind.mine()
    await followed.caught_up()
    assert "paid" == await invoice.status()
    assert REVERTED not in await invoice.told()


async def test_h16_a_child_goes_when_its_parent_is_replaced(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    invoice = await ask(followed)
    coin = payer.coin("3")
    parent = payer.signed(coin, {BURN: "1"}, sequence=SIGNALS)
    payer.send(parent)
    child = payer.send(payer.signed(payer.output(parent), {invoice.address: "1"}))
    await followed.caught_up()
    assert "confirming" == await invoice.status()
    payer.send(payer.signed(coin, {BURN: "2"}, fee=MORE_FEE))
    await followed.caught_up()

    assert child not in litecoind.rpc("getrawmempool")
    assert {child: "dropped"} == await seen_at(followed)
    assert "pending reverted" == await invoice.status()
    assert [DETECTED, CONFIRMING, REPLACED, REVERTED] == await invoice.told()
    assert "dropped" == (await invoice.events())[-1]["data"]["reason"]


async def test_an_unconfirmed_chain_pays_each_time_it_passes_by(
    litecoind: Litecoind, followed: Followed, payer: RawPayer
) -> None:
    one, two = await ask(followed), await ask(followed)
    parent = payer.signed(payer.coin("5"), {one.address: "0.4"})
    child = payer.signed(payer.output(parent), {two.address: "1"})
    grandchild = payer.signed(payer.output(child), {one.address: "0.6"})
    for raw in (parent, child, grandchild):
        payer.send(raw)
    await followed.caught_up()

    assert ["confirming", "confirming"] == [await one.status(), await two.status()]
    litecoind.mine(2)
    await followed.caught_up()
    assert ["paid", "paid"] == [await one.status(), await two.status()]
    assert [DETECTED, DETECTED, CONFIRMING, CONFIRMED, CONFIRMED, PAID] == await one.told()
    assert {payer.txid(raw): "mined" for raw in (parent, child, grandchild)} == await seen_at(followed)


async def test_h18_a_payment_replaced_again_and_again_is_counted_once(
    litecoind: Litecoind, followed: Followed
) -> None:
    invoice = await ask(followed)
    txid = litecoind.pay(invoice.address, "1")
    await followed.caught_up()
    for _ in range(3):
        txid = litecoind.rpc("bumpfee", txid)["txid"]
        await followed.caught_up()
        record = await invoice.record()
        assert ("confirming", 10**8) == (await invoice.status(), record.decision.options[0].seen)
    litecoind.mine(2)
    await followed.caught_up()

    assert ["mined", "replaced", "replaced", "replaced"] == await followed.standings("ltc")
    assert ("paid", 1) == (await invoice.status(), (await invoice.told()).count(PAID))
    assert REVERTED not in await invoice.told()
