"""The EVM adapter behind a proxy that spoils anvil's answers: each is noticed, and nothing is passed over."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import vyper_contracts as contracts
from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable, Watched
from chains.evm import Adapter, Config
from fault_proxy import Failed, Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from chains.base import Reading
    from watcher.sandbox.anvil import Anvil

    Spoil = Callable[[str, Any], Any]

OURS = "0x" + "ab" * 20
WATCHED = Watched({bytes.fromhex(OURS[2:])})


def of(name: str, change: Callable[[Any], Any]) -> Spoil:
    """Spoil the answers of one method."""
    return lambda method, result: change(result) if method == name and result is not None else result


def lacking(*names: str) -> Spoil:
    def spoil(method: str, result: Any) -> Any:
        if method in names:
            raise Failed(-32601, "the method does not exist")
        return result

    return spoil


def failing(name: str, message: str) -> Spoil:
    def spoil(method: str, result: Any) -> Any:
        if method == name:
            raise Failed(-32000, message)
        return result

    return spoil


class Scene:
    """One block with a coin, a token transaction of three logs, another of one, and a forwarded coin."""

    def __init__(self, node: Anvil, proxy: FaultProxy) -> None:
        self.node = node
        self.proxy = proxy
        self.token = node.deploy(contracts.bytecode("odd_token"))
        self.calls = node.deploy(contracts.bytecode("odd_calls"))
        self.height = node.height + 1
        node.send(OURS, 1)
        node.send(self.token, data=contracts.calldata("pay_each(address,uint256[])", OURS, [2, 3, 4]))
        node.send(self.token, data=contracts.calldata("pay(address,uint256,uint256)", OURS, 11, 0))
        node.send(self.calls, 7, contracts.calldata("forward(address)", OURS))
        node.mine()
        self.adapter = Adapter("dev", self.config(), lambda: datetime.now(UTC))

    def config(self, **keys: Any) -> Config:
        assets = [{"symbol": "ODD", "contract": self.token, "decimals": 6}]
        defaults = {"chain_id": 31337, "native": "ETH", "confirmations": 1, "assets": assets}
        return Config.model_validate({"rpc": [self.proxy.url], **defaults, **keys})

    def spoil(self, change: Spoil) -> None:
        """Let `change` get each method and its result, and return what to answer instead."""
        self.proxy.break_(Fault(alter=lambda call, result: change(call.method, copy.deepcopy(result))))

    async def read(self) -> Reading:
        return await self.adapter.read(self.height - 1, self.height, WATCHED)

    async def amounts(self) -> list[int]:
        return sorted(each.amount for each in (await self.read()).transfers)


@pytest.fixture
async def scene(anvil: Anvil) -> AsyncIterator[Scene]:
    proxy = await FaultProxy(anvil.url).start()
    scene = Scene(anvil, proxy)
    await scene.adapter.open()
    yield scene
    await scene.adapter.close()
    await proxy.stop()


def without_log(receipt: int, place: int) -> Callable[[Any], Any]:
    """Drop one of the logs of one of the block's receipts; those of the token are 1 and 2."""

    def change(receipts: Any) -> Any:
        if len(receipts) > receipt:
            del receipts[receipt]["logs"][place]
        return receipts

    return change


def last(**fields: Any) -> Callable[[Any], Any]:
    def change(entries: Any) -> Any:
        if entries:
            entries[-1].update(fields)
        return entries

    return change


def each(**fields: Any) -> Callable[[Any], Any]:
    return lambda entries: [{**entry, **fields} for entry in entries]


def removed(receipts: Any) -> Any:
    for receipt in receipts:
        for log in receipt["logs"]:
            log["removed"] = True
    return receipts


def of_another_block(receipts: Any) -> Any:
    for receipt in receipts:
        receipt["blockHash"] = "0x" + "11" * 32
    return receipts


def emptied(block: Any) -> Any:
    return {**block, "parentHash": "0x" + "22" * 32}


