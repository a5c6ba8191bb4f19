"""Credits below an asset's floor cost nothing: no row, no event (hazard 65)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.tables import DEPOSIT

if TYPE_CHECKING:
    from world import World


async def test_h65_credits_below_the_floor_leave_no_trace(world: World) -> None:
    chain = world.add(dust=1000)
    await world.scan()
    made = await world.invoice(confirmations=1)

    chain.pay(made.address, 999, 999, 1000)
    await world.scan()
    await world.mine()

    assert [1000] == [row.amount for row in await world.rows(DEPOSIT)]
    assert 1 == (await made.told()).count("payment.detected")
