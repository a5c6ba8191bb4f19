"""Two connected litecoinds part, mine a branch each and meet again: as the network itself reorganises."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN
from litecoin_scene import NAME, LitecoinScene, litecoin_scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind

WITHIN = 60.0
"""Seconds for two nodes to agree; it takes less than one on an idle machine."""


class Network:
    """Two nodes with one wallet's keys: the first is followed."""

    def __init__(self, ours: Litecoind, theirs: Litecoind) -> None:
        self.ours = ours
        self.theirs = theirs

    def part(self) -> None:
        for node in (self.ours, self.theirs):
            node.rpc("setnetworkactive", False)
        _wait(lambda: not self.ours.rpc("getpeerinfo") and not self.theirs.rpc("getpeerinfo"))

    def meet(self) -> None:
        """Connect, and wait until both are on the longer branch."""
        for node in (self.ours, self.theirs):
            node.rpc("setnetworkactive", True)
        _wait(self._agree)

    def _agree(self) -> bool:
        if not self.theirs.rpc("getpeerinfo"):
            self.theirs.rpc("addnode", self.ours.peer_address, "onetry")
        return bool(self.ours.rpc("getbestblockhash") == self.theirs.rpc("getbestblockhash"))

    def disconnect(self) -> None:
        """Part as one operator does, who throws the other node out."""
        for peer in self.ours.rpc("getpeerinfo"):
            self.ours.rpc("disconnectnode", "", peer["id"])
        _wait(lambda: not self.ours.rpc("getpeerinfo"))


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not until():
        assert time.monotonic() < deadline, "the nodes do not agree"
        time.sleep(0.05)


@pytest.fixture
def network(litecoind_factory: LitecoindFactory) -> Network:
    both = Network(litecoind_factory(listen=True), litecoind_factory(listen=True))
    both.meet()
    return both


@pytest.fixture
async def scene(network: Network, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    async with litecoin_scene(network.ours, tmp_path, history=200) as one:
        yield one


@pytest.mark.parametrize("depth", [1, 3, 50, 199], ids="depth {}".format)
async def test_h1_h2_our_branch_loses_and_the_payment_returns_to_the_mempool_until_it_is_mined_again(
    network: Network, scene: LitecoinScene, depth: int
) -> None:
    """A node puts what a natural reorganisation took out of blocks back into its mempool, however deep."""
    network.part()
    invoice, _ = await scene.paid(depth)
    network.theirs.mine(depth + 1)

    network.meet()
    assert ["confirming reverted"] == await scene.right(invoice)
    assert ["mempool"] == await scene.followed.standings(NAME)

    network.ours.mine(3)
    assert ["paid reverted"] == await scene.right(invoice)
    assert 2 == (await invoice.told()).count("invoice.paid")


@pytest.mark.parametrize("depth", [1, 3, 50], ids="depth {}".format)
@pytest.mark.parametrize(
    ("amount", "status"),
    [
        pytest.param(None, "pending reverted", id="pays another"),
        pytest.param("0.4", "partial reverted", id="pays less"),
        pytest.param("1.5", "paid overpaid", id="pays more"),
    ],
)
async def test_a_double_spend_on_the_winning_branch_takes_the_payment_away(
    network: Network, scene: LitecoinScene, depth: int, amount: str | None, status: str
) -> None:
    network.part()
    invoice = await scene.invoice(confirmations=1)
    lost = network.ours.pay(invoice.address, "1")
    other = scene.conflict(lost, invoice.address if amount else BURN, amount or "1")
    network.ours.mine(depth)
    assert ["paid"] == await scene.right(invoice)
    network.theirs.mine_only(other)
    network.theirs.mine(depth)

    network.meet()

    assert [status] == await scene.right(invoice)
    assert (["mined"] if amount else []) + ["reorganised"] == await scene.followed.standings(NAME)


async def test_h3_the_same_payment_in_both_branches_stays_paid_and_is_one(
    network: Network, scene: LitecoinScene
) -> None:
    network.part()
    invoice, txid = await scene.paid(2)
    before = await invoice.told()
    network.theirs.rpc("sendrawtransaction", scene.raw(txid))
    network.theirs.mine(4)

    network.meet()

    assert ["paid"] == await scene.right(invoice)
    assert before == await invoice.told()
    assert ["mined"] == await scene.followed.standings(NAME)


async def test_a_payment_that_only_the_other_branch_had_is_found(
    network: Network, scene: LitecoinScene
) -> None:
    invoice = await scene.invoice(confirmations=2)
    network.part()
    network.ours.mine(2)
    assert ["pending"] == await scene.right(invoice)
    network.theirs.pay(invoice.address, "1")
    network.theirs.mine(3)

    network.meet()

    assert ["paid"] == await scene.right(invoice)


async def test_the_lead_changes_again_and_again(network: Network, scene: LitecoinScene) -> None:
    """Each side wins in turns; each time the payment is where the best chain has it, and it is one."""
    invoice = await scene.invoice(confirmations=1)
    network.ours.pay(invoice.address, "1")
    winner, loser = network.theirs, network.ours
    for depth in (1, 2, 4, 3):
        network.disconnect()
        network.part()
        loser.mine(depth)
        await scene.right(invoice)
        winner.mine(depth + 1)
        await scene.right(invoice)
        network.meet()
        await scene.right(invoice)
        winner, loser = loser, winner

    network.ours.mine()
    assert "paid" == (await scene.right(invoice))[0].split()[0]
    assert ["mined"] == await scene.followed.standings(NAME)


async def test_h14_a_node_on_a_fork_of_its_own_is_found_out_by_a_second_one(
    network: Network, scene: LitecoinScene, tmp_path: Path
) -> None:
    """Followed alone it is believed until it gives way; with `agreement` nothing counts meanwhile."""
    folder = tmp_path / "agreed"
    folder.mkdir()
    urls = (network.ours.url, network.theirs.url)
    async with litecoin_scene(network.ours, folder, rpc=urls, agreement=2) as agreed:
        trusting, careful = await scene.invoice(confirmations=2), await agreed.invoice(confirmations=2)
        assert trusting.address == careful.address
        network.part()
        network.ours.pay(careful.address, "1")
        network.ours.mine(2)
        network.theirs.mine(5)

        await scene.followed.scan()
        await agreed.followed.scan()
        assert ["paid", "pending"] == [await trusting.status(), await careful.status()]
        assert "live" != agreed.followed.status(NAME).state

        network.meet()
        assert ["confirming reverted"] == await scene.right(trusting)
        assert ["confirming"] == await agreed.right(careful)
        network.ours.mine(2)
        _wait(lambda: network.theirs.height == network.ours.height)
        assert ["paid reverted"] == await scene.right(trusting)
        assert ["paid"] == await agreed.right(careful)
