"""Hazard 37: a wallet looks 20 unused addresses ahead; whoever shows more has to hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from watcher.unused import GAP_LIMIT, unused
from world import COIN

if TYPE_CHECKING:
    import pytest

    from api_server import Api
    from world import Made, World


async def invoices(world: World, number: int) -> list[Made]:
    return [await world.invoice() for _ in range(number)]


async def in_a_row(world: World, name: str = "fake") -> int:
    async with world.store.read() as connection:
        return await unused(connection, name)


async def test_h37_a_row_of_unused_addresses_ends_at_the_newest_paid_one(world: World) -> None:
    chain = world.add()
    await world.scan()
    assert 0 == await in_a_row(world)
    made = await invoices(world, 25)
    assert 25 == await in_a_row(world)
    chain.pay(made[3].address, COIN)
    await world.scan()
    assert 25 == await in_a_row(world)  # what is unconfirmed may go again
    await world.mine()
    assert 21 == await in_a_row(world)
    chain.pay(made[24].address, COIN)
    await world.mine()

    assert 0 == await in_a_row(world)


async def test_h37_a_brought_address_is_none_of_the_keys(world: World) -> None:
    world.add()
    await world.scan()
    await world.invoice(address="fake199999999")

    assert 0 == await in_a_row(world)


async def test_h37_the_log_warns_once_beyond_what_wallets_look_at(world: World) -> None:
    world.add()
    await world.scan()
    with structlog.testing.capture_logs() as logs:
        await invoices(world, GAP_LIMIT)
        assert [] == [each for each in logs if each["event"] == "addresses.unused"]
        await invoices(world, 5)

    (warning,) = (each for each in logs if each["event"] == "addresses.unused")
    assert ("warning", "fake", 21) == (warning["log_level"], warning["chain"], warning["in_a_row"])


async def test_h37_a_long_row_is_told_as_200_or_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.unused._LOOKED_AT", 5)
    chain = world.add()
    await world.scan()
    made = await invoices(world, 9)
    chain.pay(made[0].address, COIN)
    await world.mine()

    assert 5 == await in_a_row(world)


async def test_h37_the_row_and_the_addresses_are_there_for_all_to_see(api: Api) -> None:
    made = [(await api.invoice())["options"][0]["address"] for _ in range(3)]
    brought = (await api.invoice(address="fake199999999"))["options"][0]["address"]
    api.chain.pay(made[1], COIN)
    api.chain.mine()
    await api.scan()

    (chain,) = (await api.get("/v1/chains")).json["data"]
    shown = (await api.get("/v1/chains/fake/addresses")).json["data"]
    assert 1 == chain["unused_addresses"]
    assert 'watcher_unused_addresses{chain="fake"} 1.0' in (await api.get("/metrics", None)).body.decode()
    assert [(0, made[0], False), (1, made[1], True), (2, made[2], False), (None, brought, False)] == [
        (each["index"], each["address"], each["used"]) for each in shown
    ]
