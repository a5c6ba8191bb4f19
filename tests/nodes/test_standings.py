"""Standing addresses on a real litecoind and a real anvil: what is told of each deposit, up to the events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import ether_scene
import litecoin_scene
from followed import ether, following
from standing_scene import Customer, numbers
from watcher.drafts_standing import StandingDraft
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ether_scene import EtherScene
    from followed import Followed
    from litecoin_scene import LitecoinScene
    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

ELSEWHERE = 31338


@pytest.fixture
async def coins(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    async with litecoin_scene.litecoin_scene(litecoind, tmp_path) as one:
        yield one


@pytest.fixture
async def accounts(anvil: Anvil, tmp_path: Path) -> AsyncIterator[EtherScene]:
    async with ether_scene.ether_scene(anvil, tmp_path) as one:
        yield one


async def customer(followed: Followed, chain: str, **fields: Any) -> Customer:
    draft = StandingDraft.model_validate({"chain": chain, "confirmations": 2, **fields})
    return Customer(followed, await followed.app.customers.create(draft, "a key"))


async def test_h1_h2_h16_a_coin_is_told_through_mempool_block_reorganisation_and_replacement(
    coins: LitecoinScene,
) -> None:
    alice = await customer(coins.followed, litecoin_scene.NAME, label="alice")
    txid = coins.node.pay(alice.address, "1")
    await coins.right()
    assert ["detected"] == await alice.told()
    coins.node.mine(2)
    await coins.right()
    assert ["detected", "confirmed"] == await alice.told()

    coins.replace(2)
    await coins.right()
    back = ["detected", "confirmed", "reverted reorganised"]
    assert back == await alice.told()
    coins.node.mine_only(coins.conflict(txid, alice.address, "0.4"))
    coins.node.mine(1)
    await coins.right()
    assert [*back, "reverted replaced"] == (await alice.told())[:4]
    assert ["detected", "confirmed"] == (await alice.told())[4:]
    assert list(range(1, 7)) == numbers(await alice.events())
    amounts = [event["data"]["payment"]["amount"] for event in await alice.events()]
    assert 4 * ["1"] + 2 * ["0.4"] == amounts


async def test_h1_a_coin_that_is_mined_again_is_confirmed_again(coins: LitecoinScene) -> None:
    alice = await customer(coins.followed, litecoin_scene.NAME)
    txid = coins.node.pay(alice.address, "1")
    coins.node.mine(3)
    await coins.right()
    raw = coins.raw(txid)
    coins.replace(3)
    await coins.right()
    coins.node.mine_only(raw)
    coins.node.mine(1)
    await coins.right()
    await coins.followed.restart()
    await coins.right()
    assert ["detected", "confirmed", "reverted reorganised", "confirmed"] == await alice.told()


async def test_h26_two_outputs_of_one_transaction_are_two_deposits(coins: LitecoinScene) -> None:
    alice, bob = [await customer(coins.followed, litecoin_scene.NAME) for _ in range(2)]
    coins.node.rpc("sendmany", "", {alice.address: "1", bob.address: "2"})
    coins.node.mine(2)
    await coins.right()
    assert ["detected", "confirmed"] == await alice.told() == await bob.told()
    places = [(await one.events())[0]["data"]["payment"] for one in (alice, bob)]
    assert 1 == len({place["txid"] for place in places})
    assert 2 == len({place["slot"] for place in places})


async def test_an_archived_address_stays_watched_and_what_it_receives_is_unmatched(
    coins: LitecoinScene,
) -> None:
    alice = await customer(coins.followed, litecoin_scene.NAME)
    await coins.followed.app.customers.archive(alice.id, "a key")
    await asyncio.sleep(1.1)  # the node counts whole seconds
    coins.node.pay(alice.address, "1")
    await coins.right()
    coins.node.mine(3)
    await coins.right()
    assert ["unmatched"] == await alice.told()


async def test_money_that_reached_an_own_address_before_it_was_made_is_not_told(coins: LitecoinScene) -> None:
    own = str(coins.node.rpc("getnewaddress"))
    coins.node.pay(own, "1")
    coins.node.mine(1)
    coins.followed.clock.advance(120)
    alice = await customer(coins.followed, litecoin_scene.NAME, address=own)
    coins.node.mine(2)
    await coins.right()
    await coins.followed.actions.rescan(litecoin_scene.NAME, 0, None)
    await coins.right()
    assert [] == await alice.told()
    coins.node.pay(own, "2")
    coins.node.mine(2)
    await coins.right()
    assert ["detected", "confirmed"] == await alice.told()


async def test_h1_h4_coin_and_token_are_told_and_taken_back_and_told_again(accounts: EtherScene) -> None:
    alice = await customer(accounts.followed, ether_scene.NAME)
    coin = accounts.pay(alice.address)
    dollars = accounts.raw(token.send(accounts.node, accounts.token, alice.address, 5_000_000))
    accounts.node.mine(1)
    await accounts.right()
    assert 2 * ["detected"] == await alice.told()
    accounts.node.mine(1)
    await accounts.right()
    assert 2 * ["detected"] + 2 * ["confirmed"] == await alice.told()

    accounts.replace(2)
    await accounts.right()
    assert 2 * ["reverted reorganised"] == (await alice.told())[4:]
    for raw in (dollars, coin):
        accounts.node.rpc("eth_sendRawTransaction", raw)
    accounts.node.mine(2)
    await accounts.right()
    assert 2 * ["confirmed"] == (await alice.told())[6:]
    paid = {
        event["data"]["payment"]["asset"]: event["data"]["payment"]["amount"]
        for event in await alice.events()
    }
    assert {"ETH": "1", ether_scene.TOKEN: "5"} == paid


async def test_money_on_another_network_is_told_as_such(anvil_factory: AnvilFactory, tmp_path: Path) -> None:
    """The account exists on every chain of its kind; what it gets elsewhere is nobody's payment."""
    here, there = anvil_factory(), anvil_factory(chain_id=ELSEWHERE)
    tables = {"here": ether(here.url), "there": ether(there.url, chain_id=ELSEWHERE, native="POL")}
    async with following(tmp_path, **tables) as followed:
        await followed.caught_up()
        alice = await customer(followed, "here")
        there.send(alice.address, 10**18)
        there.mine(3)
        await followed.caught_up()
        assert ["wrong_asset"] == await alice.told()
        paid = (await alice.events())[0]["data"]["payment"]
        assert ("there", "POL", "1") == (paid["chain"], paid["asset"], paid["amount"])