SPOILED = [
    pytest.param(of("eth_getBlockByNumber", lambda _: None), NodeUnavailable, id="h42-no-block"),
    pytest.param(of("eth_getBlockByNumber", emptied), ChainMoved, id="h6-parents-of-two-forks"),
    pytest.param(
        of("eth_getBlockByNumber", lambda b: {**b, "number": "0x63"}), NodeMisbehaved, id="another-block"
    ),
    pytest.param(of("eth_getBlockReceipts", lambda _: None), NodeUnavailable, id="h47-null-receipts"),
    pytest.param(of("eth_getBlockReceipts", lambda _: []), NodeUnavailable, id="h43-no-receipts"),
    pytest.param(of("eth_getBlockReceipts", lambda r: r[:-1]), NodeUnavailable, id="h47-one-receipt-less"),
    pytest.param(of("eth_getBlockReceipts", without_log(1, 0)), NodeUnavailable, id="h43-first-log-dropped"),
    pytest.param(of("eth_getBlockReceipts", without_log(1, 2)), NodeUnavailable, id="h43-middle-log-dropped"),
    pytest.param(of("eth_getBlockReceipts", without_log(2, 0)), NodeUnavailable, id="h43-last-log-dropped"),
    pytest.param(of("eth_getBlockReceipts", removed), ChainMoved, id="log-removed"),
    pytest.param(of("eth_getBlockReceipts", of_another_block), ChainMoved, id="h6-receipts-of-another-fork"),
    pytest.param(of("eth_getBlockReceipts", each(status=None)), NodeUnavailable, id="h49-null-status"),
    pytest.param(of("eth_getBlockReceipts", each(status="0x")), NodeUnavailable, id="h49-empty-status"),
    pytest.param(failing("eth_getBlockReceipts", "query limit"), NodeUnavailable, id="h46-limit"),
    pytest.param(of("debug_traceBlockByHash", lambda _: None), NodeUnavailable, id="h74-null-traces"),
    pytest.param(of("debug_traceBlockByHash", lambda _: []), NodeUnavailable, id="h74-no-traces"),
    pytest.param(of("debug_traceBlockByHash", lambda t: t[:-1]), NodeUnavailable, id="h74-one-trace-less"),
    pytest.param(of("debug_traceBlockByHash", last(txHash="0x11")), NodeUnavailable, id="trace-of-another"),
    pytest.param(
        of("debug_traceBlockByHash", last(result=None, error="timeout")), NodeUnavailable, id="h74-one-failed"
    ),
    pytest.param(failing("debug_traceBlockByHash", "Resource not found"), NodeUnavailable, id="h74-pruned"),
    pytest.param(lacking("debug_traceBlockByHash"), NodeUnavailable, id="h74-traces-taken-away"),
]


@pytest.mark.parametrize(("spoil", "error"), SPOILED)
async def test_a_spoiled_answer_stops_the_read_and_an_honest_one_goes_on(
    scene: Scene, spoil: Spoil, error: type[Exception]
) -> None:
    scene.spoil(spoil)
    with pytest.raises(error):
        await scene.read()
    scene.proxy.heal()

    assert [1, 2, 3, 4, 7, 11] == await scene.amounts()


async def test_h47_a_null_receipt_of_a_coin_payment_stops_the_read(scene: Scene) -> None:
    adapter = Adapter("dev", scene.config(assets=[]), lambda: datetime.now(UTC))
    scene.spoil(of("eth_getTransactionReceipt", lambda _: None))
    with pytest.raises(NodeUnavailable, match="no receipt of the mined transaction"):
        await adapter.read(scene.height, scene.height, WATCHED)
    scene.proxy.heal()
    reading = await adapter.read(scene.height, scene.height, WATCHED)
    await adapter.close()

    assert [1, 7] == [each.amount for each in reading.transfers]


async def test_a_node_without_block_receipts_is_asked_for_each(scene: Scene) -> None:
    expected = await scene.read()
    scene.spoil(lacking("eth_getBlockReceipts"))

    assert expected == await scene.read()
    assert "eth_getTransactionReceipt" in scene.proxy.methods


@pytest.mark.parametrize(
    ("missing", "mode", "amounts"),
    [
        pytest.param((), "traces", [1, 2, 3, 4, 7, 11], id="both"),
        pytest.param(("debug_traceBlockByHash",), "parity", [1, 2, 3, 4, 7, 11], id="parity"),
        pytest.param(("debug_traceBlockByHash", "trace_block"), "balance", [1, 2, 3, 4, 7, 11], id="balance"),
        pytest.param(
            ("debug_traceBlockByHash", "trace_block", "eth_getBalance"), "none", [1, 2, 3, 4, 11], id="none"
        ),
    ],
)
async def test_the_trace_format_is_found_by_asking(
    scene: Scene, missing: tuple[str, ...], mode: str, amounts: list[int]
) -> None:
    scene.spoil(lacking(*missing))
    await scene.adapter.open()

    assert (mode, amounts) == (scene.adapter.contract_transfers, await scene.amounts())


async def test_a_failing_probe_is_no_proof_that_a_node_cannot_trace(scene: Scene) -> None:
    scene.spoil(failing("debug_traceBlockByHash", "busy"))
    with pytest.raises(NodeUnavailable, match='set traces = "off"'):
        await scene.adapter.open()
    scene.proxy.heal()
    await scene.adapter.open()

    assert "traces" == scene.adapter.contract_transfers


