"""Two litecoinds behind one chain, connected as nodes are: one lags, both split, one dies or is exchanged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from doorway import opened
from followed import Followed, following, litecoin
from watcher.model import ChainState
from watcher.pace import Pace
from watcher.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chains.bitcoin import Adapter
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind
    from world import Made

STALLED_AFTER = 600.0
_PATIENCE = 30.0


class Pair:
    """Two connected nodes of which the first has a wallet with coins."""

    def __init__(self, factory: LitecoindFactory) -> None:
        self.first = factory(listen=True)
        self.second = factory(wallet=False, peer=self.first)
        self.join()

    @property
    def urls(self) -> tuple[str, str]:
        return self.first.url, self.second.url

    def split(self) -> None:
        """Cut the second off; it keeps what it has."""
        self.second.rpc("setnetworkactive", False)
        _until(lambda: not self.first.rpc("getconnectioncount"))

    def join(self) -> None:
        """Connect them and wait until they have the same head."""
        self.second.rpc("setnetworkactive", True)
        _until(lambda: bool(self.first.rpc("getconnectioncount")))
        _until(lambda: self.first.rpc("getbestblockhash") == self.second.rpc("getbestblockhash"))

    def mine_second(self, blocks: int) -> None:
        """Mine on the second, to an address of the first's."""
        self.second.mine(blocks, self.first.new_address())


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the nodes do not come to the same head"
        time.sleep(0.05)


class Endpoints:
    """The endpoints of the chain "ltc", with their waits put ahead by a test."""

    def __init__(self, followed: Followed) -> None:
        self.now = 1000.0
        self.adapter: Adapter = followed.adapters["ltc"]  # type: ignore[assignment]
        self.adapter._rpc._monotonic = lambda: self.now

    async def survey(self, after: float = 0.0) -> None:
        self.now += after
        await self.adapter.survey()

    def states(self) -> list[str]:
        return [each.state for each in self.adapter.health()]

    def error(self, place: int) -> str:
        return str(self.adapter.health()[place].error)


@pytest.fixture
def pair(litecoind_factory: LitecoindFactory) -> Pair:
    return Pair(litecoind_factory)


async def invoice(followed: Followed) -> Made:
    return await followed.invoice(chain="ltc", asset="LTC", amount="1", confirmations=2)


def hash_at(node: Litecoind, height: int) -> str:
    return str(node.rpc("getblockhash", height))


async def test_h7_h42_an_endpoint_that_stopped_syncing_gives_way_and_is_taken_back(
    pair: Pair, tmp_path: Path
) -> None:
    async with following(tmp_path, ltc=litecoin(*reversed(pair.urls))) as followed:
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        pair.split()
        pair.first.pay(made.address, "1")
        pair.first.mine(4)
        await view.survey()
        await followed.scan()
        assert "pending" == await made.status()

        await view.survey(60)
        await followed.caught_up()
        assert (["lagging", "up"], "paid") == (view.states(), await made.status())
        height = pair.second.height
        assert f"at block {height}, 4 behind http://127.0.0.1:{pair.first.port}" in view.error(0)
        assert pair.second.password not in f"{followed.adapters['ltc'].health()}"

        pair.join()
        await view.survey(30)
        await followed.caught_up()
        assert (["up", "up"], 1) == (view.states(), len(await followed.credits("ltc")))


