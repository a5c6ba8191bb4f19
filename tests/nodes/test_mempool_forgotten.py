"""What a node forgets of its mempool, and finds again: on real litecoinds, up to the events."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bitcoin_adapters import BURN, now
from followed import following, litecoin
from raw_payer import RawPayer
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from pathlib import Path

    from followed import Followed
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

DETECTED, REPLACED, CONFIRMED = "payment.detected", "payment.replaced", "payment.confirmed"
CONFIRMING, PAID, REVERTED = "invoice.confirming", "invoice.paid", "invoice.reverted"
LEAST = Decimal("0.00001")
"""What the node relays when its mempool is not full, in coins per 1,000 virtual bytes."""
FORGETFUL = ("-persistmempool=0", "-walletbroadcast=0")
"""Starts with an empty mempool, and the wallet does not fill it again."""


async def ask(followed: Followed, amount: str = "1", **fields: object) -> Made:
    return await followed.invoice(chain="ltc", asset="LTC", amount=amount, **fields)


async def reason_of(invoice: Made) -> object:
    return (await invoice.events())[-1]["data"]["reason"]


async def test_h20_an_expired_payment_is_dropped_returns_and_is_paid_in_the_end(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        txid = litecoind.pay(invoice.address, "1")
        raw = litecoind.rpc("getrawtransaction", txid)
        await followed.caught_up()

        litecoind.rpc("setmocktime", int((now() + timedelta(hours=337)).timestamp()))
        litecoind.pay(litecoind.new_address(), "1")  # expiry is looked at when something comes in
        await followed.caught_up()
        assert ["dropped"] == await followed.standings("ltc")
        assert ("pending reverted", "dropped") == (await invoice.status(), await reason_of(invoice))
        litecoind.rpc("setmocktime", 0)
        if txid not in litecoind.rpc("getrawmempool"):
            litecoind.rpc("sendrawtransaction", raw)
        await followed.caught_up()
        assert ["mempool"] == await followed.standings("ltc")
        assert "confirming reverted" == await invoice.status()
        litecoind.mine(2)
        await followed.caught_up()

        assert "paid reverted" == await invoice.status()
        told = await invoice.told()
        assert [DETECTED, CONFIRMING, REPLACED, REVERTED, CONFIRMING, CONFIRMED, PAID] == [
            each for n, each in enumerate(told) if each != DETECTED or n == 0
        ]


async def test_h20_a_payment_told_dropped_and_then_mined_by_others_is_paid(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    """It never came back to our node's mempool: only a block shows it again."""
    litecoind = litecoind_factory(extra=FORGETFUL)
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        payer = RawPayer(litecoind)
        raw = payer.signed(payer.coin("2"), {invoice.address: "1"})
        payer.send(raw)
        await followed.caught_up()
        litecoind.stop()
        litecoind.start()
        await followed.scan()
        await followed.caught_up()
        assert ("pending reverted", "dropped") == (await invoice.status(), await reason_of(invoice))
        litecoind.mine_only(raw)
        litecoind.mine()
        await followed.caught_up()

        assert "paid reverted" == await invoice.status()
        assert [10**8] == [row.amount for row in await followed.rows(DEPOSIT)]


