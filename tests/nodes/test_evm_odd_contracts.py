"""Tokens that lie, keep a part, multiply and change, read in every mode that a node can offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED, BlocksMissing, NodeMisbehaved
from evm_chain import MODES, OURS, Chain, found, looking_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watcher.sandbox.anvil import Anvil

TRANSFER = "transfer(address,uint256)"


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Chain]:
    chain = Chain(anvil)
    yield chain
    await chain.close()


def token_call(chain: Chain, token: str, signature: str, *arguments: Any) -> None:
    chain.send(token, 0, contracts.calldata(signature, *arguments))


# --- tokens whose logs cannot be trusted (verify_balance)


@pytest.mark.parametrize("mode", MODES)
async def test_h60_of_a_token_that_keeps_a_fee_only_what_arrived_is_credited(chain: Chain, mode: str) -> None:
    token = chain.node.deploy(contracts.bytecode("fee_token"))
    adapter = await chain.of_mode(mode, assets=[chain.asset(contract=token, verify_balance=True)])
    token_call(chain, token, TRANSFER, OURS, 100)
    token_call(chain, token, TRANSFER, OURS, 50)

    assert [("ODD", "log:0", 100), ("ODD", "log:0", 35)] == found(await chain.mined(adapter))


@pytest.mark.parametrize("mode", MODES)
async def test_h61_an_event_without_a_movement_is_not_credited(chain: Chain, mode: str) -> None:
    adapter = await chain.of_mode(mode, assets=[chain.asset(verify_balance=True)])
    chain.tell("pay(address,uint256,uint256)", OURS, 100, 0)
    chain.tell("pay(address,uint256,uint256)", OURS, 30, 0)

    assert () == await chain.mined(adapter)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("percent", "expected"), [(150, [("ODD", UNATTRIBUTED, 50)]), (50, [])])
async def test_h62_a_rebase_is_unattributed_where_it_adds_and_takes_no_credit_where_it_takes(
    chain: Chain, mode: str, percent: int, expected: list[tuple[str, str, int]]
) -> None:
    token = chain.node.deploy(contracts.bytecode("rebasing_token"))
    adapter = await chain.of_mode(mode, assets=[chain.asset(contract=token, verify_balance=True)])
    token_call(chain, token, TRANSFER, OURS, 100)
    paid = found(await chain.mined(adapter))
    token_call(chain, token, "rebase(uint256)", percent)

    assert [("ODD", "log:0", 100)] == paid
    assert expected == found(await chain.mined(adapter))


@pytest.mark.parametrize("mode", MODES)
async def test_h62_a_rebase_among_many_blocks_is_found_in_its_own(chain: Chain, mode: str) -> None:
    token = chain.node.deploy(contracts.bytecode("rebasing_token"))
    adapter = await chain.of_mode(mode, assets=[chain.asset(contract=token, verify_balance=True)])
    first = chain.node.height + 1
    token_call(chain, token, TRANSFER, OURS, 100)
    chain.node.mine(7)
    token_call(chain, token, "rebase(uint256)", 130)
    chain.node.mine(30)
    transfers = await chain.read(adapter, first)

    assert [(first, 100), (first + 7, 30)] == [
        (each.block.height if each.block else None, each.amount) for each in transfers
    ]


# --- tokens that change (behind a proxy)


@pytest.mark.parametrize("mode", MODES)
async def test_h69_a_paused_token_or_a_blocked_account_credits_nothing(chain: Chain, mode: str) -> None:
    token = chain.node.deploy(contracts.bytecode("upgraded_token"))
    adapter = await chain.of_mode(mode, assets=[chain.asset(contract=token)])
    token_call(chain, token, "set(bool,bool,uint8)", True, False, 6)
    chain.node.mine()
    token_call(chain, token, TRANSFER, OURS, 100)
    paused = await chain.mined(adapter)
    token_call(chain, token, "set(bool,bool,uint8)", False, False, 6)
    token_call(chain, token, "block_account(address)", OURS)
    chain.node.mine()
    token_call(chain, token, TRANSFER, OURS, 100)

    assert () == paused == await chain.mined(adapter)


@pytest.mark.parametrize("mode", MODES)
async def test_h69_an_upgrade_that_changes_the_decimals_is_refused_at_the_next_connection(
    chain: Chain, mode: str
) -> None:
    token = chain.node.deploy(contracts.bytecode("upgraded_token"))
    adapter = await chain.of_mode(mode, assets=[chain.asset(contract=token)])
    token_call(chain, token, "set(bool,bool,uint8)", False, False, 18)
    chain.node.mine()

    with pytest.raises(NodeMisbehaved, match="has 18 decimals, the configuration says 6"):
        await adapter.open()


async def test_h74_a_doubted_token_is_read_although_older_balances_are_gone(chain: Chain) -> None:
    """Where nothing is credited, nothing has to be known; where something is, it has to."""
    adapter = await chain.of_mode("traces", assets=[chain.asset(verify_balance=True)])
    first = chain.node.height + 1
    chain.node.mine(8)
    chain.tell("pay(address,uint256,uint256)", OURS, 100, 90)
    chain.node.mine(80)
    chain.proxies[0].pruned = ("eth_call", first + 3, "missing trie node 0a1b (path )")
    paid = found(await chain.read(adapter, first))
    chain.proxies[0].pruned = ("eth_call", first + 8, "missing trie node 0a1b (path )")
    with pytest.raises(BlocksMissing, match="no longer has the balances of blocks"):
        await adapter.read(first, first + 20, looking_for(OURS))

    assert [("ODD", "log:0", 90)] == paid
