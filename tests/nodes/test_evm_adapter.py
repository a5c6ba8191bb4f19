"""The EVM adapter on anvil: every way in which coin and tokens arrive, and every way in which they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from eth_utils.crypto import keccak

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED, NodeMisbehaved, NodeUnavailable, Watched
from evm_cases import CASES, in_mode, told
from evm_chain import MODES, OTHER, OURS, TELLING, Chain, found
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from chains.evm import Adapter
    from watcher.sandbox.anvil import Anvil


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Chain]:
    chain = Chain(anvil)
    yield chain
    await chain.close()


@pytest.fixture(params=TELLING)
async def telling(chain: Chain, request: pytest.FixtureRequest) -> Adapter:
    """The adapter behind a node of each mode that tells of every movement."""
    return await chain.of_mode(request.param)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("act", "expected"), CASES)
async def test_what_arrives_is_credited_and_nothing_else(
    chain: Chain, mode: str, act: Callable[[Chain], str], expected: list[tuple[str, str, int]]
) -> None:
    adapter = await chain.of_mode(mode)
    act(chain)

    assert in_mode(mode, expected) == told(mode, await chain.mined(adapter))


async def test_each_transfer_names_its_transaction_and_its_account(chain: Chain) -> None:
    adapter = await chain.adapter()
    txid = chain.call("forward(address)", OURS, value=9)
    (transfer,) = await chain.mined(adapter)

    assert (txid, OURS.lower()) == (transfer.txid, transfer.address.lower())


async def test_h49_value_of_a_failed_transaction_is_not_credited(chain: Chain, telling: Adapter) -> None:
    refusing = chain.token
    txid = chain.send(refusing, 9)
    transfers = await chain.mined(telling, refusing)

    receipt = chain.node.receipt(txid)
    assert receipt is not None
    assert ("0x0", ()) == (receipt["status"], transfers)


async def test_h52_value_given_to_a_contract_at_its_creation(chain: Chain, telling: Adapter) -> None:
    code, salt = b"\x00", b"\x07" * 32
    seed = b"\xff" + bytes.fromhex(chain.calls[2:]) + salt + keccak(code)
    made = "0x" + keccak(seed)[12:].hex()
    chain.call("create(bytes,bytes32)", code, salt, value=9)

    assert [9] == [each.amount for each in await chain.mined(telling, made)]


async def test_value_of_a_creating_transaction_goes_to_what_it_makes(chain: Chain, telling: Adapter) -> None:
    sender = chain.node.accounts[0]
    nonce = int(chain.node.rpc("eth_getTransactionCount", sender, "latest"), 16)
    assert 1 <= nonce <= 0x7F
    made = "0x" + keccak(b"\xd6\x94" + bytes.fromhex(sender[2:]) + bytes([nonce]))[12:].hex()
    chain.send(None, 9, "0x00")

    assert [("ETH", "value", 9)] == found(await chain.mined(telling, made))


@pytest.mark.parametrize(("kept", "expected"), [(0, []), (4, [("ETH", "value", 4)])])
async def test_h66_h77_an_account_that_sends_on_is_credited_net(
    chain: Chain, telling: Adapter, kept: int, expected: list[tuple[str, str, int]]
) -> None:
    relay = chain.node.deploy(contracts.bytecode("relay") + f"{kept:064x}")
    chain.send(relay, 9)

    assert expected == found(await chain.mined(telling, relay))


async def test_h66_coin_sent_to_itself_is_no_deposit(chain: Chain, telling: Adapter) -> None:
    sender = chain.node.accounts[0]
    chain.send(sender, 9)

    assert () == await chain.mined(telling, sender)


async def test_both_trace_formats_give_equal_transfers(chain: Chain) -> None:
    adapter = await chain.adapter(traces="traces")
    other = await chain.adapter(traces="parity")
    first = chain.node.height
    for case in CASES:
        case.values[0](chain)
        chain.node.mine()
    watched = Watched({bytes.fromhex(OURS[2:])})

    by_calls = await adapter.read(first, chain.node.height, watched)
    assert by_calls == await other.read(first, chain.node.height, watched)
    assert len(by_calls.transfers) >= 10


async def test_h4_a_log_keeps_its_slot_when_a_reorganisation_moves_it(chain: Chain) -> None:
    adapter = await chain.adapter()
    chain.tell("pay(address,uint256,uint256)", OTHER, 1, 1)
    ours = chain.send(
        chain.token,
        0,
        contracts.calldata("pay(address,uint256,uint256)", OURS, 5, 5),
        **{"from": chain.node.accounts[1]},
    )
    (before,) = await chain.mined(adapter)
    raw = chain.node.rpc("eth_getRawTransactionByHash", ours)
    chain.node.rpc("anvil_reorg", 1, [[raw, 0]])
    reading = await adapter.read(chain.node.height, chain.node.height, Watched({bytes.fromhex(OURS[2:])}))
    (after,) = reading.transfers

    receipt = chain.node.receipt(ours)
    assert receipt is not None
    assert "0x0" == receipt["logs"][0]["logIndex"]
    assert (ours, "log:0") == (before.txid, before.slot) == (after.txid, after.slot)
    assert before.block != after.block


async def test_h59_a_token_outside_the_list_is_ignored(chain: Chain) -> None:
    adapter = await chain.adapter(assets=[])
    chain.tell("pay(address,uint256,uint256)", OURS, 5, 5)

    assert () == await chain.mined(adapter)


@pytest.mark.parametrize(
    ("logged", "arrived", "credited"),
    [
        pytest.param(100, 90, [("ODD", "log:0", 90)], id="h60-fee-on-transfer"),
        pytest.param(100, 0, [], id="h61-log-without-movement"),
        pytest.param(100, 100, [("ODD", "log:0", 100)], id="honest"),
        pytest.param(100, 130, [("ODD", "log:0", 100), ("ODD", UNATTRIBUTED, 30)], id="h62-more-than-logged"),
    ],
)
async def test_credits_of_a_doubted_token_are_held_against_the_balance(
    chain: Chain, logged: int, arrived: int, credited: list[tuple[str, str, int]]
) -> None:
    doubted = {"symbol": "ODD", "contract": chain.token, "decimals": 6, "verify_balance": True}
    adapter = await chain.adapter(assets=[doubted])
    chain.tell("pay(address,uint256,uint256)", OURS, logged, arrived)

    assert credited == found(await chain.mined(adapter))


async def test_many_payments_of_one_block_are_told_apart(chain: Chain) -> None:
    adapter = await chain.adapter()
    others = [f"0x{number:040x}" for number in range(0x1000, 0x1020)]
    for number, address in enumerate(others):
        chain.send(address, 100 + number)
    transfers = await chain.mined(adapter, *others)

    expected = {address: 100 + number for number, address in enumerate(others)}
    assert expected == {each.address.lower(): each.amount for each in transfers}


async def test_catch_up_over_many_blocks_finds_each_payment_in_its_block(chain: Chain) -> None:
    adapter = await chain.adapter()
    first = chain.node.height + 1
    expected = []
    for number in range(130):
        chain.send(OURS, 100 + number)
        chain.node.mine()
        expected.append((first + number, 100 + number))
    reading = await adapter.read(first, chain.node.height, Watched({bytes.fromhex(OURS[2:])}))

    assert expected == [
        (each.block.height if each.block else None, each.amount) for each in reading.transfers
    ]
    assert list(range(first, first + 130)) == [block.height for block in reading.blocks]


async def test_h68_wrong_decimals_are_refused(chain: Chain) -> None:
    wrong = {"symbol": "ODD", "contract": chain.token, "decimals": 18}
    expected = f"ODD at {chain.token}.* has 6 decimals, the configuration says 18"

    with pytest.raises(NodeMisbehaved, match=f"(?i){expected}"):
        await chain.adapter(assets=[wrong])


@pytest.mark.parametrize("where", ["nothing", "no-token"])
async def test_h68_an_address_without_a_token_is_refused(chain: Chain, where: str) -> None:
    address = OTHER.lower() if where == "nothing" else chain.calls

    with pytest.raises(NodeMisbehaved, match=r"ODD at .* is no token"):
        await chain.adapter(assets=[{"symbol": "ODD", "contract": address, "decimals": 6}])


async def test_h68_a_right_token_is_accepted(chain: Chain) -> None:
    contract = token.create(chain.node, name="Test", symbol="T", decimals=6, supply=10**9)
    adapter = await chain.adapter(assets=[{"symbol": "T", "contract": contract, "decimals": 6}])
    token.send(chain.node, contract, OURS, 15)

    assert [("T", "log:0", 15)] == found(await chain.mined(adapter))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param(
            {"chain_id": 1, "assets": []}, "chain id 31337, the configuration says 1", id="chain-id"
        ),
        pytest.param({"genesis": "0x" + "12" * 32}, "another chain", id="genesis"),
    ],
)
async def test_h71_a_node_of_another_chain_is_refused(chain: Chain, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(NodeMisbehaved, match=words):
        await chain.adapter(**keys)


async def test_the_pinned_genesis_is_accepted(chain: Chain) -> None:
    genesis = chain.node.rpc("eth_getBlockByNumber", "0x0", False)["hash"]
    adapter = await chain.adapter(genesis=genesis.upper().replace("X", "x"))

    assert all(each.ok is not False for each in await adapter.check())


async def test_without_traces_only_what_moves_inside_contracts_is_missed(chain: Chain) -> None:
    adapter = await chain.adapter(traces="off")
    chain.call("forward(address)", OURS, value=9)
    chain.send(OURS, 7)

    assert ("none", [("ETH", "value", 7)]) == (adapter.contract_transfers, found(await chain.mined(adapter)))


async def test_h11_tags_follow_the_node_and_genesis_counts_as_none(chain: Chain) -> None:
    adapter = await chain.adapter()
    early = await adapter.tip()
    chain.node.mine(10)
    late = await adapter.tip()

    assert (2, None, None) == (early.head.height, early.safe, early.finalized)
    assert (12, 10, 8) == (late.head.height, late.safe, late.finalized)


async def test_the_view_reaches_to_the_time_of_the_head_but_not_beyond_now(chain: Chain) -> None:
    adapter = await chain.adapter()
    tip = await adapter.tip()
    chain.node.rpc("evm_increaseTime", 1000)
    chain.node.rpc("evm_mine")
    ahead = await adapter.tip()

    assert tip.as_of <= tip.head.time <= datetime.now(UTC)
    assert ahead.as_of <= datetime.now(UTC) < ahead.head.time


async def test_h42_a_block_above_the_head_is_not_an_empty_one(chain: Chain) -> None:
    adapter = await chain.adapter()
    above = chain.node.height + 1

    assert await adapter.block(above) is None
    with pytest.raises(NodeUnavailable, match=f"no block {above}"):
        await adapter.read(above - 1, above, Watched({bytes.fromhex(OURS[2:])}))


async def test_h44_a_range_that_ends_before_it_begins_is_a_mistake(chain: Chain) -> None:
    adapter = await chain.adapter()

    with pytest.raises(ValueError, match="no range of blocks: 2 to 1"):
        await adapter.read(2, 1, Watched())


async def test_the_check_shows_each_property_of_the_node(chain: Chain) -> None:
    adapter = await chain.adapter()
    chain.node.mine(10)
    rows = {each.name: each.ok for each in await adapter.check()}

    expected = dict.fromkeys(
        ("reachable", "chain", "synced", "version", "clock", "finality", "traces", "balances", "mempool"),
        True,
    )
    assert {**expected, "genesis": None} == rows


async def test_the_check_reports_a_dead_node(chain: Chain) -> None:
    adapter = await chain.adapter()
    chain.node.kill()

    assert [("reachable", False)] == [(each.name, each.ok) for each in await adapter.check()]


async def test_h71_the_check_reports_a_node_of_another_chain(chain: Chain) -> None:
    adapter = await chain.adapter()
    chain.node.rpc("anvil_setChainId", 5)
    rows = await adapter.check()

    assert [("reachable", True), ("chain", False)] == [(each.name, each.ok) for each in rows]
    assert "chain id 5, the configuration says 31337" in rows[1].detail


async def test_spending_a_coin_deposit_costs_the_gas_of_a_transfer(chain: Chain) -> None:
    adapter = await chain.adapter()
    price = int(chain.node.rpc("eth_gasPrice"), 16)

    assert (21_000 * price, 0) == (await adapter.spending_cost("ETH"), await adapter.spending_cost("ODD"))
