"""Balances held against the deposits: what is noticed, what is not said, and what a node cannot answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from chains.base import UNATTRIBUTED, BlocksMissing, NodeUnavailable
from fake_chain import COIN as NATIVE
from fake_chain import TOKEN
from watcher import cross_check
from watcher.cross_check import CrossCheck
from watcher.ledger_balances import Comparisons
from watcher.tables import ALERT, CHAIN, DEPOSIT, GAP
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import BlockRef, Holding
    from fake_chain import FakeChain
    from world import World

EVERY = 5


@dataclass
class Balances:
    """A world's comparisons, and what its accounts hold beside what the chain's payments say."""

    world: World
    extra: list[tuple[int, str, str, int]] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    moved: bool = False

    def __post_init__(self) -> None:
        adapter = self.world.adapters["fake"]
        honest = adapter.holdings

        async def holdings(first: BlockRef, last: BlockRef, addresses: Sequence[str]) -> Sequence[Holding]:
            self.asked.append(list(addresses))
            return [self._changed(each, first, last) for each in await honest(first, last, addresses)]

        adapter.holdings = holdings  # type: ignore[method-assign]
        parts = (self.world.store, self.world.clock, self.world.links, self.world.bus)
        self.check = CrossCheck(adapter, Comparisons(*parts), EVERY)

    def _changed(self, held: Holding, first: BlockRef, last: BlockRef) -> Holding:
        def sum_to(height: int) -> int:
            return sum(n for at, *who, n in self.extra if at <= height and who == [held.address, held.asset])

        before, after = held.before + sum_to(first.height), held.after + sum_to(last.height)
        return replace(held, before=before, after=after, moved=self.moved)

    async def after(self) -> str | None:
        view = await self.world.ledger.view("fake")
        assert view is not None
        return await self.check.after(view)

    async def grow(self, address: str, amount: int, asset: str = NATIVE) -> None:
        """Change a balance by what no payment explains, and mine until it is time to compare."""
        self.extra.append((self.world.chains["fake"].head.height + 1, address, asset, amount))
        await self.world.mine(EVERY)

    async def alerts(self) -> list[str]:
        return [row.subject for row in await self.world.rows(ALERT)]


@pytest.fixture
async def chain(world: World) -> FakeChain:
    chain = world.add()
    await world.scan()
    return chain


@pytest.fixture
async def balances(world: World, chain: FakeChain) -> Balances:
    del chain
    return Balances(world)


async def test_balances_that_agree_say_nothing(world: World, chain: FakeChain, balances: Balances) -> None:
    made = await world.invoice()
    await balances.after()
    chain.pay(made.address, COIN, 5)
    chain.pay(made.address, 7, asset=TOKEN)
    await world.mine(EVERY)

    assert await balances.after() is None
    assert ([[made.address]], []) == (balances.asked, await balances.alerts())


@pytest.mark.parametrize("asset", [NATIVE, TOKEN])
@pytest.mark.parametrize("moved", [False, True])
async def test_h55_h62_a_growth_that_nothing_explains_is_told_and_recorded_but_never_counted(
    world: World, balances: Balances, asset: str, *, moved: bool
) -> None:
    made = await world.invoice()
    await balances.after()
    balances.moved = moved
    await balances.grow(made.address, COIN, asset)
    await balances.after()
    (deposit,) = await world.rows(DEPOSIT)

    assert (COIN, f"{UNATTRIBUTED}{asset}:{made.address}") == (deposit.amount, deposit.slot)
    assert [f"{asset} {made.address}"] == await balances.alerts()
    assert "pending" == await made.status()
    assert {"chain.alert", "deposit.unmatched"} <= set(await world.told())


async def test_the_same_growth_is_told_once_and_the_next_agreement_clears_it(
    world: World, balances: Balances
) -> None:
    made = await world.invoice()
    await balances.after()
    await balances.grow(made.address, 9)
    for _ in range(3):
        await balances.after()
        await world.mine(EVERY)

    assert (1, []) == (await world.count(DEPOSIT), await balances.alerts())
    assert 2 == (await world.told()).count("chain.alert")


@pytest.mark.parametrize(("moved", "alerts"), [(False, 1), (True, 0)])
async def test_h61_a_credit_that_did_not_arrive_is_told_unless_the_account_may_have_spent_it(
    world: World, chain: FakeChain, balances: Balances, *, moved: bool, alerts: int
) -> None:
    made = await world.invoice()
    await balances.after()
    balances.moved = moved
    chain.pay(made.address, COIN)
    await balances.grow(made.address, -COIN)
    await balances.after()

    assert (alerts, 1) == (len(await balances.alerts()), await world.count(DEPOSIT))


@pytest.mark.parametrize(("amount", "alerts"), [(99, 0), (100, 1)])
async def test_h65_what_is_below_the_floor_is_tolerated(world: World, amount: int, alerts: int) -> None:
    world.add(dust=100)
    await world.scan()
    balances = Balances(world)
    made = await world.invoice()
    await balances.after()
    await balances.grow(made.address, amount)
    await balances.after()

    assert alerts == len(await balances.alerts())


async def test_an_address_is_compared_only_over_blocks_that_were_all_read_for_it(
    world: World, balances: Balances
) -> None:
    await balances.after()
    await world.mine(2)
    young = await world.invoice()
    await world.mine(EVERY)
    await balances.after()
    await world.mine(EVERY)
    await balances.after()

    assert [[young.address]] == balances.asked


async def test_addresses_with_blocks_to_be_read_again_are_left_out(world: World, balances: Balances) -> None:
    await world.invoice()
    await balances.after()
    await world.mine(EVERY)
    gap = {"chain": "fake", "first": 2, "last": 3, "after": 0, "upto": 1, "reason": "rescan"}
    async with world.store.write() as connection:
        await connection.execute(insert(GAP).values(**gap))
    await balances.after()

    assert [] == balances.asked


async def test_many_addresses_take_turns(
    world: World, balances: Balances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_check, "PORTION", 2)
    made = [(await world.invoice()).address for _ in range(5)]
    await balances.after()
    for _ in range(4):
        await world.mine(EVERY)
        await balances.after()

    assert [made[:2], made[2:4], made[4:], made[:2]] == balances.asked


@pytest.mark.parametrize(
    ("error", "anchor"),
    [
        pytest.param(BlocksMissing("pruned", 0, 0), EVERY, id="h74-state-pruned"),
        pytest.param(NodeUnavailable("busy"), 0, id="node-busy"),
    ],
)
async def test_what_a_node_cannot_answer_is_skipped_with_a_remark(
    world: World, balances: Balances, error: NodeUnavailable, anchor: int
) -> None:
    """Blocks whose state is gone are given up; after an outage the same blocks are compared again."""
    made = await world.invoice()
    await balances.after()
    await balances.grow(made.address, 9)
    world.adapters["fake"].faults.fail("holdings", error)
    remark = await balances.after()
    (row,) = await world.rows(CHAIN)

    assert f"blocks 0 to {EVERY}: {error}" in (remark or "")
    assert (anchor, []) == (row.cross_checked, await balances.alerts())


async def test_a_reorganisation_of_the_last_compared_block_is_compared_anew(
    world: World, chain: FakeChain, balances: Balances
) -> None:
    """What was recorded in the block that left the chain is found again on the other branch."""
    made = await world.invoice()
    await balances.after()
    await balances.grow(made.address, 9)
    await balances.after()
    chain.reorg(1)
    await world.mine(EVERY)
    await balances.after()
    standing = [row for row in await world.rows(DEPOSIT) if row.standing == "mined"]

    assert [9] == [row.amount for row in standing]


async def test_nothing_is_compared_where_it_is_switched_off(world: World, balances: Balances) -> None:
    off = CrossCheck(world.adapters["fake"], balances.check._comparisons, 0)
    view = await world.ledger.view("fake")
    assert view is not None

    assert await off.after(view) is None
    assert [None] == [row.cross_checked for row in await world.rows(CHAIN)]
