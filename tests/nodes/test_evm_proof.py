"""A block's receipts are held against the root in its header: on anvil, and where a node lies about them."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import vyper_contracts as contracts
from chains import evm_proof
from chains.base import NodeUnavailable, Watched
from chains.evm import Adapter, Config
from chains.evm_blocks import Block, Receipt
from fault_proxy import Failed, Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil

OURS = "0x" + "ab" * 20
WATCHED = Watched({bytes.fromhex(OURS[2:])})


@pytest.fixture
def node(anvil_factory: AnvilFactory) -> Anvil:
    return anvil_factory(extra=("--order", "fifo"))


@pytest.fixture
async def proxy(node: Anvil) -> AsyncIterator[FaultProxy]:
    proxy = await FaultProxy(node.url).start()
    yield proxy
    await proxy.stop()


def now() -> datetime:
    return datetime.now(UTC)


def newest(node: Anvil) -> tuple[Block, dict[str, Receipt]]:
    block = msgspec.convert(node.rpc("eth_getBlockByNumber", "latest", True), Block)
    receipts = msgspec.convert(node.rpc("eth_getBlockReceipts", block.hash), list[Receipt])
    return block, {each.transaction_hash: each for each in receipts}


def fill(node: Anvil, count: int) -> None:
    """Mine a block of coins, tokens and failures, of legacy and newer transactions."""
    token, calls = (node.deploy(contracts.bytecode(name)) for name in ("odd_token", "odd_calls"))
    pay = contracts.calldata("pay_each(address,uint256[])", OURS, [1] * 5)
    fail = contracts.calldata("send_then_revert(address)", OURS)
    kinds: list[dict[str, Any]] = [
        {"to": OURS, "value": "0x5"},
        {"to": token, "data": pay},
        {"to": calls, "data": fail, "value": "0x1", "gas": "0x30000"},
        {"to": token, "data": pay, "type": "0x0", "gasPrice": "0x77359400"},
    ]
    for number in range(count):
        node.rpc("eth_sendTransaction", {"from": node.accounts[number % 4], **kinds[number % 4]})
    node.mine()


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 130], ids="{}-transactions".format)
def test_h43_the_root_of_honest_receipts_is_that_of_the_header(node: Anvil, count: int) -> None:
    fill(node, count)
    block, receipts = newest(node)

    assert block.receipts_root == evm_proof.receipts_root(list(receipts.values()))
    assert count == len(receipts)


def altered(receipt: Receipt, **fields: Any) -> Receipt:
    return msgspec.structs.replace(receipt, **fields)


def without_log(receipt: Receipt) -> Receipt:
    return altered(receipt, logs=receipt.logs[:-1])


def another_amount(receipt: Receipt) -> Receipt:
    log = msgspec.structs.replace(receipt.logs[0], data=f"0x{9:064x}")
    return altered(receipt, logs=[log, *receipt.logs[1:]])


def one_log_more(receipt: Receipt) -> Receipt:
    log = msgspec.structs.replace(receipt.logs[0], log_index=hex(len(receipt.logs)))
    return altered(receipt, logs=[*receipt.logs, log])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(without_log, id="h43-the-last-of-equal-logs-left-out"),
        pytest.param(one_log_more, id="h56-a-log-invented"),
        pytest.param(another_amount, id="h61-an-amount-changed"),
        pytest.param(lambda receipt: altered(receipt, status="0x0"), id="h49-a-success-denied"),
    ],
)
def test_h43_h49_h56_h61_receipts_that_were_touched_are_refused(
    node: Anvil, change: Callable[[Receipt], Receipt]
) -> None:
    fill(node, 4)
    block, receipts = newest(node)
    txid = next(txid for txid, each in receipts.items() if each.logs)

    with pytest.raises(NodeUnavailable, match="not those that its header commits to"):
        evm_proof.check(block, receipts | {txid: change(receipts[txid])})


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"type": "0x7e"}, id="a-rollup's-deposit"),
        pytest.param({"status": None}, id="a-root-in-place-of-a-status"),
        pytest.param({"cumulative_gas_used": ""}, id="without-the-gas"),
        pytest.param({"logs_bloom": "0x"}, id="without-a-bloom-filter"),
    ],
)
def test_a_block_with_receipts_of_an_unknown_kind_proves_nothing(node: Anvil, fields: dict[str, Any]) -> None:
    fill(node, 4)
    block, receipts = newest(node)
    first = next(txid for txid, each in receipts.items() if each.logs)
    less = without_log(receipts[first])

    with pytest.raises(NodeUnavailable):
        evm_proof.check(block, receipts | {first: less})
    assert evm_proof.check(block, receipts | {first: altered(less, **fields)}) is None


def config(url: str, token: str, **keys: Any) -> Config:
    assets = [{"symbol": "ODD", "contract": token, "decimals": 6}]
    chain = {"chain_id": 31337, "native": "ETH", "confirmations": 1, "assets": assets}
    return Config.model_validate({"rpc": [url], **chain, **keys})


async def read(node: Anvil, proxy: FaultProxy, fault: Fault, **keys: Any) -> list[int]:
    """Return the amounts of a block with two equal logs at its end, read under a fault."""
    token = node.deploy(contracts.bytecode("odd_token"))
    adapter = Adapter("dev", config(proxy.url, token, **keys), now)
    await adapter.open()
    node.send(token, data=contracts.calldata("pay_each(address,uint256[])", OURS, [2, 3]))
    node.mine()
    proxy.break_(fault)
    try:
        return [each.amount for each in (await adapter.read(node.height, node.height, WATCHED)).transfers]
    finally:
        proxy.heal()
        await adapter.close()


def of(resource: str, change: Callable[[Any], None]) -> Fault:
    def alter(_: Any, result: Any) -> Any:
        changed = copy.deepcopy(result)
        change(changed)
        return changed

    return Fault(resource, alter=alter)


LAST_LOG_DROPPED = of("eth_getBlockReceipts", lambda receipts: receipts[-1]["logs"].pop())
EMPTIED = of("eth_getBlockByNumber whole", lambda block: block["transactions"].clear())


async def test_h43_the_last_of_two_equal_logs_cannot_be_left_out(node: Anvil, proxy: FaultProxy) -> None:
    with pytest.raises(NodeUnavailable, match="not those that its header commits to"):
        await read(node, proxy, LAST_LOG_DROPPED)


async def test_a_root_that_is_something_else_is_not_asked_where_the_configuration_says_so(
    node: Anvil, proxy: FaultProxy
) -> None:
    assert [2] == await read(node, proxy, LAST_LOG_DROPPED, receipts_root=False)


async def test_h43_a_block_that_came_without_its_transactions_is_not_an_empty_one(
    node: Anvil, proxy: FaultProxy
) -> None:
    with pytest.raises(NodeUnavailable, match="left out the transactions of block"):
        await read(node, proxy, EMPTIED, traces="off")


async def test_h43_a_block_that_came_without_one_transaction_is_held_against_its_receipts(
    node: Anvil, proxy: FaultProxy
) -> None:
    short = of("eth_getBlockByNumber whole", lambda block: block["transactions"].pop())
    token = node.deploy(contracts.bytecode("odd_token"))
    adapter = Adapter("dev", config(proxy.url, token, traces="off"), now)
    await adapter.open()
    node.send("0x" + "99" * 20, 1, sender=node.accounts[1])
    node.send(token, data=contracts.calldata("pay_each(address,uint256[])", OURS, [2]))
    node.mine()
    proxy.break_(short)

    with pytest.raises(NodeUnavailable, match="not those that its header commits to"):
        await adapter.read(node.height, node.height, WATCHED)
    await adapter.close()


async def test_h56_a_log_in_the_receipt_of_a_block_without_our_tokens_is_passed_over(
    node: Anvil, proxy: FaultProxy
) -> None:
    token = node.deploy(contracts.bytecode("odd_token"))
    adapter = Adapter("dev", config(proxy.url, token), now)
    await adapter.open()
    node.send(OURS, 5)
    node.mine()
    parties = ["0x" + "0" * 64, "0x" + "0" * 24 + OURS[2:]]
    topics = ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", *parties]
    log = {"address": token, "topics": topics, "data": f"0x{777:064x}", "logIndex": "0x0"}
    proxy.break_(of("eth_getTransactionReceipt", lambda receipt: receipt["logs"].append(log)))
    found = (await adapter.read(node.height, node.height, WATCHED)).transfers
    await adapter.close()

    assert [("ETH", 5)] == [(each.asset, each.amount) for each in found]


async def test_h47_h75_decimals_that_are_null_are_unknown_and_end_nothing(
    node: Anvil, proxy: FaultProxy
) -> None:
    token = node.deploy(contracts.bytecode("odd_token"))
    adapter = Adapter("dev", config(proxy.url, token), now)
    proxy.break_(Fault("eth_call 0x313ce567", alter=lambda _, __: None))

    with pytest.raises(NodeUnavailable):
        await adapter.open()
    await adapter.close()


def refusing(code: int) -> Fault:
    def alter(*_: Any) -> Any:
        raise Failed(code, "header not found")

    return Fault("eth_getBalance", alter=alter)


@pytest.mark.parametrize("code", [-32000, -28], ids=["P1", "P8"])
async def test_h42_an_error_is_no_proof_that_a_node_gives_no_balances(
    node: Anvil, proxy: FaultProxy, code: int
) -> None:
    proxy.lacks = frozenset({"debug_traceBlockByHash", "trace_block"})
    adapter = Adapter("dev", config(proxy.url, node.deploy(contracts.bytecode("odd_token"))), now)
    proxy.break_(refusing(code))

    with pytest.raises(NodeUnavailable, match="header not found"):
        await adapter.open()
    proxy.heal()
    await adapter.open()
    await adapter.close()
    assert "balance" == adapter.contract_transfers


async def test_h43_a_balance_without_bytes_is_none_only_where_there_is_no_contract(
    node: Anvil, proxy: FaultProxy
) -> None:
    token = node.deploy(contracts.bytecode("odd_token"))
    doubted = [{"symbol": "ODD", "contract": token, "decimals": 6, "verify_balance": True}]
    adapter = Adapter("dev", config(proxy.url, token, assets=doubted), now)
    await adapter.open()
    node.send(token, data=contracts.calldata("pay(address,uint256,uint256)", OURS, 100, 90))
    node.mine()
    proxy.break_(Fault("eth_call 0x70a08231", alter=lambda _, __: "0x"))
    with pytest.raises(NodeUnavailable, match="gave no balance of a token"):
        await adapter.read(node.height, node.height, WATCHED)
    proxy.heal()
    found = (await adapter.read(node.height, node.height, WATCHED)).transfers
    await adapter.close()

    assert [90] == [each.amount for each in found]


async def test_h74_a_call_left_out_of_a_parity_trace_is_noticed(node: Anvil, proxy: FaultProxy) -> None:
    proxy.lacks = frozenset({"debug_traceBlockByHash"})
    calls = node.deploy(contracts.bytecode("odd_calls"))
    adapter = Adapter("dev", config(proxy.url, node.deploy(contracts.bytecode("odd_token"))), now)
    await adapter.open()
    node.send(calls, 7, contracts.calldata("forward(address)", OURS))
    node.mine()
    proxy.break_(of("trace_block", lambda entries: entries.pop()))
    with pytest.raises(NodeUnavailable, match="left out a call of a trace"):
        await adapter.read(node.height, node.height, WATCHED)
    proxy.heal()
    found = (await adapter.read(node.height, node.height, WATCHED)).transfers
    await adapter.close()

    assert [("call:0", 7)] == [(each.slot, each.amount) for each in found]
