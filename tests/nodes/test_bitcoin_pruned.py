"""Blocks that a node no longer has: a proxy in front of litecoind refuses them as a pruned one does.

Its filters and its set of unspent outputs are the node's own. litecoind itself prunes nothing that young.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bitcoin_adapters import BURN
from chains.base import BlocksMissing, Watched
from fault_proxy import Failed, Fault, FaultProxy
from followed import following, litecoin
from watcher import troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fault_proxy import Call
    from followed import Followed
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

NAME = "ltc"
PRUNED = "Block not available (pruned data)"
ROUNDS = 6
"""Turns with pauses of half a minute, after which each endpoint was asked often enough."""


class Scene:
    """A litecoind behind a proxy that may prune it, followed from before an invoice was made."""

    def __init__(self, node: Litecoind, proxy: FaultProxy, followed: Followed) -> None:
        self.node = node
        self.proxy = proxy
        self.followed = followed
        self.pruned: set[str] = set()
        self.kept_from = 0
        proxy.break_(Fault(alter=self._alter))

    def _alter(self, call: Call, result: Any) -> Any:
        if call.method == "getblockchaininfo" and self.pruned:
            return {**result, "pruned": True, "pruneheight": self.kept_from}
        asked = call.params[0] if call.method == "getblock" else call.method.rpartition("/")[2][:-4]
        if asked in self.pruned:
            raise Failed(-1, PRUNED, 500 if call.method == "getblock" else 404)
        return result

    def prune(self, first: int, last: int) -> None:
        self.kept_from = last + 1
        self.pruned = {self.node.rpc("getblockhash", height) for height in range(first, last + 1)}

    async def pass_over(self) -> None:
        """Let the scanner fail as often as it takes, and then go on."""
        for _ in range(ROUNDS):
            self.followed.clock.advance(30)
            await self.followed.turn(NAME)
        await self.followed.scan()

    async def gaps(self) -> list[tuple[int, int, str, list[str]]]:
        async with self.followed.store.read() as connection:
            shown = await troubles.shown_gaps(connection, NAME)
        return [(gap["from"], gap["to"], gap["reason"], gap["open_invoices"]) for gap in shown]

    async def paid_in_the_middle(self) -> tuple[Made, str, int]:
        """Five blocks that were not read yet, the third with a payment; and the height of the first."""
        invoice = await self.followed.invoice(chain=NAME, asset="LTC", amount="1")
        first = self.node.height + 1
        self.node.mine(2, BURN)
        txid = self.node.pay(invoice.address, "1")
        self.node.mine(3, BURN)
        return invoice, txid, first


@pytest.fixture(params=[True, False], ids=["filters", "no filters"])
def filterindex(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def scene(
    litecoind_factory: LitecoindFactory, tmp_path: Path, *, filterindex: bool
) -> AsyncIterator[Scene]:
    node = litecoind_factory(filterindex=filterindex)
    proxy = await FaultProxy(node.url).start()
    try:
        async with following(tmp_path, **{NAME: litecoin(proxy.url)}) as followed:
            await followed.scan()
            yield Scene(node, proxy, followed)
    finally:
        await proxy.stop()


async def test_h35_the_missing_blocks_are_named(scene: Scene) -> None:
    *_, first = await scene.paid_in_the_middle()
    scene.prune(first + 1, first + 2)

    with pytest.raises(BlocksMissing, match="is pruned; add a node that has it") as missing:
        await scene.followed.adapters[NAME].read(first, first + 4, Watched())
    assert (first + 1, first + 2) == (missing.value.first, missing.value.last)


async def test_h35_h24_a_payment_in_a_pruned_block_is_found_by_its_address(scene: Scene) -> None:
    invoice, txid, first = await scene.paid_in_the_middle()
    scene.prune(first, first + 3)
    await scene.pass_over()

    assert "paid" == await invoice.status()
    found = {(each[0], each[4], each[5]) for each in await scene.followed.credits(NAME)}
    assert {(txid, 100_000_000, first + 2)} == found


async def test_h35_h41_filters_close_what_holds_nothing_and_no_more(
    scene: Scene, *, filterindex: bool
) -> None:
    """What was spent since shows in no set of unspent outputs: only an empty filter proves a block."""
    invoice, _, first = await scene.paid_in_the_middle()
    scene.prune(first, first + 3)
    await scene.pass_over()

    paying = first + 2
    expected = [(paying, paying)] if filterindex else [(first, first + 3)]
    assert expected == [gap[:2] for gap in await scene.gaps()]
    assert {"missing"} == {gap[2] for gap in await scene.gaps()}
    assert [[]] == [gap[3] for gap in await scene.gaps()], "the only invoice is paid"
    assert "paid" == await invoice.status()


async def test_h35_nothing_expires_while_a_block_is_missing_and_the_invoices_are_named(scene: Scene) -> None:
    """Its payment was swept before anybody saw it: the block alone would show it."""
    invoice = await scene.followed.invoice(chain=NAME, asset="LTC", amount="1", expires_in=60)
    own = scene.node.new_address()
    later = await scene.followed.invoice(chain=NAME, asset="LTC", amount="1", address=own, expires_in=60)
    await scene.followed.scan()
    first = scene.node.height + 1
    scene.node.pay(own, "1")
    scene.node.mine(2, BURN)
    scene.node.rpc("sendtoaddress", BURN, scene.node.rpc("getbalance"), "", "", True)
    scene.node.mine(1, BURN)
    scene.prune(first, first)
    await scene.pass_over()
    scene.followed.clock.advance(3600)
    scene.node.mine(1, BURN)
    await scene.followed.scan()

    waiting = {id_ for gap in await scene.gaps() for id_ in gap[3]}
    assert {invoice.id, later.id} == waiting
    assert ["pending", "pending"] == [await each.status() for each in (invoice, later)]

    scene.pruned = set()
    scene.followed.clock.advance(7 * 3600)
    scene.node.mine(1, BURN)
    await scene.followed.scan()
    assert [] == await scene.gaps()
    assert ["expired", "paid"] == [await each.status() for each in (invoice, later)]


async def test_h35_another_endpoint_that_has_the_blocks_leaves_no_gap(
    litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    node = litecoind_factory()
    proxy = await FaultProxy(node.url).start()
    try:
        async with following(tmp_path, **{NAME: litecoin(proxy.url, node.url)}) as followed:
            await followed.scan()
            scene = Scene(node, proxy, followed)
            invoice, _, first = await scene.paid_in_the_middle()
            scene.prune(first, first + 3)
            await scene.followed.scan()
            await scene.followed.scan()

            assert "paid" == await invoice.status()
            assert [] == await scene.gaps()
            assert [] == await followed.told("chain.")
    finally:
        await proxy.stop()
