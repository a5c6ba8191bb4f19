"""Several anvils behind one chain: one lags, forks, dies, limits, is exchanged; no deposit suffers from it.

They are one network because they are told the same: blocks of one are given to another as a state file is.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from doorway import opened
from followed import Followed, ether, following
from watcher.model import ChainState
from watcher.pace import Pace
from watcher.scanner import Scanner

if TYPE_CHECKING:
    from pathlib import Path

    from chains.evm import Adapter
    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil
    from world import Made

BIRTH = int(time.time()) - 3600
ONE = 10**18
STALLED_AFTER = 4 * 3600


class Network:
    """Anvils with the same first block."""

    def __init__(self, factory: AnvilFactory, nodes: int) -> None:
        self.nodes = [factory(extra=("--timestamp", str(BIRTH))) for _ in range(nodes)]

    def mine(self, *nodes: Anvil, blocks: int = 1, seconds: int = 12) -> None:
        """Mine the same blocks on these nodes."""
        for node in nodes:
            for _ in range(blocks):
                head = node.rpc("eth_getBlockByNumber", "latest", False)
                node.rpc("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + seconds)
                node.rpc("evm_mine")

    def pay(self, *nodes: Anvil, to: str, wei: int = ONE) -> None:
        for node in nodes:
            node.send(to, wei)

    def sync(self, source: Anvil, *nodes: Anvil, fork: int = 0) -> None:
        """Give these nodes the blocks of another, after they dropped the last `fork` of their own."""
        for node in nodes:
            if fork:
                node.rpc("anvil_rollback", fork)
            node.rpc("anvil_loadState", source.rpc("anvil_dumpState"))


class Endpoints:
    """The endpoints' waits, put ahead by a test."""

    def __init__(self, followed: Followed) -> None:
        self.now = 1000.0
        self.adapter: Adapter = followed.adapters["dev"]  # type: ignore[assignment]
        self.adapter._rpc._monotonic = lambda: self.now

    async def survey(self, after: float = 0.0) -> None:
        self.now += after
        await self.adapter.survey()

    def states(self) -> list[str]:
        return [each.state for each in self.adapter.health()]

    def error(self, place: int) -> str:
        return str(self.adapter.health()[place].error)

    async def used(self) -> int:
        return (await self.adapter.tip()).endpoint


async def invoice(followed: Followed) -> Made:
    return await followed.invoice(chain="dev", asset="ETH", amount="1", confirmations=2)


def hash_at(node: Anvil, height: int) -> str:
    return str(node.rpc("eth_getBlockByNumber", hex(height), False)["hash"])


