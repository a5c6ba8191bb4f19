"""The same block read by balances and with traces: what one reading cannot attribute, the other names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED
from followed import ether, following
from mode_proxy import ModeProxy
from watcher.tables import DEPOSIT, INVOICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.sandbox.anvil import Anvil
    from world import Made

ETHER = 10**18


class Scene:
    """An invoice, paid from inside a contract, followed through a node whose mode changes."""

    def __init__(self, node: Anvil, proxy: ModeProxy, followed: Followed) -> None:
        self.node = node
        self.proxy = proxy
        self.followed = followed
        self.calls = node.deploy(contracts.bytecode("odd_calls"))

    async def paid(self) -> Made:
        await self.followed.caught_up()
        invoice = await self.followed.invoice(chain="dev", asset="ETH", amount="1")
        self.node.send(self.calls, ETHER, contracts.calldata("forward(address)", invoice.address))
        self.node.mine(2)
        await self.followed.caught_up()
        return invoice

    async def again(self, mode: str) -> None:
        """Start anew with a node of another mode, and read everything again."""
        self.proxy.mode = mode
        await self.followed.restart()
        await self.followed.actions.rescan("dev", 0, None)
        await self.followed.caught_up()
        assert mode == self.followed.adapters["dev"].contract_transfers

    async def counted(self) -> list[tuple[str, str]]:
        rows = await self.followed.rows(DEPOSIT)
        return sorted((row.slot.partition(":")[0], row.standing) for row in rows)


@pytest.fixture
async def scene(anvil: Anvil, tmp_path: Path) -> AsyncIterator[Scene]:
    proxy = ModeProxy(anvil.url, "balance")
    async with following(tmp_path, dev=ether(await proxy.start())) as followed:
        yield Scene(anvil, proxy, followed)
    await proxy.close()


async def test_h51_what_balances_could_not_attribute_is_withdrawn_once_traces_name_it(scene: Scene) -> None:
    invoice = await scene.paid()
    assert "pending" == await invoice.status()
    assert [("balance", "mined")] == await scene.counted()

    await scene.again("traces")
    assert "paid" == await invoice.status()
    assert [("balance", "reorganised"), ("call", "mined")] == await scene.counted()
    assert [False] == [row.needs_action for row in await scene.followed.rows(INVOICE)]


async def test_h51_what_traces_credited_is_not_told_again_by_balances(scene: Scene) -> None:
    scene.proxy.mode = "traces"
    invoice = await scene.paid()
    assert "paid" == await invoice.status()

    await scene.again("balance")
    assert "paid" == await invoice.status()
    assert [("call", "mined")] == await scene.counted()
    assert "deposit.unmatched" not in await invoice.told()


async def test_h51_only_what_is_left_of_a_growth_stays_unattributed(scene: Scene) -> None:
    """A payment of its own beside one from inside a contract, in one block: the sum explains the growth."""
    await scene.followed.caught_up()
    invoice = await scene.followed.invoice(chain="dev", asset="ETH", amount="3")
    scene.node.send(scene.calls, ETHER, contracts.calldata("forward(address)", invoice.address))
    scene.node.send(invoice.address, 2 * ETHER)
    scene.node.mine(2)
    await scene.followed.caught_up()
    (growth,) = [r for r in await scene.followed.rows(DEPOSIT) if r.slot.startswith(UNATTRIBUTED)]
    assert ETHER == growth.amount

    await scene.again("traces")
    assert "paid" == await invoice.status()
