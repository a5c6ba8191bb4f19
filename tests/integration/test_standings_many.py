"""A hundred thousand standing addresses: one block costs no more than with ten (the database's part).

What is compared is work, not time: the instructions that SQLite runs, and the statements that it is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fake_chain import Credit
from standing_scene import MANY, crowd, customer
from work import measured, scans
from world import COIN, made

if TYPE_CHECKING:
    from pathlib import Path

    from fake_clock import FakeClock
    from work import Work
    from world import World

FEW = 10
MORE = 1.3
"""Index trees grow a level or two: a hundred thousand rows more may cost so much more, times."""
GROWING = re.compile(r"SCAN (address|standing|deposit|event|delivery|invoice|option|audit)\b")


async def _life(world: World) -> Work:
    """Count the work of a turn without news, two blocks with payments, and a reorganisation."""
    chain = world.chains["fake"]
    alice, bob = await customer(world), await customer(world)
    await world.scan()
    with measured(world.store) as work:
        await world.scan()
        txid = chain.send([Credit(alice.address, COIN), Credit(bob.address, COIN)])
        await world.scan()
        await world.mine(3)
        chain.reorg(2, keep={txid: 1})
        await world.mine(2)
        chain.drop(chain.pay(alice.address, 7))
        await world.scan()
    assert ["detected", "confirmed"] == (await alice.told())[:2]
    return work


def _dear(few: Work, many: Work) -> dict[str, tuple[int, int]]:
    """Return the statements that take more, with their costs."""
    return {t: (few.costs[t], cost) for t, cost in many.costs.items() if cost > MORE * few.costs[t] + 5}


async def _world_of(folder: Path, clock: FakeClock, number: int) -> tuple[Work, list[str]]:
    async with made(folder, clock) as world:
        world.add()
        await world.scan()
        await crowd(world, world.adapters["fake"], number)
        work = await _life(world)
        return work, await scans(world.store, work)


async def test_a_block_costs_no_more_with_a_hundred_thousand_addresses_than_with_ten(
    tmp_path: Path, clock: FakeClock
) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few, _ = await _world_of(tmp_path / "few", clock, FEW)
    many, gone_through = await _world_of(tmp_path / "many", clock, MANY)

    assert [text for text, _ in few.statements] == [text for text, _ in many.statements]
    assert many.steps <= MORE * few.steps, _dear(few, many)
    assert [] == [plan for plan in gone_through if GROWING.match(plan)]


@pytest.mark.parametrize("deposits", [3000])
async def test_a_block_costs_no_more_for_an_address_that_has_received_thousands(
    world: World, deposits: int
) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)

    async def cost() -> Work:
        with measured(world.store) as work:
            chain.pay(alice.address, COIN)
            await world.mine(3)
        return work

    first = await cost()
    for _ in range(deposits // 100):
        chain.pay(alice.address, *range(1, 101))
    await world.mine(3)

    last = await cost()
    assert last.steps <= MORE * first.steps, _dear(first, last)