async def test_h42_an_endpoint_that_lags_gives_way_and_is_taken_back(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    stuck, good = network.nodes
    network.mine(stuck, good, blocks=10)
    async with following(tmp_path, dev=ether(stuck.url, good.url)) as followed:
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        network.pay(good, to=made.address)
        network.mine(good, blocks=4)
        await view.survey()
        await followed.scan()
        assert ("pending", 0) == (await made.status(), await view.used())

        await view.survey(60)
        await followed.caught_up()

        assert (["lagging", "up"], "paid", 1) == (view.states(), await made.status(), await view.used())
        assert f"at block 10, 4 behind {good.url}" in view.error(0)

        network.sync(good, stuck)
        await view.survey(30)
        await followed.caught_up()
        assert (["up", "up"], ["payment.confirmed", "payment.detected"]) == (
            view.states(),
            sorted(each for each in await followed.told() if each.startswith("payment")),
        )


async def test_h14_the_only_endpoint_that_is_left_serves_although_it_lags(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    stuck, good = network.nodes
    network.mine(stuck, good, blocks=10)
    network.mine(good, blocks=4)
    async with following(tmp_path, dev=ether(stuck.url, good.url)) as followed:
        view = Endpoints(followed)
        await followed.caught_up()
        await view.survey()
        await view.survey(60)
        assert "lagging" == view.states()[0]

        good.kill()
        await followed.scan()
        await followed.caught_up()

        assert hash_at(stuck, 10) == (await followed.scanned("dev"))[1]


async def test_h14_two_endpoints_on_two_forks_hold_the_chain_until_they_agree(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    first, second = network.nodes
    network.mine(first, second, blocks=10)
    async with following(tmp_path, dev=ether(first.url, second.url, agreement=2)) as followed:
        alarming(followed)
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        network.pay(first, to=made.address)
        network.mine(first, blocks=10)
        network.mine(second, blocks=10, seconds=13)

        await view.survey()
        await followed.scan()
        assert (10, "pending", ["disagrees", "disagrees"]) == (
            (await followed.scanned("dev"))[0],
            await made.status(),
            view.states(),
        )
        told = followed.status("dev").reason or ""
        assert {True} == {f"{n.url} shows {hash_at(n, 20)}" in told for n in network.nodes}
        assert [] == await followed.told("chain")

        followed.clock.advance(STALLED_AFTER + 1)
        await followed.scan()
        assert ["chain.stalled"] == await followed.told("chain")

        network.sync(first, second, fork=10)
        network.mine(first, second, seconds=STALLED_AFTER)
        view.now += 60
        await view.survey()
        await followed.scan()
        assert (hash_at(first, 21), "paid") == ((await followed.scanned("dev"))[1], await made.status())
        assert ["chain.stalled", "chain.recovered"] == await followed.told("chain")
        assert ["up", "up"] == view.states()


async def test_h14_a_fork_that_two_of_three_contradict_is_left_and_what_it_paid_is_withdrawn(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 3)
    lone, *others = network.nodes
    network.mine(*network.nodes, blocks=10)
    async with following(tmp_path, dev=ether(*(node.url for node in network.nodes))) as followed:
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        network.pay(lone, to=made.address)
        network.mine(lone, blocks=9)
        network.mine(*others, blocks=9, seconds=13)
        await followed.caught_up()
        assert "paid" == await made.status()

        await view.survey()
        network.mine(*others, seconds=13)
        await followed.scan()

        assert (["disagrees", "up", "up"], hash_at(others[0], 20)) == (
            view.states(),
            (await followed.scanned("dev"))[1],
        )
        assert f"block 13 is {hash_at(lone, 13)} here, {hash_at(others[0], 13)} at" in view.error(0)
        assert "pending" in await made.status()


async def test_an_endpoint_that_dies_during_a_read_is_replaced_and_nothing_is_counted_twice(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    dying, other = network.nodes
    network.mine(dying, other)
    async with following(tmp_path, dev=ether(dying.url, other.url)) as followed:
        await followed.caught_up()
        made = await invoice(followed)
        network.pay(dying, other, to=made.address)
        network.mine(dying, other, blocks=3)
        followed.meddle("dev", "read", dying.kill)

        await followed.scan()
        assert ("pending", "down") == (await made.status(), Endpoints(followed).states()[0])
        await followed.caught_up()

        assert ("paid", 1) == (await made.status(), len(await followed.credits("dev")))


def too_many(_: Any) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "30"})


def busy(_: Any) -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "30"})


def limited(body: Any) -> web.Response:
    error = {"code": -32005, "message": "daily request count exceeded"}
    ids = [each["id"] for each in body] if isinstance(body, list) else body["id"]
    told: Any = {"id": ids, "error": error}
    if isinstance(ids, list):
        told = [{"id": each, "error": error} for each in ids]
    return web.Response(body=json.dumps(told).encode(), headers={"Retry-After": "30"})


@pytest.mark.parametrize("refusal", [too_many, busy, limited])
async def test_h46_an_endpoint_that_limits_is_left_alone_and_the_other_goes_on_at_once(
    anvil_factory: AnvilFactory, tmp_path: Path, refusal: Any
) -> None:
    network = Network(anvil_factory, 2)
    network.mine(*network.nodes)
    async with (
        opened(*network.nodes) as (door, other),
        following(tmp_path, dev=ether(door.url, other.url)) as followed,
    ):
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        network.pay(*network.nodes, to=made.address)
        network.mine(*network.nodes, blocks=3)
        door.refusal, door.asked = refusal, 0

        pause = await followed.turn("dev")
        await followed.caught_up()
        await view.survey(29)

        assert (0.1, 1, "paid") == (pause, door.asked, await made.status())
        assert "down" == view.states()[0]
        door.refusal = None
        await view.survey(2)
        assert ["up", "up"] == view.states()


