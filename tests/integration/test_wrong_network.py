"""Money that reaches an invoice's account on another chain with the same accounts: found and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from watcher.errors import Refused
from watcher.tables import ADDRESS, INVOICE
from world import COIN

if TYPE_CHECKING:
    from world import World

BROUGHT = "fake112345678"


async def two_chains(world: World, fingerprint: str | None = "fake-key") -> None:
    world.add("here", namespace="fake", fingerprint=fingerprint)
    world.add("there", namespace="fake", fingerprint=fingerprint)
    await world.scan()


async def test_a_payment_on_another_network_is_reported_as_a_wrong_asset(world: World) -> None:
    await two_chains(world)
    invoice = await world.invoice()
    world.chains["there"].pay(invoice.address, COIN)
    await world.mine(3, name="there")

    assert "pending wrong_asset" == await invoice.status()
    assert ["deposit.wrong_asset"] == await invoice.told()
    assert (await world.rows(INVOICE))[0].needs_action


async def test_what_is_told_of_it_is_what_a_merchant_needs_to_act(world: World) -> None:
    await two_chains(world)
    invoice = await world.invoice()
    txid = world.chains["there"].pay(invoice.address, COIN // 2)
    await world.mine(name="there")

    told = (await invoice.events())[-1]["data"]
    payment = {key: told["payment"][key] for key in ("chain", "asset", "txid", "address", "amount", "status")}
    assert {
        "chain": "there",
        "asset": "COIN",
        "txid": txid,
        "address": invoice.address,
        "amount": "0.5",
        "status": "ignored",
    } == payment
    assert "here" == told["invoice"]["options"][0]["chain"]


async def test_it_never_pays_the_invoice(world: World) -> None:
    await two_chains(world)
    invoice = await world.invoice(expires_in=60)
    world.chains["there"].pay(invoice.address, COIN)
    await world.mine(name="there")
    world.clock.advance(3600)
    await world.mine(name="here")

    assert "expired wrong_asset" == await invoice.status()


async def test_a_reorganisation_of_the_other_network_takes_the_report_back(world: World) -> None:
    await two_chains(world)
    invoice = await world.invoice()
    world.chains["there"].pay(invoice.address, COIN)
    await world.mine(name="there")
    world.chains["there"].reorg(1, to_pool=False)
    await world.mine(name="there")

    assert "pending" == await invoice.status()


async def test_chains_without_common_accounts_do_not_look_for_each_others_addresses(world: World) -> None:
    world.add("here", namespace="fake")
    world.add("there", namespace="other")
    await world.scan()
    await world.invoice()

    assert ["here"] == [row.chain for row in await world.rows(ADDRESS)]


async def test_a_chain_that_is_added_later_learns_the_addresses_that_were_shown_before(world: World) -> None:
    world.add("here", namespace="fake")
    await world.scan()
    invoice = await world.invoice()
    world.add("there", namespace="fake")
    await world.scan()
    world.chains["there"].pay(invoice.address, COIN)
    await world.mine(name="there")

    assert "pending wrong_asset" == await invoice.status()


async def test_a_restart_adds_nothing_twice(world: World) -> None:
    await two_chains(world)
    await world.invoice()
    before = await world.rows(ADDRESS)
    await world.restart()
    await world.scan()

    assert before == await world.rows(ADDRESS)


async def test_both_networks_can_be_options_of_one_invoice_at_one_address(world: World) -> None:
    await two_chains(world)
    options = [{"chain": name, "asset": "COIN", "amount": "1"} for name in ("here", "there")]
    invoice = await world.invoice(options=options)
    world.chains["there"].pay(invoice.address, COIN)
    await world.mine(3, name="there")

    assert 1 == len(set(invoice.addresses))
    assert "paid" == await invoice.status()


async def test_an_address_that_is_only_watched_for_strays_can_still_be_brought(world: World) -> None:
    await two_chains(world, fingerprint=None)
    first = await world.invoice(address=BROUGHT)
    second = await world.invoice(chain="there", address=BROUGHT)
    for name in ("here", "there"):
        world.chains[name].pay(BROUGHT, COIN)
        await world.mine(3, name=name)

    assert ["paid", "paid"] == [await first.status(), await second.status()]


async def test_an_address_that_a_stray_has_reached_is_in_use(world: World) -> None:
    await two_chains(world, fingerprint=None)
    await world.invoice(address=BROUGHT)
    world.chains["there"].pay(BROUGHT, COIN)
    await world.mine(name="there")

    with pytest.raises(Refused, match="was used before") as refusal:
        await world.invoice(chain="there", address=BROUGHT)
    assert "address_in_use" == refusal.value.code


async def test_money_on_the_other_network_from_before_the_invoice_is_none_of_its_business(
    world: World,
) -> None:
    await two_chains(world, fingerprint=None)
    world.chains["there"].pay(BROUGHT, COIN)
    await world.mine(name="there")
    world.clock.advance(60)
    invoice = await world.invoice(address=BROUGHT)
    await world.actions().rescan("there", 0, None)
    await world.mine(name="there")

    assert "pending" == await invoice.status()
    assert [] == await invoice.told()
