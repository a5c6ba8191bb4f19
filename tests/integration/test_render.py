"""An invoice as it is shown, whatever became of the configuration since."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from watcher import facts, render
from world import COIN

if TYPE_CHECKING:
    from world import World


async def test_amounts_keep_their_decimals_when_the_chain_is_not_configured_any_more(world: World) -> None:
    world.add()
    await world.scan()
    invoice = await world.invoice()
    world.chains["fake"].pay(invoice.address, COIN // 10)
    await world.mine()
    forgotten = replace(world.links, decimals=lambda _chain, _asset: 0)

    async with world.store.read() as conn:
        shown = render.invoice(await invoice.record(), await facts.views(conn), forgotten)

    assert ("0.1", "0.1") == (shown["options"][0]["seen"], shown["payments"][0]["amount"])