async def test_h46_a_limit_of_the_only_endpoint_is_the_scanners_pause(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 1)
    network.mine(*network.nodes)
    async with opened(*network.nodes) as (door,), following(tmp_path, dev=ether(door.url)) as followed:
        view = Endpoints(followed)
        await followed.caught_up()
        door.refusal, door.asked = too_many, 0

        pauses = [await followed.turn("dev")]
        view.now += 20
        pauses.append(await followed.turn("dev"))
        assert ([30.0, 10.0], 1) == (pauses, door.asked)

        door.refusal = None
        view.now += 10
        await followed.caught_up()


async def test_h71_an_endpoint_exchanged_at_a_reconnect_is_refused_and_the_right_one_goes_on(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    network.mine(*network.nodes, blocks=3)
    stranger = anvil_factory(chain_id=5)
    async with (
        opened(*network.nodes) as (door, other),
        following(tmp_path, dev=ether(door.url, other.url)) as followed,
    ):
        view = Endpoints(followed)
        await followed.caught_up()
        made = await invoice(followed)
        stranger.send(made.address, ONE)
        stranger.mine(50)
        await door.lead_to(stranger)
        network.pay(network.nodes[1], to=made.address)
        network.mine(network.nodes[1], blocks=3)

        for _ in range(3):
            await followed.scan()

        assert (ChainState.LIVE, "paid") == (followed.status("dev").state, await made.status())
        assert ["down", "up"] == view.states()
        assert "serves chain id 5, the configuration says 31337" in view.error(0)
        assert 1 == len(await followed.credits("dev"))

        await door.lead_to(network.nodes[1])
        await view.survey(60)
        assert ["up", "up"] == view.states()


async def test_h71_the_chain_halts_when_none_serves_it_and_goes_on_when_one_does_again(
    anvil_factory: AnvilFactory, tmp_path: Path
) -> None:
    network = Network(anvil_factory, 2)
    network.mine(*network.nodes, blocks=3)
    stranger = anvil_factory(chain_id=5)
    async with (
        opened(*network.nodes) as (door, other),
        following(tmp_path, dev=ether(door.url, other.url)) as followed,
    ):
        await followed.caught_up()
        for each in (door, other):
            await each.lead_to(stranger)

        for _ in range(3):
            await followed.scan()
        assert (ChainState.HALTED, ["chain.stalled"]) == (
            followed.status("dev").state,
            await followed.told("chain"),
        )

        await other.lead_to(network.nodes[1])
        for _ in range(2):
            await followed.scan()
        await followed.caught_up()
        assert ["chain.stalled", "chain.recovered"] == await followed.told("chain")


@pytest.mark.parametrize("pinned", [True, False])
async def test_h71_another_genesis_under_the_same_chain_id_is_another_chain(
    anvil_factory: AnvilFactory, tmp_path: Path, *, pinned: bool
) -> None:
    """Without a pinned genesis the ledger knows it; it halts, and then asks the other endpoint."""
    network = Network(anvil_factory, 2)
    network.mine(*network.nodes, blocks=3)
    stranger = anvil_factory(extra=("--timestamp", str(BIRTH - 7)))
    keys = {"genesis": hash_at(network.nodes[0], 0)} if pinned else {}
    async with (
        opened(*network.nodes) as (door, other),
        following(tmp_path, dev=ether(door.url, other.url, **keys)) as followed,
    ):
        await followed.caught_up()
        made = await invoice(followed)
        await door.lead_to(stranger)
        stranger.send(made.address, ONE)
        stranger.mine(50)

        states = []
        for _ in range(4):
            await followed.scan()
            states.append(followed.status("dev").state)

        assert ChainState.LIVE is states[-1]
        assert (ChainState.HALTED in states) is not pinned
        assert ("pending", set()) == (await made.status(), await followed.credits("dev"))
        assert hash_at(network.nodes[1], 3) == (await followed.scanned("dev"))[1]


def alarming(followed: Followed) -> None:
    """Let the shop be told of silence."""
    app = followed.app
    followed.scanners["dev"] = Scanner(
        app.chains["dev"],
        app.ledger,
        followed.clock,
        Pace(0.1, 500, STALLED_AFTER, None),
        app.bus.scan["dev"],
        lambda _pause: None,
    )
