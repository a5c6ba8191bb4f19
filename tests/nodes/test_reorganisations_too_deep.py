"""Reorganisations around the depth of the kept history: the last one that is undone, the first that halts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from litecoin_scene import NAME, litecoin_scene
from watcher.api.chains import describe
from watcher.model import ChainState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from litecoin_scene import LitecoinScene
    from watcher.sandbox.litecoind import Litecoind

HISTORY = 20


@pytest.fixture
async def scene(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    litecoind.mine(5)
    async with litecoin_scene(litecoind, tmp_path, history=HISTORY) as one:
        litecoind.mine(2 * HISTORY)
        await one.followed.caught_up()
        yield one


async def test_h8_a_reorganisation_exactly_as_deep_as_the_history_is_undone(scene: LitecoinScene) -> None:
    lost, kept = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.node.pay(lost.address, "1")
    stays = scene.node.pay(kept.address, "1")
    scene.node.mine(HISTORY)
    assert ["paid", "paid"] == await scene.right(lost, kept)

    scene.replace(HISTORY, {scene.raw(stays): HISTORY - 1})

    assert ["pending reverted", "paid"] == await scene.right(lost, kept)
    assert [] == await scene.followed.told("chain.")


async def test_h8_one_block_deeper_halts_with_one_alert_and_neither_credits_nor_withdraws(
    scene: LitecoinScene,
) -> None:
    early, _ = await scene.paid(1)
    lost, _ = await scene.paid(HISTORY + 1)
    later = await scene.invoice(confirmations=1)
    before = await scene.followed.credits(NAME)
    fork = scene.node.height - HISTORY - 1

    scene.replace(HISTORY + 1)
    scene.node.pay(later.address, "1")
    scene.node.mine(3)
    for _ in range(3):
        await scene.followed.scan()
        scene.node.mine()

    shown = describe(scene.followed.app.context(), NAME)
    remedy = f"watcher rescan {NAME} --from HEIGHT, with a HEIGHT of {fork + 1} or less"
    assert (ChainState.HALTED, True) == (shown["state"], remedy in shown["reason"])
    assert ["chain.stalled"] == await scene.followed.told("chain.")
    assert before == await scene.followed.credits(NAME)
    assert ["paid", "paid", "pending"] == [await each.status() for each in (early, lost, later)]


async def test_h8_nothing_expires_while_the_chain_is_halted(scene: LitecoinScene) -> None:
    await scene.paid(HISTORY + 1)
    invoice = await scene.invoice(expires_in=60)
    scene.replace(HISTORY + 1)
    await scene.followed.scan()

    scene.followed.clock.advance(3600)
    scene.node.mine(2)
    await scene.followed.scan()

    assert "pending" == await invoice.status()


async def test_h8_a_rescan_recovers_withdraws_the_old_branch_and_credits_the_new(
    scene: LitecoinScene,
) -> None:
    early, _ = await scene.paid(1)
    lost, _ = await scene.paid(HISTORY + 5)
    later = await scene.invoice(confirmations=1)
    fork = scene.node.height - HISTORY - 5
    scene.replace(HISTORY + 5)
    scene.node.pay(later.address, "1")
    scene.node.mine(2)
    await scene.followed.scan()

    await scene.followed.actions.rescan(NAME, fork + 1, None)

    assert ["paid", "pending reverted", "paid"] == await scene.right(early, lost, later)
    assert ["chain.stalled", "chain.recovered"] == await scene.followed.told("chain.")
    assert [] == list(await scene.followed.ledger.gaps(NAME))


async def test_h8_a_rescan_from_above_the_fork_leaves_nothing_of_the_old_branch_credited(
    scene: LitecoinScene,
) -> None:
    """The kept blocks do not say how deep the fork is: a height that satisfies them may lie above it."""
    early, _ = await scene.paid(1)
    lost, _ = await scene.paid(HISTORY + 5)
    lowest = min(await scene.followed.kept(NAME))
    fork = scene.node.height - HISTORY - 5
    assert fork + 1 < lowest
    scene.replace(HISTORY + 5)
    await scene.followed.scan()

    await scene.followed.actions.rescan(NAME, lowest, None)
    await scene.followed.scan()

    status = scene.followed.status(NAME)
    assert (ChainState.HALTED, True) == (
        status.state,
        f"a HEIGHT of {fork + 1} or less" in str(status.reason),
    )
    assert "paid" == await lost.status()

    await scene.followed.actions.rescan(NAME, fork + 1, None)
    assert ["paid", "pending reverted"] == await scene.right(early, lost)


async def test_h8_a_rescan_from_far_below_reads_in_pieces(scene: LitecoinScene) -> None:
    lost, _ = await scene.paid(HISTORY + 5)
    scene.replace(HISTORY + 5)
    await scene.followed.scan()

    await scene.followed.actions.rescan(NAME, 1, None)

    assert ["pending reverted"] == await scene.right(lost)


async def test_h8_a_restart_while_halted_stays_halted_and_tells_it_once(scene: LitecoinScene) -> None:
    lost, _ = await scene.paid(HISTORY + 1)
    scene.replace(HISTORY + 1)
    await scene.followed.scan()

    await scene.followed.restart()
    await scene.followed.scan()

    assert ChainState.HALTED is scene.followed.status(NAME).state
    assert ["chain.stalled"] == await scene.followed.told("chain.")
    assert "paid" == await lost.status()


async def test_h8_the_old_branch_coming_back_ends_the_halt_by_itself(scene: LitecoinScene) -> None:
    invoice, _ = await scene.paid(HISTORY + 1)
    before = await invoice.told()
    old = scene.replace(HISTORY + 1)
    await scene.followed.scan()
    assert ChainState.HALTED is scene.followed.status(NAME).state

    scene.node.rpc("invalidateblock", scene.node.rpc("getblockhash", scene.node.height - HISTORY - 1))
    scene.node.rpc("reconsiderblock", old)
    scene.node.mine(2)

    assert ["paid"] == await scene.right(invoice)
    assert before == await invoice.told()
    assert ["chain.stalled", "chain.recovered"] == await scene.followed.told("chain.")
