"""When payments arrive, and by what they are found, on a real litecoind, up to the events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN, now
from followed import following, litecoin
from raw_payer import RawPayer
from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

DETECTED, CONFIRMED = "payment.detected", "payment.confirmed"
CONFIRMING, PAID, EXPIRED = "invoice.confirming", "invoice.paid", "invoice.expired"
HOUR = 3600


@pytest.fixture
async def followed(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[Followed]:
    async with following(tmp_path, ltc=litecoin(litecoind.url)) as deployment:
        await deployment.caught_up()
        yield deployment


async def ask(followed: Followed, amount: str = "1", **fields: object) -> Made:
    return await followed.invoice(chain="ltc", asset="LTC", amount=amount, **fields)


async def test_h105_a_payment_seen_in_time_and_mined_after_the_deadline_is_in_time(
    litecoind: Litecoind, followed: Followed
) -> None:
    invoice = await ask(followed)
    followed.clock.advance(HOUR - 5)
    litecoind.pay(invoice.address, "1")
    await followed.caught_up()
    followed.clock.advance(HOUR)
    litecoind.rpc("setmocktime", followed.clock.now())
    await followed.caught_up()
    assert "confirming" == await invoice.status()
    litecoind.mine(2)
    await followed.caught_up()

    assert [DETECTED, CONFIRMING, CONFIRMED, PAID] == await invoice.told()
    assert "paid" == await invoice.status()


async def test_h34_h105_a_payment_seen_in_time_stays_so_when_the_node_is_down_at_the_deadline(
    litecoind: Litecoind, followed: Followed
) -> None:
    late, in_time = await ask(followed), await ask(followed)
    litecoind.pay(in_time.address, "1")
    await followed.caught_up()
    litecoind.stop()
    followed.clock.advance(2 * HOUR)
    for _ in range(2):
        await followed.scan()
    assert ("pending", "confirming") == (await late.status(), await in_time.status())
    litecoind.start()
    await followed.scan()
    await followed.caught_up()

    assert ("expired", "confirming") == (await late.status(), await in_time.status())


async def test_h39_what_an_expired_invoice_s_address_receives_is_told_as_late(
    litecoind: Litecoind, followed: Followed
) -> None:
    invoice = await ask(followed)
    followed.clock.advance(HOUR + 1)
    litecoind.rpc("setmocktime", followed.clock.now())
    await followed.caught_up()
    assert "expired" == await invoice.status()
    litecoind.pay(invoice.address, "1")
    await followed.caught_up()
    litecoind.mine(2)
    await followed.caught_up()

    assert [EXPIRED, DETECTED, "invoice.late_payment", CONFIRMED] == await invoice.told()
    assert ("expired late", True) == (
        await invoice.status(),
        (await invoice.record()).decision.needs_action,
    )
    assert (await ask(followed)).address != invoice.address


@pytest.mark.parametrize(
    "skew",
    [pytest.param(7100, id="ahead, beyond the deadline"), pytest.param(-3000, id="before the invoice")],
)
@pytest.mark.parametrize("unseen", [False, True], ids=["seen first", "seen in its block"])
async def test_h108_a_block_s_own_time_makes_no_payment_late_or_early(
    litecoind: Litecoind, followed: Followed, skew: int, *, unseen: bool
) -> None:
    invoice = await ask(followed)
    litecoind.rpc("setmocktime", int(now().timestamp()) + skew)
    litecoind.pay(invoice.address, "1")
    if not unseen:
        await followed.caught_up()
    litecoind.mine(2)
    await followed.caught_up()

    assert "paid" == await invoice.status()
    (row,) = await followed.rows(DEPOSIT)
    record = await invoice.record()
    assert record.invoice.created_at <= row.arrived_at <= now() + timedelta(seconds=1)


async def test_h21_h23_nothing_wakes_the_scanner_and_a_payment_older_than_its_look_is_seen(
    litecoind: Litecoind, followed: Followed
) -> None:
    """There is no push to lose: the address is kept before it is shown, and the next look finds all."""
    litecoind.pay(BURN, "1")
    await followed.caught_up()
    invoice = await ask(followed)
    litecoind.pay(invoice.address, "0.4")
    await followed.restart()
    litecoind.pay(invoice.address, "0.6")
    await followed.caught_up()

    assert ("confirming", [DETECTED, DETECTED, CONFIRMING]) == (await invoice.status(), await invoice.told())


async def test_h23_what_a_brought_address_had_in_the_mempool_before_is_not_this_invoice_s(
    litecoind: Litecoind, followed: Followed
) -> None:
    address = litecoind.new_address()
    litecoind.pay(address, "1")
    await followed.caught_up()
    followed.clock.advance(60)
    litecoind.rpc("setmocktime", followed.clock.now())
    invoice = await ask(followed, address=address)
    await followed.caught_up()
    assert ("pending", ["ignored"]) == (
        await invoice.status(),
        [p.status for p in (await invoice.record()).decision.payments],
    )
    litecoind.pay(address, "1")
    await followed.caught_up()

    assert "confirming" == await invoice.status()


async def test_h22_h24_a_deposit_swept_while_the_watcher_was_down_is_found_once(
    litecoind: Litecoind, followed: Followed
) -> None:
    address = litecoind.new_address()
    invoice = await ask(followed, address=address)
    await followed.restart()
    txid = litecoind.pay(address, "1")
    litecoind.mine()
    raw = litecoind.rpc("gettransaction", txid)["hex"]
    payer = RawPayer(litecoind)
    payer.send(payer.signed(payer.output(raw, address), {BURN: "0.9"}))
    litecoind.mine(2)
    assert 0 == litecoind.rpc("scantxoutset", "start", [f"addr({address})"])["total_amount"]
    for _ in range(2):
        await followed.caught_up()

    assert ("paid", [DETECTED, CONFIRMED, PAID]) == (await invoice.status(), await invoice.told())
    assert [10**8] == [row.amount for row in await followed.rows(DEPOSIT)]


async def test_h22_a_payment_listed_twice_after_a_reorganisation_counts_once(
    litecoind: Litecoind, followed: Followed
) -> None:
    """`listsinceblock` with the orphaned block lists it as removed and as added; nobody asks it here."""
    invoice = await ask(followed)
    raw = litecoind.rpc("gettransaction", litecoind.pay(invoice.address, "1"))["hex"]
    (orphan,) = litecoind.mine()
    await followed.caught_up()
    litecoind.rpc("invalidateblock", orphan)
    litecoind.mine_only(raw)
    litecoind.mine()
    listed = litecoind.rpc("listsinceblock", orphan, 1, False, True)
    await followed.caught_up()

    assert [invoice.address] * 2 == [
        each["address"]
        for each in [*listed["transactions"], *listed["removed"]]
        if each["address"] == invoice.address
    ]
    assert ("paid", [10**8]) == (
        await invoice.status(),
        [row.amount for row in await followed.rows(DEPOSIT)],
    )


async def test_h36_a_node_without_a_wallet_is_enough(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    payer = litecoind_factory(listen=True)
    ours = litecoind_factory(wallet=False, peer=payer, extra=("-disablewallet",))
    async with following(tmp_path, ltc=litecoin(ours.url)) as followed:
        await followed.caught_up()
        invoice = await ask(followed)
        raw = payer.rpc("gettransaction", payer.pay(invoice.address, "1"))["hex"]
        ours.rpc("sendrawtransaction", raw)
        await followed.caught_up()
        assert "confirming" == await invoice.status()
        for block in payer.mine(2):
            ours.rpc("submitblock", payer.rpc("getblock", block, 0))
        await followed.caught_up()

        assert (payer.height, "paid") == (ours.height, await invoice.status())


async def test_h28_h29_an_mweb_pegout_is_neither_dropped_nor_counted_twice(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    node = litecoind_factory(mweb=True)
    node.pay(node.new_address("mweb"), "5")
    node.mine()
    async with following(tmp_path, ltc=litecoin(node.url, confirmations=1)) as followed:
        await followed.caught_up()
        invoice = await ask(followed, "2")
        coins = [each for each in node.rpc("listunspent", 0) if not each["address"].startswith("tmweb")]
        node.rpc("lockunspent", False, [{"txid": each["txid"], "vout": each["vout"]} for each in coins])
        inside = node.pay(invoice.address, "2")
        await followed.caught_up()
        assert ("pending", []) == (await invoice.status(), await invoice.told())
        node.mine(1, BURN)
        await followed.caught_up()
        assert ("confirming", 6) == (
            await invoice.status(),
            (await invoice.record()).decision.payments[0].required,
        )
        node.mine(5, BURN)
        await followed.caught_up()

        assert ("paid", [DETECTED, CONFIRMING, CONFIRMED, PAID]) == (
            await invoice.status(),
            await invoice.told(),
        )
        assert [2 * 10**8] == [r.amount for r in await followed.rows(DEPOSIT) if r.txid != inside]


async def test_h23_h108_a_node_whose_clock_lags_does_not_date_a_payment_before_its_invoice(
    litecoind: Litecoind, followed: Followed
) -> None:
    """A minute behind: by the node's word, each payment came before the address was brought."""
    followed.clock.advance(60)
    await followed.caught_up()
    invoices = [await ask(followed, address=litecoind.new_address()) for _ in range(2)]
    litecoind.pay(invoices[0].address, "1")
    await followed.caught_up()
    litecoind.pay(invoices[1].address, "1")
    await followed.caught_up()

    assert ["confirming", "confirming"] == [await each.status() for each in invoices]
