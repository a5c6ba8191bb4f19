"""Reorganisations of a real litecoind, followed through the real adapter, scanner, ledger and matcher.

After each the ledger equals a naive scan of the node's best chain, and what was told before is still there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN
from litecoin_scene import NAME, litecoin_scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from litecoin_scene import LitecoinScene
    from watcher.sandbox.litecoind import Litecoind

HISTORY = 200
DEPTHS = [pytest.param(depth, id=f"depth {depth}") for depth in (1, 3, 50, HISTORY)]
PAID = ["payment.detected", "payment.confirmed", "invoice.paid"]
TAKEN_BACK = ["payment.reverted", "invoice.reverted"]
SANE = 20.0
"""Seconds in which 200 blocks are to be replaced; it takes less than one."""


@pytest.fixture
async def scene(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    async with litecoin_scene(litecoind, tmp_path, history=HISTORY) as one:
        yield one


@pytest.mark.parametrize(
    ("depth", "standing", "status"),
    [
        pytest.param(1, "mempool", "confirming reverted", id="depth 1, back to the mempool"),
        pytest.param(3, "mempool", "confirming reverted", id="depth 3, back to the mempool"),
        pytest.param(50, "reorganised", "pending reverted", id="depth 50, gone"),
        pytest.param(HISTORY, "reorganised", "pending reverted", id="depth 200, gone"),
    ],
)
async def test_h1_h2_a_dropped_payment_is_taken_back_after_paid_and_paid_again_when_mined_again(
    scene: LitecoinScene, depth: int, standing: str, status: str
) -> None:
    invoice, txid = await scene.paid(depth)
    raw = scene.raw(txid)
    assert PAID == [type_ for type_ in await invoice.told() if type_ != "invoice.confirming"]

    scene.replace(depth)
    assert [status] == await scene.right(invoice)
    assert [standing] == await scene.followed.standings(NAME)
    assert [*PAID, *TAKEN_BACK] == await invoice.told()

    scene.node.mine_only(raw)
    scene.node.mine(2)
    assert ["paid reverted"] == await scene.right(invoice)
    again = (await invoice.told())[5:]
    assert ("payment.confirmed", "invoice.paid") == tuple(again[-2:])
    assert ["reorganised"] == [
        e["data"]["reason"] for e in await invoice.events() if "reverted" in e["type"]
    ][1:]


@pytest.mark.parametrize("depth", DEPTHS)
async def test_h3_h5_a_payment_moved_to_the_same_height_tells_nothing(
    scene: LitecoinScene, depth: int
) -> None:
    invoice, txid = await scene.paid(depth)
    before = await invoice.told()

    scene.replace(depth, {scene.raw(txid): 0})

    assert ["paid"] == await scene.right(invoice)
    assert before == await invoice.told()
    assert ["mined"] == await scene.followed.standings(NAME)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_h3_h12_a_payment_moved_to_the_top_confirms_anew_and_counts_once(
    scene: LitecoinScene, depth: int
) -> None:
    invoice, txid = await scene.paid(depth)
    required = min(depth, 3)

    scene.replace(depth, {scene.raw(txid): depth})

    for confirmations in range(1, required + 1):
        (status,) = await scene.right(invoice)
        (payment,) = (await invoice.record()).decision.payments
        assert (confirmations, confirmations >= required) == (
            payment.confirmations,
            status.startswith("paid"),
        )
        scene.node.mine()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("amount", "status"),
    [
        pytest.param(None, "pending reverted", id="pays another"),
        pytest.param("0.4", "partial reverted", id="pays less"),
        pytest.param("1.5", "paid overpaid", id="pays more"),
    ],
)
async def test_a_payment_replaced_on_the_other_branch_by_one_that_spends_its_coins(
    scene: LitecoinScene, depth: int, amount: str | None, status: str
) -> None:
    invoice = await scene.invoice(confirmations=1)
    lost = scene.node.pay(invoice.address, "1")
    other = scene.conflict(lost, invoice.address if amount else BURN, amount or "1")
    scene.node.mine(depth)
    assert ["paid"] == await scene.right(invoice)

    scene.replace(depth, {other: 0})

    assert [status] == await scene.right(invoice)
    gone = ["reorganised"]
    assert (["mined"] if amount else []) + gone == await scene.followed.standings(NAME)
    assert {lost} == {
        e["data"]["payment"]["txid"]
        for e in await invoice.events()
        if "reverted" in e["type"] and e["data"]["payment"]
    }


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_payment_in_both_branches_and_a_second_in_the_new_one_are_two(
    scene: LitecoinScene, depth: int
) -> None:
    invoice, first = await scene.paid(depth)
    second = scene.node.pay(invoice.address, "1")

    scene.replace(depth, {scene.raw(first): 0, scene.raw(second): depth})

    assert ["paid overpaid"] == await scene.right(invoice)
    told = await invoice.told()
    assert (1, 2) == (told.count("invoice.paid"), told.count("payment.detected"))


@pytest.mark.parametrize("depth", DEPTHS)
async def test_the_old_branch_wins_again_and_is_told_again(scene: LitecoinScene, depth: int) -> None:
    invoice, _ = await scene.paid(depth)
    before = await scene.followed.credits(NAME)

    old = scene.replace(depth, blocks=depth)
    assert "paid" not in (await scene.right(invoice))[0]
    scene.node.rpc("invalidateblock", scene.node.rpc("getblockhash", scene.node.height - depth + 1))
    scene.node.rpc("reconsiderblock", old)
    scene.node.mine(2)

    assert ["paid reverted"] == await scene.right(invoice)
    assert before == await scene.followed.credits(NAME)
    assert 2 == (await invoice.told()).count("invoice.paid")


async def test_200_blocks_are_replaced_in_one_turn_and_one_transaction_in_sane_time(
    scene: LitecoinScene,
) -> None:
    lost, kept = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.node.pay(lost.address, "1")
    stays = scene.node.pay(kept.address, "1")
    scene.node.mine(HISTORY)
    await scene.right()
    absorbed: list[object] = []
    real = scene.followed.ledger.absorb

    async def counted(*arguments: object, **keys: object) -> int:
        absorbed.append(arguments)
        return await real(*arguments, **keys)  # type: ignore[arg-type]

    scene.followed.ledger.absorb = counted  # type: ignore[method-assign]
    scene.replace(HISTORY, {scene.raw(stays): HISTORY - 1})
    began = time.monotonic()
    await scene.followed.turn(NAME)

    assert time.monotonic() - began < SANE
    assert 1 == len(absorbed)
    assert scene.node.height == (await scene.followed.scanned(NAME))[0]
    assert ["pending reverted", "paid"] == await scene.right(lost, kept)


async def test_a_restart_in_the_middle_of_reorganisations_forgets_nothing(scene: LitecoinScene) -> None:
    invoice, txid = await scene.paid(3)
    raw = scene.raw(txid)

    for place in (1, 2, 3):
        scene.replace(3, {raw: place})
        await scene.followed.restart()
        await scene.right(invoice)
    scene.node.mine(2)

    assert ["paid reverted"] == await scene.right(invoice)
    assert ["mined"] == await scene.followed.standings(NAME)