async def test_h14_a_split_holds_the_chain_until_the_two_converge(pair: Pair, tmp_path: Path) -> None:
    """The payment is on the branch that loses, and is mined again on the one that wins."""
    async with following(tmp_path, ltc=litecoin(*pair.urls, agreement=2)) as followed:
        alarming(followed)
        view = Endpoints(followed)
        await followed.caught_up()
        start = pair.first.height
        made = await invoice(followed)
        pair.split()
        txid = pair.first.pay(made.address, "1")
        pair.first.mine(8)
        pair.mine_second(9)

        await view.survey()
        await followed.scan()
        assert (start, ["disagrees", "disagrees"]) == ((await followed.scanned("ltc"))[0], view.states())
        told = followed.status("ltc").reason or ""
        assert {True} == {
            f"{pair.first.port} shows {hash_at(pair.first, start + 8)}" in told,
            f"{pair.second.port} shows {hash_at(pair.second, start + 8)}" in told,
        }
        assert ("pending", []) == (await made.status(), await followed.told("chain"))

        followed.clock.advance(STALLED_AFTER + 1)
        await followed.scan()
        assert ["chain.stalled"] == await followed.told("chain")

        pair.join()
        assert txid in pair.first.rpc("getrawmempool")
        pair.first.mine(2)
        pair.join()
        await view.survey(60)
        await followed.scan()
        assert hash_at(pair.second, start + 11) == (await followed.scanned("ltc"))[1]
        assert ("paid", {txid}) == (await made.status(), {each[0] for each in await followed.credits("ltc")})
        assert ["chain.stalled", "chain.recovered"] == await followed.told("chain")
        assert ["up", "up"] == view.states()


async def test_h14_no_deadline_passes_by_the_word_of_one_endpoint_alone(pair: Pair, tmp_path: Path) -> None:
    """The one in use has seen no new block since the other one left for a fork with the payment."""
    async with following(tmp_path, ltc=litecoin(*pair.urls, agreement=2)) as followed:
        await followed.caught_up()
        made = await invoice(followed)
        pair.split()
        pair.second.rpc("invalidateblock", pair.second.rpc("getbestblockhash"))
        pair.mine_second(3)

        followed.clock.advance(7200)
        await followed.scan()

        assert (ChainState.STALLED, "pending") == (followed.status("ltc").state, await made.status())


async def test_an_endpoint_that_dies_during_a_read_is_replaced_and_nothing_is_counted_twice(
    pair: Pair, tmp_path: Path
) -> None:
    async with following(tmp_path, ltc=litecoin(*reversed(pair.urls))) as followed:
        await followed.caught_up()
        made = await invoice(followed)
        pair.first.pay(made.address, "1")
        pair.first.mine(3)
        pair.join()
        followed.meddle("ltc", "mempool", pair.second.kill)

        await followed.scan()
        assert ("pending", "down") == (await made.status(), Endpoints(followed).states()[0])
        await followed.scan()
        await followed.caught_up()

        assert ("paid", 1) == (await made.status(), len(await followed.credits("ltc")))


async def test_h71_an_endpoint_exchanged_at_a_reconnect_is_refused_and_the_right_one_goes_on(
    pair: Pair, litecoind_factory: LitecoindFactory, tmp_path: Path
) -> None:
    stranger = litecoind_factory(
        funded=False, mweb=True, wallet=False, extra=("-regtest=0", "-testnet", "-rpcuser=watcher")
    )
    async with (
        opened(pair.first, pair.second) as (door, other),
        following(tmp_path, ltc=litecoin(door.url, other.url, rest=False)) as followed,
    ):
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        await door.lead_to(stranger)
        pair.first.pay(made.address, "1")
        pair.first.mine(3)
        pair.join()

        for _ in range(3):
            await followed.scan()
        assert (ChainState.LIVE, "paid", ["down", "up"]) == (
            followed.status("ltc").state,
            await made.status(),
            view.states(),
        )
        assert "(litecoin testnet), that of ltc is" in view.error(0)

        await other.lead_to(stranger)
        for _ in range(2):
            await followed.scan()
        assert ChainState.HALTED is followed.status("ltc").state

        await door.lead_to(pair.first)
        for _ in range(2):
            await followed.scan()
        await followed.caught_up()
        assert 1 == len(await followed.credits("ltc"))


def alarming(followed: Followed) -> None:
    """Let the shop be told of silence."""
    app = followed.app
    followed.scanners["ltc"] = Scanner(
        app.chains["ltc"],
        app.ledger,
        followed.clock,
        Pace(0.1, 500, STALLED_AFTER, None),
        app.bus.scan["ltc"],
        lambda _pause: None,
    )