async def test_h20_a_payment_evicted_from_a_full_mempool_is_dropped(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    litecoind = litecoind_factory(extra=("-maxmempool=5", "-datacarriersize=100000", "-blockmintxfee=0"))
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        payer = RawPayer(litecoind)
        payer.send(payer.signed(payer.coin("20"), {litecoind.new_address(): "0.2" for _ in range(70)}))
        litecoind.mine()
        coins = [each for each in litecoind.rpc("listunspent", 1) if each["amount"] == Decimal("0.2")]
        cheap = payer.signed(payer.coin("2"), {invoice.address: "1"}, fee=Decimal("0.0000015"))
        txid = payer.send(cheap)
        await followed.caught_up()
        assert "confirming" == await invoice.status()
        _fill(payer, litecoind, coins)
        assert txid not in litecoind.rpc("getrawmempool")
        await followed.caught_up()

        assert ("pending reverted", "dropped") == (await invoice.status(), await reason_of(invoice))
        litecoind.mine_only(cheap)
        await followed.caught_up()
        assert "confirming reverted" == await invoice.status()


def _fill(payer: RawPayer, node: Litecoind, coins: list[dict[str, Any]]) -> None:
    """Fill the mempool with large transactions that pay more and more, until the cheapest have to go."""
    for n, coin in enumerate(coins):
        if node.rpc("getmempoolinfo")["mempoolminfee"] > LEAST:
            return
        spends = [{"txid": coin["txid"], "vout": coin["vout"]}]
        raw = node.rpc("createrawtransaction", spends, [{"data": "00" * 90_000}, {BURN: f"0.{199 - n}"}])
        payer.send(node.rpc("signrawtransactionwithwallet", raw)["hex"])


@pytest.mark.parametrize("extra", [(), FORGETFUL], ids=["kept", "forgotten"])
async def test_h34_a_node_that_restarts_says_of_its_mempool_what_it_still_has(
    litecoind_factory: LitecoindFactory, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    litecoind = litecoind_factory(extra=extra)
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        RawPayer(litecoind).pay(invoice.address, "1")
        await followed.caught_up()
        before = await invoice.told()
        litecoind.stop()
        for _ in range(3):
            await followed.scan()
        assert ("confirming", before) == (await invoice.status(), await invoice.told())
        litecoind.start()
        await followed.scan()
        await followed.caught_up()

        kept = not extra
        assert ["mempool" if kept else "dropped"] == await followed.standings("ltc")
        assert ("confirming" if kept else "pending reverted") == await invoice.status()
        assert before + ([] if kept else [REPLACED, REVERTED]) == await invoice.told()


async def test_h34_a_node_that_warms_up_or_loads_its_mempool_drops_nothing(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    litecoind = litecoind_factory(extra=("-checklevel=4", "-checkblocks=0"))
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        payer = RawPayer(litecoind)
        for _ in range(10):
            payer.pay(invoice.address, "0.1")
        await followed.caught_up()
        before = await invoice.told()
        reasons: set[str] = set()
        with ThreadPoolExecutor(1) as starter:  # a node lives as long as the thread that started it
            litecoind.stop()
            starting = starter.submit(litecoind.start)
            while not starting.done():
                await followed.turn("ltc")
                reasons.add(str(followed.status("ltc").reason))
                await asyncio.sleep(0.002)
            await followed.scan()
            await followed.caught_up()

            assert any("-28" in reason for reason in reasons), reasons
            assert ("confirming", before) == (await invoice.status(), await invoice.told())


async def test_h20_what_became_of_payments_while_the_watcher_was_down_is_told_once(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as followed:
        await followed.caught_up()
        payer = RawPayer(litecoind)
        waits, moves, is_mined, is_new = [await ask(followed) for _ in range(4)]
        payer.pay(waits.address, "1")
        coin = payer.coin("2")
        payer.send(payer.signed(coin, {moves.address: "1"}, sequence=0))
        mined = payer.pay(is_mined.address, "1")
        await followed.caught_up()
        before = await waits.told()

        await followed.restart()
        payer.send(payer.signed(coin, {BURN: "1"}, fee=Decimal("0.001")))
        payer.pay(is_new.address, "1")
        litecoind.mine_only(mined)
        await followed.caught_up()
        await followed.restart()
        await followed.caught_up()

        assert (before, "confirming") == (await waits.told(), await waits.status())
        assert [DETECTED, CONFIRMING, REPLACED, REVERTED] == await moves.told()
        assert ([DETECTED, CONFIRMING], "confirming") == (await is_mined.told(), await is_mined.status())
        assert [DETECTED, CONFIRMING] == await is_new.told()


class TestTwoNodes:
    """Nodes keep their mempools each for itself: what one does not list is not gone for that."""

    async def test_h20_failover_to_a_node_that_never_had_the_payment_drops_nothing(
        self, litecoind_factory: LitecoindFactory, tmp_path: Path
    ) -> None:
        has, lacks = litecoind_factory(), litecoind_factory()
        async with following(tmp_path, ltc=litecoin(has.url, lacks.url)) as followed:
            await followed.caught_up()
            invoice = await ask(followed)
            RawPayer(has).pay(invoice.address, "1")
            await followed.caught_up()
            before = await invoice.told()

            followed.adapters["ltc"].distrust("a test goes on with the other one")
            for _ in range(2):
                await followed.scan()
            assert ("confirming", before) == (await invoice.status(), await invoice.told())
            has.stop()
            for _ in range(2):
                await followed.scan()
            assert ("confirming", before) == (await invoice.status(), await invoice.told())
            await followed.restart()
            for _ in range(3):
                await followed.scan()

            assert (["mempool"], before) == (await followed.standings("ltc"), await invoice.told())
            assert lacks.height == (await followed.scanned("ltc"))[0]

    async def test_h20_what_no_node_has_any_more_is_dropped(
        self, litecoind_factory: LitecoindFactory, tmp_path: Path
    ) -> None:
        has, lacks = litecoind_factory(extra=FORGETFUL), litecoind_factory()
        async with following(tmp_path, ltc=litecoin(has.url, lacks.url)) as followed:
            await followed.caught_up()
            invoice = await ask(followed)
            RawPayer(has).pay(invoice.address, "1")
            await followed.caught_up()
            has.stop()
            has.start()
            async with asyncio.timeout(20):  # the one that failed is left alone for a moment first
                while await followed.standings("ltc") != ["dropped"]:
                    await asyncio.sleep(0.1)
                    await followed.scan()

            assert ("pending reverted", "dropped") == (await invoice.status(), await reason_of(invoice))

    async def test_h16_a_replacement_that_only_the_other_node_knows_is_told(
        self, litecoind_factory: LitecoindFactory, tmp_path: Path
    ) -> None:
        has, lacks = litecoind_factory(), litecoind_factory()
        async with following(tmp_path, ltc=litecoin(has.url, lacks.url)) as followed:
            await followed.caught_up()
            invoice = await ask(followed)
            payer = RawPayer(has)
            coin = payer.coin("2")
            payer.send(payer.signed(coin, {invoice.address: "1"}))
            await followed.caught_up()
            RawPayer(lacks).send(payer.signed(coin, {BURN: "1"}))
            followed.adapters["ltc"].distrust("a test goes on with the other one")
            for _ in range(2):
                await followed.scan()

            assert ("pending reverted", "replaced") == (await invoice.status(), await reason_of(invoice))
