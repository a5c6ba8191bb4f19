"""A litecoind reorganises while the watcher reads: a backlog, old blocks again, the mempool."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from chains.base import NodeUnavailable
from litecoin_scene import NAME, litecoin_scene
from watcher.model import ChainState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from litecoin_scene import LitecoinScene
    from watcher.sandbox.litecoind import Litecoind

SPAN = 8
BACKLOG = 40


@pytest.fixture
async def scene(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    async with litecoin_scene(litecoind, tmp_path, history=200) as one:
        narrow(one)
        yield one


def narrow(scene: LitecoinScene) -> None:
    """Let a read be much shorter than the backlog."""
    scene.followed.adapters[NAME].span = SPAN
    scene.followed.scanners[NAME]._span = SPAN


@pytest.mark.parametrize("absorbed", [0, 1, 3], ids="{} reads before it".format)
@pytest.mark.parametrize("below", [1, 5], ids="forks {} below".format)
async def test_h5_a_reorganisation_between_two_reads_of_a_backlog(
    scene: LitecoinScene, absorbed: int, below: int
) -> None:
    """Two payments lie in what is absorbed first: one is gone on the new branch, one is at its top."""
    gone, moved = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.node.mine(SPAN - 2)
    scene.node.pay(gone.address, "1")
    stays = scene.node.pay(moved.address, "1")
    scene.node.mine(BACKLOG)
    for _ in range(absorbed):
        await scene.followed.turn(NAME)

    scene.replace(BACKLOG + below - 1, {scene.raw(stays): BACKLOG})

    assert ["pending", "paid"] == [status.split()[0] for status in await scene.right(gone, moved)]


@pytest.mark.parametrize(
    ("method", "call", "after"),
    [
        pytest.param("tip", 1, True, id="after the head was asked for"),
        pytest.param("read", 1, False, id="before the first read"),
        pytest.param("read", 1, True, id="after the first read"),
        pytest.param("read", 2, False, id="before the second read"),
        pytest.param("read", 2, True, id="after the second read"),
        pytest.param("block", 1, False, id="before a block is looked at again"),
        pytest.param("block", 2, True, id="after a block was looked at again"),
        pytest.param("mempool", 1, False, id="before the mempool"),
        pytest.param("mempool", 1, True, id="after the mempool"),
    ],
)
async def test_h6_a_reorganisation_during_a_read_of_a_backlog(
    scene: LitecoinScene, method: str, call: int, *, after: bool
) -> None:
    gone, moved = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.node.pay(gone.address, "1")
    stays = scene.node.pay(moved.address, "1")
    scene.node.mine(2 * SPAN)
    reorganise = functools.partial(scene.replace, 2 * SPAN, {scene.raw(stays): 2 * SPAN})

    scene.followed.meddle(NAME, method, reorganise, call=call, after=after)

    assert ["pending", "paid"] == [status.split()[0] for status in await scene.right(gone, moved)]


@pytest.mark.parametrize("call", [1, 2, 4], ids="before read {}".format)
@pytest.mark.parametrize("depth", [3, 30], ids="depth {}".format)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_reorganisation_during_a_deep_rescan(
    scene: LitecoinScene, call: int, depth: int, *, after: bool
) -> None:
    early, _ = await scene.paid(BACKLOG)
    gone, moved = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.node.pay(gone.address, "1")
    stays = scene.node.pay(moved.address, "1")
    scene.node.mine(depth)
    assert ["paid"] * 3 == await scene.right(early, gone, moved)
    told = await early.told()

    await scene.followed.actions.rescan(NAME, 1, None)
    reorganise = functools.partial(scene.replace, depth, {scene.raw(stays): depth})
    scene.followed.meddle(NAME, "read", reorganise, call=call, after=after)

    assert ["paid", True, "paid"] == [
        status if number != 1 else status in {"pending reverted", "confirming reverted"}
        for number, status in enumerate(await scene.right(early, gone, moved))
    ]
    assert told == await early.told()
    assert [] == list(await scene.followed.ledger.gaps(NAME))


async def test_a_reorganisation_while_the_mempool_cannot_be_read_changes_nothing_until_it_can(
    scene: LitecoinScene,
) -> None:
    """Without the mempool nobody can say whether the money is gone or on its way again."""
    invoice, _ = await scene.paid(2)
    before = [await scene.followed.credits(NAME), await invoice.told(), await scene.followed.scanned(NAME)]

    def broken() -> None:
        raise NodeUnavailable("the mempool does not answer")

    for call in range(1, 4):
        scene.followed.meddle(NAME, "mempool", broken, call=call)
    scene.replace(2)
    for _ in range(3):
        await scene.followed.scan()
        after = [await scene.followed.credits(NAME), await invoice.told(), await scene.followed.scanned(NAME)]
        assert (before, ChainState.STALLED) == (after, scene.followed.status(NAME).state)

    del scene.followed.adapters[NAME].__dict__["mempool"]
    assert ["confirming reverted"] == await scene.right(invoice)


async def test_h7_a_head_that_only_goes_back_takes_nothing_back(scene: LitecoinScene) -> None:
    invoice, _ = await scene.paid(3)
    before = await invoice.told()

    first = scene.node.rpc("getblockhash", scene.node.height - 2)
    scene.node.rpc("invalidateblock", first)
    await scene.followed.scan()
    assert ("paid", before) == (await invoice.status(), await invoice.told())
    assert ChainState.STALLED is scene.followed.status(NAME).state

    scene.node.rpc("reconsiderblock", first)
    assert ["paid"] == await scene.right(invoice)
    assert before == await invoice.told()


async def test_h7_a_head_that_went_back_and_another_block_above_it_is_a_reorganisation(
    scene: LitecoinScene,
) -> None:
    """The new branch is shorter than what was absorbed: its hash at a known height tells."""
    invoice, _ = await scene.paid(5)

    scene.replace(5, blocks=2)

    assert ["confirming reverted"] == await scene.right(invoice)
