"""Reorganisations of a real anvil, followed through the real adapter, scanner, ledger and matcher.

After each the ledger equals a naive scan of the node's best chain, and what was told before is still there.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

import vyper_contracts
from ether_scene import ETHER, NAME, TOKEN, ether_scene
from watcher.model import ChainState
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ether_scene import EtherScene
    from watcher.sandbox.anvil import Anvil

HISTORY = 200
DEPTHS = [pytest.param(depth, id=f"depth {depth}") for depth in (1, 3, 50, HISTORY)]
PAID = ["payment.detected", "payment.confirmed", "invoice.paid"]
TAKEN_BACK = ["payment.reverted", "invoice.reverted"]


@pytest.fixture
async def scene(anvil: Anvil, tmp_path: Path) -> AsyncIterator[EtherScene]:
    anvil.mine(3)
    async with ether_scene(anvil, tmp_path, history=HISTORY) as one:
        yield one


@pytest.mark.parametrize("depth", DEPTHS)
async def test_h1_h2_a_dropped_payment_is_taken_back_after_paid_and_paid_again_when_mined_again(
    scene: EtherScene, depth: int
) -> None:
    invoice, raw = await scene.paid(depth)
    assert PAID == await invoice.told()

    scene.replace(depth)
    assert ["pending reverted"] == await scene.right(invoice)
    assert [*PAID, *TAKEN_BACK] == await invoice.told()

    scene.node.rpc("eth_sendRawTransaction", raw)
    scene.node.mine(3)
    assert ["paid reverted"] == await scene.right(invoice)
    assert [*PAID, *TAKEN_BACK, "payment.confirmed", "invoice.paid"] == await invoice.told()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_h3_h5_a_payment_moved_to_the_same_height_tells_nothing(scene: EtherScene, depth: int) -> None:
    invoice, raw = await scene.paid(depth)

    scene.replace(depth, (raw, 0))

    assert ["paid"] == await scene.right(invoice)
    assert PAID == await invoice.told()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_h3_h12_a_payment_moved_to_the_top_confirms_anew_and_counts_once(
    scene: EtherScene, depth: int
) -> None:
    invoice, raw = await scene.paid(depth)
    required = min(depth, 3)

    scene.replace(depth, (raw, depth - 1))

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
    ("value", "status"),
    [
        pytest.param(0, "pending reverted", id="pays another"),
        pytest.param(ETHER // 4, "partial reverted", id="pays less"),
        pytest.param(2 * ETHER, "paid overpaid", id="pays more"),
    ],
)
async def test_a_payment_replaced_on_the_other_branch_by_one_with_its_nonce(
    scene: EtherScene, depth: int, value: int, status: str
) -> None:
    invoice = await scene.invoice(confirmations=1)
    payee = invoice.address if value else scene.node.accounts[5]
    other = scene.unsent(scene.node.send(payee, value or ETHER))
    scene.pay(invoice.address)
    scene.node.mine(depth)
    assert ["paid"] == await scene.right(invoice)

    scene.replace(depth, (other, 0))

    assert [status] == await scene.right(invoice)
    assert (["mined"] if value else []) + ["reorganised"] == await scene.followed.standings(NAME)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_payment_in_both_branches_and_a_second_in_the_new_one_are_two(
    scene: EtherScene, depth: int
) -> None:
    invoice, first = await scene.paid(depth)
    second = scene.unsent(scene.node.send(invoice.address, ETHER))

    scene.replace(depth, (first, 0), (second, depth - 1))

    assert ["paid overpaid"] == await scene.right(invoice)
    told = await invoice.told()
    assert (1, 2) == (told.count("invoice.paid"), told.count("payment.detected"))


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        pytest.param(3, 1, ["paid overpaid", "paid"], id="less"),
        pytest.param(1, 3, ["paid", "paid overpaid"], id="more"),
        pytest.param(ETHER, 0, ["paid overpaid", "pending reverted"], id="nothing"),
    ],
)
@pytest.mark.parametrize("depth", DEPTHS)
async def test_the_same_transaction_pays_another_amount_on_the_other_branch(
    scene: EtherScene, before: int, after: int, statuses: list[str], depth: int
) -> None:
    """A contract that pays what it holds was given another sum there: same transaction, same slot."""
    sweeper = scene.node.deploy(vyper_contracts.bytecode("sweeper"))
    invoice = await scene.invoice("0.000000000000000001", confirmations=1)
    other = scene.unsent(scene.node.send(sweeper, after))
    scene.pay(sweeper, before)
    sweep = scene.sweep(sweeper, invoice.address)
    scene.node.mine(depth)
    assert statuses[:1] == await scene.right(invoice)

    scene.replace(depth, (other, 0), (sweep, 0))

    assert statuses[1:] == await scene.right(invoice)
    amounts = [credit[4] for credit in await scene.followed.credits(NAME)]
    assert ([after] if after else []) == amounts


async def test_h4_another_log_index_is_the_same_payment(scene: EtherScene) -> None:
    invoice = await scene.invoice("5", TOKEN, confirmations=1)
    first = scene.raw(
        scene.node.send(
            scene.token,
            data=vyper_contracts.calldata("approve(address,uint256)", invoice.address, 1),
            sender=scene.node.accounts[1],
        )
    )
    ours = token.send(scene.node, scene.token, invoice.address, 5_000_000)
    scene.node.mine()
    assert ["paid"] == await scene.right(invoice)
    before = _log_index(scene, ours)

    raw = scene.raw(ours)
    scene.replace(1, *(((raw, 0),) if before else ((first, 0), (raw, 0))))

    assert {0, 1} == {before, _log_index(scene, ours)}
    assert ["paid"] == await scene.right(invoice)
    assert PAID == await invoice.told()
    assert [(ours, "log:0")] == [credit[:2] for credit in await scene.followed.credits(NAME)]


def _log_index(scene: EtherScene, txid: str) -> int:
    receipt = scene.node.receipt(txid)
    assert receipt is not None
    return int(receipt["logs"][0]["logIndex"], 16)


async def test_h7_a_rollback_takes_nothing_back_until_another_block_stands_there(scene: EtherScene) -> None:
    invoice, _ = await scene.paid(3)

    scene.node.rpc("anvil_rollback", 3)
    await scene.followed.scan()
    assert (ChainState.STALLED, "paid") == (scene.followed.status(NAME).state, await invoice.status())
    assert PAID == await invoice.told()

    scene.node.rpc("evm_mine")
    assert ["pending reverted"] == await scene.right(invoice)


@pytest.mark.parametrize(
    ("method", "call", "after"),
    [
        pytest.param("tip", 1, True, id="after the head was asked for"),
        pytest.param("read", 1, False, id="before the first read"),
        pytest.param("read", 1, True, id="after the first read"),
        pytest.param("read", 3, False, id="before the third read"),
        pytest.param("read", 3, True, id="after the third read"),
        pytest.param("block", 1, False, id="before a block is looked at again"),
        pytest.param("block", 2, True, id="after a block was looked at again"),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["backlog", "deep rescan"])
async def test_h6_a_reorganisation_during_a_read(
    scene: EtherScene, method: str, call: int, *, after: bool, again: bool
) -> None:
    scene.followed.adapters[NAME].span = scene.followed.scanners[NAME]._span = 8
    gone, moved = [await scene.invoice(confirmations=1) for _ in range(2)]
    scene.pay(gone.address)
    stays = scene.raw(scene.node.send(moved.address, ETHER, sender=scene.node.accounts[1]))
    scene.node.mine(20)
    if again:
        assert ["paid", "paid"] == await scene.right(gone, moved)
        await scene.followed.actions.rescan(NAME, 1, None)

    reorganise = functools.partial(scene.replace, 20, (stays, 19))
    scene.followed.meddle(NAME, method, reorganise, call=call, after=after)

    assert ["pending", "paid"] == [status.split()[0] for status in await scene.right(gone, moved)]
    assert [] == list(await scene.followed.ledger.gaps(NAME))


async def test_h8_a_reorganisation_deeper_than_the_history_halts_and_a_rescan_recovers(
    anvil: Anvil, tmp_path: Path
) -> None:
    async with ether_scene(anvil, tmp_path, history=20) as scene:
        anvil.mine(40)
        early, _ = await scene.paid(1)
        lost, _ = await scene.paid(21)
        later = await scene.invoice(confirmations=1)
        fork = anvil.height - 21
        scene.replace(21)
        scene.pay(later.address)
        anvil.mine(2)
        await scene.followed.scan()
        assert (ChainState.HALTED, "paid", "pending") == (
            scene.followed.status(NAME).state,
            await lost.status(),
            await later.status(),
        )

        await scene.followed.actions.rescan(NAME, fork + 1, None)

        assert ["paid", "pending reverted", "paid"] == await scene.right(early, lost, later)
        assert ["chain.stalled", "chain.recovered"] == await scene.followed.told("chain.")


@pytest.mark.parametrize("again", [True, False], ids=["mined again in time", "truly gone"])
async def test_a_branch_that_ends_before_the_deadline_proves_no_expiry(
    scene: EtherScene, *, again: bool
) -> None:
    """The old branch had passed the deadline, the new one has not: on it the money may still come in time."""
    created = scene.followed.clock.now()
    invoice = await scene.invoice(expires_in=60, confirmations=1)
    scene.followed.clock.advance(200)
    raw = scene.pay(invoice.address)
    _mine_at(scene, created + 20)
    _mine_at(scene, created + 90)
    assert ["paid"] == await scene.right(invoice)

    scene.node.rpc("anvil_rollback", 2)
    _mine_at(scene, created + 40)
    assert ["pending reverted"] == await scene.right(invoice)
    if again:
        scene.node.rpc("eth_sendRawTransaction", raw)
    _mine_at(scene, created + 50)
    _mine_at(scene, created + 100)

    assert ["paid reverted" if again else "expired reverted"] == await scene.right(invoice)
    assert (not again) == ("invoice.expired" in await invoice.told())


def _mine_at(scene: EtherScene, seconds: int) -> None:
    scene.node.rpc("evm_setNextBlockTimestamp", seconds)
    scene.node.rpc("evm_mine")
