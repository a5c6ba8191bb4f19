"""Money in a real chain to the end: what the ledger counts, and what comparing balances brings to light."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED
from evm_chain import MODES, OTHER, TELLING, Chain
from followed import ether, following
from watcher.cross_check import CrossCheck
from watcher.ledger_balances import Comparisons
from watcher.tables import ALERT, DEPOSIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from followed import Followed
    from watcher.sandbox.anvil import Anvil

TRANSFER = "transfer(address,uint256)"
EVERY = 3
AMOUNT = 10**12
"""What an invoice over 0.000001 coins asks for, in base units."""


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Chain]:
    chain = Chain(anvil)
    yield chain
    await chain.close()


class Shop:
    """A deployment with one invoice, which compares balances when it is told to."""

    def __init__(self, chain: Chain, followed: Followed) -> None:
        app = followed.app
        self._chain = chain
        self._followed = followed
        parts = Comparisons(app.store, followed.clock, app.links, app.bus)
        self._check = CrossCheck(app.chains["dev"], parts, EVERY)

    async def begin(self, asset: str) -> None:
        await self._followed.scan()
        self.made = await self._followed.invoice(chain="dev", asset=asset, amount="0.000001")
        self.address = self.made.address
        await self.compared()

    async def compared(self) -> None:
        """Mine as many blocks as lie between two comparisons, read them, and compare."""
        self._chain.node.mine(EVERY)
        await self._followed.scan()
        view = await self._followed.ledger.view("dev")
        assert view is not None
        assert await self._check.after(view) is None

    async def change_node(self, url: str) -> None:
        """Start the daemon again with another node."""
        settings = self._followed.settings.chains
        settings["dev"] = settings["dev"].model_copy(update={"rpc": (url,)})
        await self._followed.restart()

    async def read_again(self, height: int) -> None:
        await self._followed.scan()
        await self._followed.actions.rescan("dev", height, None)
        await self._followed.scan()

    async def deposits(self) -> list[tuple[str, int, bool]]:
        """Return asset, amount and whether it is attributed."""
        rows = await self._followed.rows(DEPOSIT)
        return sorted((row.asset, row.amount, not row.slot.startswith(UNATTRIBUTED)) for row in rows)

    async def alerts(self) -> list[str]:
        return [row.subject for row in await self._followed.rows(ALERT)]


@asynccontextmanager
async def shop(
    chain: Chain, folder: Path, mode: str = "traces", *, asset: str = "ETH", **keys: Any
) -> AsyncIterator[Shop]:
    """Follow the chain through a node of that mode, and have an invoice there."""
    chain.send(OTHER, 1)
    chain.node.mine(2)
    table = ether(await chain.proxy(mode), **{"assets": [chain.asset()], "confirmations": 1, **keys})
    async with following(folder, dev=table) as followed:
        one = Shop(chain, followed)
        await one.begin(asset)
        yield one


@pytest.mark.parametrize("mode", [*MODES, "none"])
async def test_h55_coin_that_came_without_a_transaction_is_told_in_every_mode(
    chain: Chain, tmp_path: Path, mode: str
) -> None:
    """By the reading where it looks at balances, else by the comparison; never counted, and told once.

    A node that gives no balances at all can show nothing: nothing is said then.
    """
    async with shop(chain, tmp_path, mode) as one:
        chain.node.mine()
        chain.node.rpc("anvil_setBalance", one.address, hex(AMOUNT))
        await one.compared()
        await one.compared()

        assert ([] if mode == "none" else [("ETH", AMOUNT, False)]) == await one.deposits()
        assert "pending" == await one.made.status()
        assert (0 if mode == "none" else 1) == (await one.made.told()).count("deposit.unmatched")


@pytest.mark.parametrize("mode", MODES)
async def test_money_from_inside_a_contract_pays_an_invoice_where_a_mode_tells_of_it(
    chain: Chain, tmp_path: Path, mode: str
) -> None:
    async with shop(chain, tmp_path, mode) as one:
        chain.call("forward(address)", one.address, value=AMOUNT)
        await one.compared()

        assert ("paid" if mode in TELLING else "pending") == await one.made.status()
        assert ([("ETH", AMOUNT, mode in TELLING)], []) == (await one.deposits(), await one.alerts())


async def test_money_that_no_reading_looks_for_is_brought_to_light_by_the_comparison(
    chain: Chain, tmp_path: Path
) -> None:
    """The node gives balances, but the operator switched off looking into contracts."""
    async with shop(chain, tmp_path, traces="off") as one:
        chain.call("forward(address)", one.address, value=9)
        await one.compared()
        found = await one.deposits(), await one.alerts()
        await one.compared()

        assert ([("ETH", 9, False)], [f"ETH {one.address}"]) == found
        assert (found[0], []) == (await one.deposits(), await one.alerts())


async def test_h62_a_rebase_of_a_token_that_was_trusted_is_noticed(chain: Chain, tmp_path: Path) -> None:
    token = chain.node.deploy(contracts.bytecode("rebasing_token"))
    async with shop(chain, tmp_path, asset="ODD", assets=[chain.asset(contract=token)]) as one:
        chain.send(token, 0, contracts.calldata(TRANSFER, one.address, 100))
        await one.compared()
        chain.send(token, 0, contracts.calldata("rebase(uint256)", 150))
        await one.compared()

        assert [("ODD", 50, False), ("ODD", 100, True)] == await one.deposits()
        assert [f"ODD {one.address}"] == await one.alerts()


async def test_h69_an_upgrade_after_which_a_token_logs_no_more_is_noticed(
    chain: Chain, tmp_path: Path
) -> None:
    token = chain.node.deploy(contracts.bytecode("upgraded_token"))
    async with shop(chain, tmp_path, asset="ODD", assets=[chain.asset(contract=token)]) as one:
        chain.send(token, 0, contracts.calldata("set(bool,bool,uint8)", False, True, 6))
        chain.send(token, 0, contracts.calldata(TRANSFER, one.address, 100))
        await one.compared()

        assert ([("ODD", 100, False)], [f"ODD {one.address}"]) == (await one.deposits(), await one.alerts())


async def test_h61_what_a_token_takes_away_again_is_no_disagreement(chain: Chain, tmp_path: Path) -> None:
    """A token may be taken from any account: only a growth beyond the credits proves anything."""
    token = chain.node.deploy(contracts.bytecode("upgraded_token"))
    async with shop(chain, tmp_path, asset="ODD", assets=[chain.asset(contract=token)]) as one:
        chain.send(token, 0, contracts.calldata(TRANSFER, one.address, 100))
        chain.send(token, 0, contracts.calldata("seize(address)", one.address))
        await one.compared()

        assert ([("ODD", 100, True)], []) == (await one.deposits(), await one.alerts())


@pytest.mark.parametrize(("first", "then"), [("traces", "logs"), ("logs", "traces"), ("parity", "traces")])
async def test_h56_a_node_that_tells_of_the_same_money_in_another_way_counts_nothing_twice(
    chain: Chain, tmp_path: Path, first: str, then: str
) -> None:
    """The daemon is started again with another node, and reads the blocks again."""
    async with shop(chain, tmp_path, first) as one:
        since = chain.node.height
        chain.call("thrice(address)", one.address, value=3 * AMOUNT)
        chain.send(one.address, AMOUNT)
        await one.compared()
        before = await one.deposits()
        await one.change_node(await chain.proxy(then))
        await one.read_again(since)

        assert [("ETH", AMOUNT, True)] * 4 == before == await one.deposits()


async def test_balances_read_again_with_traces_count_what_was_unattributed(
    chain: Chain, tmp_path: Path
) -> None:
    """A better node is found: what could not be attributed counts now, once; the notice of it stays."""
    async with shop(chain, tmp_path, "balance") as one:
        since = chain.node.height
        chain.call("forward(address)", one.address, value=AMOUNT)
        await one.compared()
        assert "pending" == await one.made.status()
        await one.change_node(await chain.proxy("traces"))
        await one.read_again(since)

        assert [("ETH", AMOUNT, False), ("ETH", AMOUNT, True)] == await one.deposits()
        assert "paid" == await one.made.status()
