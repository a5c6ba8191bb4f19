"""The fake chain must be worth believing: its forks, its pool and the faults of its adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import ChainMoved, NodeUnavailable, Watched
from fake_adapter import FakeAdapter
from fake_chain import COIN, TOKEN, Credit, FakeChain
from fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE, BOB = "fake100000001", "fake100000002"
WATCHED = Watched(scripts={ALICE.encode(), BOB.encode()})


def test_the_same_calls_give_the_same_chain() -> None:
    def build() -> FakeChain:
        chain = FakeChain(FakeClock())
        chain.pay(ALICE, 5)
        chain.mine(3)
        return chain

    assert build().blocks == build().blocks


def test_a_reorganisation_sends_transactions_back_to_the_pool_unless_told(fake_chain: FakeChain) -> None:
    back = fake_chain.pay(ALICE, 1)
    fake_chain.mine()
    fake_chain.reorg(1)
    fake_chain.mine(only=[])
    assert [back] == list(fake_chain.pool)
    fake_chain.mine()
    fake_chain.reorg(1, to_pool=False)
    assert [] == list(fake_chain.pool)


def test_a_coinbase_does_not_return_to_the_pool(fake_chain: FakeChain) -> None:
    fake_chain.send([Credit(ALICE, 50)], maturity=100)
    fake_chain.mine()
    fake_chain.reorg(1)

    assert {} == fake_chain.pool


def test_the_old_branch_can_win_again(fake_chain: FakeChain) -> None:
    fake_chain.mine(2)
    txid = fake_chain.pay(ALICE, 1)
    old = fake_chain.mine(2)
    fake_chain.reorg(2)
    assert [txid] == list(fake_chain.pool)
    fake_chain.adopt(old.hash)

    assert (old, {}) == (fake_chain.head, fake_chain.pool)
    assert [txid] == [transaction.txid for transaction in fake_chain.transactions()]


def test_a_block_removes_what_conflicts_with_it(fake_chain: FakeChain) -> None:
    fake_chain.send([Credit(ALICE, 1)], spends=["aa:0", "bb:1"])
    winner = fake_chain.send([Credit(BOB, 1)], spends=["bb:1"])
    fake_chain.mine(only=[winner])

    assert {} == fake_chain.pool


async def test_a_replacement_is_told_by_the_outpoint(
    fake_chain: FakeChain, fake_adapter: FakeAdapter
) -> None:
    first = fake_chain.pay(ALICE, 5)
    (seen,) = (await fake_adapter.mempool(WATCHED)).transfers
    second = fake_chain.replace(first, Credit("fake199999999", 5))
    mempool = await fake_adapter.mempool(Watched(WATCHED.scripts, set(seen.spends)))

    assert ((), {seen.spends[0]: second}) == (mempool.transfers, mempool.spent)


async def test_credits_of_several_assets_and_addresses_keep_their_slots(
    fake_chain: FakeChain, fake_adapter: FakeAdapter
) -> None:
    fake_chain.send([Credit("fake199999999", 9), Credit(ALICE, 5), Credit(BOB, 7, TOKEN), Credit(ALICE, 0)])
    fake_chain.mine()
    reading = await fake_adapter.read(1, 1, WATCHED)

    assert [(COIN, ALICE, 5, "vout:1"), (TOKEN, BOB, 7, "vout:2")] == [
        (transfer.asset, transfer.address, transfer.amount, transfer.slot) for transfer in reading.transfers
    ]


async def test_a_lagging_node_shows_less(fake_chain: FakeChain, fake_adapter: FakeAdapter) -> None:
    fake_chain.mine(10)
    fake_adapter.lag = 4

    assert 6 == (await fake_adapter.tip()).head.height
    assert await fake_adapter.block(7) is None
    with pytest.raises(NodeUnavailable):
        await fake_adapter.read(5, 7, WATCHED)


async def test_faults_come_when_planned_and_pass(fake_chain: FakeChain, fake_adapter: FakeAdapter) -> None:
    faults = fake_adapter.faults
    faults.fail("tip", times=2)
    faults.fail("read", ChainMoved("elsewhere"))
    faults.before("block", fake_chain.mine)
    for ask, error in (
        (fake_adapter.tip, NodeUnavailable),
        (fake_adapter.tip, NodeUnavailable),
        (lambda: fake_adapter.read(0, 0, WATCHED), ChainMoved),
    ):
        await _raises(ask, error)

    assert 0 == (await fake_adapter.tip()).head.height
    assert fake_chain.blocks[0].ref == await fake_adapter.block(0)
    assert 1 == (await fake_adapter.tip()).head.height
    assert {"tip": 4, "read": 1, "block": 1} == faults.calls


async def test_a_lasting_fault_stays_until_healed(fake_adapter: FakeAdapter) -> None:
    fake_adapter.faults.fail("*", times=None)
    for _ in range(3):
        await _raises(fake_adapter.tip, NodeUnavailable)
    fake_adapter.faults.heal()

    assert 0 == (await fake_adapter.tip()).head.height


async def test_an_account_chain_proves_no_more_than_its_head(fake_chain: FakeChain, clock: FakeClock) -> None:
    adapter = FakeAdapter(fake_chain, has_mempool=False, safe=1, finalized=2)
    fake_chain.mine(5)
    head = fake_chain.head.time
    clock.advance(60)
    fake_chain.pay(ALICE, 5)
    tip = await adapter.tip()

    assert (head, 4, 3) == (tip.as_of, tip.safe, tip.finalized)
    assert () == (await adapter.mempool(WATCHED)).transfers


async def _raises(ask: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        await ask()  # type: ignore[misc]
