"""An invoice's address is paid on another EVM chain, or with a token that it did not ask for: real anvils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vyper_contracts as contracts
from followed import ether, following
from watcher.tables import INVOICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil

ELSEWHERE = 31338
ETHER = 10**18


class Scene:
    """Two chains with the same accounts, and a token on the second."""

    def __init__(self, here: Anvil, there: Anvil, token: str, followed: Followed) -> None:
        self.here = here
        self.there = there
        self.token = token
        self.followed = followed

    async def invoice(self, **fields: Any) -> Any:
        return await self.followed.invoice(**{"chain": "here", "asset": "ETH", "amount": "1", **fields})

    async def mine(self) -> None:
        for node in (self.here, self.there):
            node.mine(2)
        await self.followed.caught_up()


@pytest.fixture
async def scene(anvil_factory: AnvilFactory, tmp_path: Path) -> AsyncIterator[Scene]:
    here, there = anvil_factory(), anvil_factory(chain_id=ELSEWHERE)
    token = there.deploy(contracts.bytecode("odd_token"))
    assets = [{"symbol": "ODD", "contract": token, "decimals": 6}]
    tables = {
        "here": ether(here.url),
        "there": ether(there.url, chain_id=ELSEWHERE, native="POL", assets=assets),
    }
    async with following(tmp_path, **tables) as followed:
        await followed.scan()
        yield Scene(here, there, token, followed)


async def test_a_coin_sent_on_the_wrong_network_is_found_and_told_and_does_not_pay(scene: Scene) -> None:
    invoice = await scene.invoice()
    txid = scene.there.send(invoice.address, ETHER)
    await scene.mine()

    assert "pending wrong_asset" == await invoice.status()
    assert ["deposit.wrong_asset"] == await invoice.told()
    payment = (await invoice.events())[-1]["data"]["payment"]
    assert {
        "chain": "there",
        "asset": "POL",
        "txid": txid,
        "slot": "value",
        "address": invoice.address,
        "amount": "1",
        "status": "ignored",
    } == {key: payment[key] for key in ("chain", "asset", "txid", "slot", "address", "amount", "status")}
    assert [True] == [row.needs_action for row in await scene.followed.rows(INVOICE)]


async def test_a_token_sent_on_the_wrong_network_is_found(scene: Scene) -> None:
    invoice = await scene.invoice()
    scene.there.send(
        scene.token, data=contracts.calldata("pay(address,uint256,uint256)", invoice.address, 7, 0)
    )
    await scene.mine()

    payment = (await invoice.events())[-1]["data"]["payment"]
    assert ("there", "ODD", "0.000007") == (payment["chain"], payment["asset"], payment["amount"])


async def test_a_known_token_that_the_invoice_did_not_ask_for_is_a_wrong_asset(scene: Scene) -> None:
    invoice = await scene.invoice(chain="there", asset="POL")
    scene.there.send(
        scene.token, data=contracts.calldata("pay(address,uint256,uint256)", invoice.address, 7, 0)
    )
    scene.there.send(invoice.address, ETHER)
    await scene.mine()

    assert "paid wrong_asset" == await invoice.status()
    assert "deposit.wrong_asset" in await invoice.told()


async def test_the_right_network_still_pays_beside_it(scene: Scene) -> None:
    invoice = await scene.invoice()
    scene.there.send(invoice.address, ETHER)
    scene.here.send(invoice.address, ETHER)
    await scene.mine()

    assert "paid wrong_asset" == await invoice.status()


async def test_a_reorganisation_of_the_wrong_network_takes_only_its_own_report_back(scene: Scene) -> None:
    invoice = await scene.invoice()
    scene.here.send(invoice.address, ETHER)
    scene.there.send(invoice.address, ETHER)
    await scene.mine()
    scene.there.rpc("anvil_reorg", 2, [])
    await scene.mine()

    assert "paid" == await invoice.status()


async def test_invoices_on_both_chains_get_different_addresses_and_do_not_mix(scene: Scene) -> None:
    first, second = await scene.invoice(), await scene.invoice(chain="there", asset="POL")
    scene.here.send(first.address, ETHER)
    scene.there.send(second.address, ETHER)
    await scene.mine()

    assert first.address != second.address
    assert ["paid", "paid"] == [await first.status(), await second.status()]