async def test_an_endpoint_that_cannot_trace_does_not_stand_in_for_one_that_can(
    scene: Scene, anvil: Anvil
) -> None:
    adapter = Adapter("dev", scene.config(rpc=[anvil.url, scene.config().rpc[0]]), lambda: datetime.now(UTC))
    await adapter.open()
    anvil_node, blind = adapter._rpc.nodes
    scene.spoil(lacking("debug_traceBlockByHash", "trace_block"))
    adapter._rpc._failed(anvil_node, NodeUnavailable("gone"))

    with pytest.raises(NodeUnavailable, match="found by balance here, by traces at another"):
        await adapter.read(scene.height, scene.height, WATCHED)
    await adapter.close()
    assert "down" == [each.state for each in adapter.health()][1] == blind.state


@pytest.mark.parametrize("tag", [None, "0x0"])
async def test_h9_h11_a_missing_tag_is_never_replaced_by_a_lesser_one(scene: Scene, tag: str | None) -> None:
    latest = scene.node.rpc("eth_getBlockByNumber", "latest", False)["number"]

    def spoil(method: str, result: Any) -> Any:
        if method != "eth_getBlockByNumber" or result is None or result["number"] == latest:
            return result
        return None if tag is None else {**result, "number": tag}

    scene.spoil(spoil)
    tip = await scene.adapter.tip()

    assert (scene.height, None, None) == (tip.head.height, tip.safe, tip.finalized)


async def test_h9_an_unsupported_tag_is_none(scene: Scene) -> None:
    latest = scene.node.rpc("eth_getBlockByNumber", "latest", False)["number"]

    def spoil(method: str, result: Any) -> Any:
        if method == "eth_getBlockByNumber" and result["number"] != latest:
            raise Failed(-39001, "Unknown block")
        return result

    scene.spoil(spoil)

    assert (None, None) == ((await scene.adapter.tip()).safe, (await scene.adapter.tip()).finalized)


async def test_h71_a_node_that_serves_another_chain_after_an_outage_is_refused(scene: Scene) -> None:
    scene.spoil(of("eth_getBlockReceipts", lambda _: None))
    with pytest.raises(NodeUnavailable):
        await scene.read()
    scene.spoil(of("eth_chainId", lambda _: "0x1"))

    with pytest.raises(NodeMisbehaved, match="chain id 1, the configuration says 31337"):
        await scene.read()


async def test_h6_a_block_that_leaves_the_chain_during_the_read_is_a_move(scene: Scene) -> None:
    def spoil(method: str, result: Any) -> Any:
        if method == "debug_traceBlockByHash" and result:
            scene.node.rpc("anvil_reorg", 1, [])
            raise Failed(-32001, "Resource not found")
        return result

    scene.spoil(spoil)

    with pytest.raises(ChainMoved, match="left the chain while it was read"):
        await scene.read()


async def test_a_bloom_filter_that_lies_is_not_asked_where_the_configuration_says_so(scene: Scene) -> None:
    scene.spoil(of("eth_getBlockByNumber", lambda block: {**block, "logsBloom": "0x" + "0" * 512}))
    adapter = Adapter("dev", scene.config(logs_bloom=False), lambda: datetime.now(UTC))
    reading = await adapter.read(scene.height, scene.height, WATCHED)
    await adapter.close()

    assert [1, 2, 3, 4, 7, 11] == sorted(each.amount for each in reading.transfers)


async def test_h72_unknown_transaction_types_and_members_are_passed_over(scene: Scene) -> None:
    def strange(block: Any) -> Any:
        for tx in block["transactions"]:
            if isinstance(tx, dict):
                tx.update(type="0x7e", isSystemTx=False, mint={"new": [1]}, chainId=None)
        return {**block, "novelty": 1}

    scene.spoil(of("eth_getBlockByNumber", strange))

    assert [1, 2, 3, 4, 7, 11] == await scene.amounts()


async def test_nothing_is_asked_beyond_the_blocks_while_nothing_is_watched(scene: Scene) -> None:
    scene.proxy.methods.clear()
    reading = await scene.adapter.read(0, scene.height, Watched())

    assert {"eth_getBlockByNumber"} == set(scene.proxy.methods)
    assert scene.height + 1 == len(reading.blocks)


async def test_a_price_that_cannot_be_asked_leaves_the_endpoint_in_use(scene: Scene) -> None:
    scene.spoil(failing("eth_gasPrice", "no price"))

    with pytest.raises(NodeUnavailable, match="no price"):
        await scene.adapter.spending_cost("ETH")

    assert ["up"] == [node.state for node in scene.adapter.health()]
