"""Call trees to movements: which frames move value, what a failure undoes, and one slot in both formats."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chains.base import NodeUnavailable
from chains.evm_blocks import Block, Tx
from chains.evm_traces import Frame, ParityTrace, call_traces, from_parity, inner_moves, parity_traces

PAYER, CONTRACT, OTHER, OURS = (f"0x{digit * 40}" for digit in "1234")
SHA256 = "0x" + "0" * 39 + "2"


def frame(
    kind: str = "CALL", to: str | None = OURS, value: str | None = "0x5", **more: Any
) -> dict[str, Any]:
    fields = {"type": kind, "from": CONTRACT, "to": to, "value": value, "gas": "0x1", "input": "0x"}
    return {key: each for key, each in {**fields, **more}.items() if each is not None}


def outermost(*calls: dict[str, Any], **more: Any) -> Frame:
    return msgspec.convert({**frame(to=CONTRACT, **{"from": PAYER}), "calls": list(calls), **more}, Frame)


def found(tree: Frame) -> list[tuple[str, str, int]]:
    return [(move.slot, "0x" + move.to.hex(), move.amount) for move in inner_moves(tree, "ETH")]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param([], [], id="no-inner-call"),
        pytest.param([frame()], [("call:0", OURS, 5)], id="call"),
        pytest.param([frame("CREATE")], [("call:0", OURS, 5)], id="h52-create"),
        pytest.param([frame("CREATE2")], [("call:0", OURS, 5)], id="h52-create2"),
        pytest.param([frame("SELFDESTRUCT")], [("call:0", OURS, 5)], id="h52-selfdestruct"),
        pytest.param([frame("DELEGATECALL")], [], id="h53-delegatecall"),
        pytest.param([frame("CALLCODE")], [], id="callcode"),
        pytest.param([frame("STATICCALL", value=None)], [], id="staticcall"),
        pytest.param([frame(value="0x0")], [], id="no-value"),
        pytest.param([frame(value=None)], [], id="value-left-out"),
        pytest.param([frame(to=None)], [], id="to-nobody"),
        pytest.param([frame(), frame(), frame()], [(f"call:{n}", OURS, 5) for n in range(3)], id="h54-three"),
        pytest.param([frame(error="out of gas")], [], id="failed-itself"),
        pytest.param(
            [frame(to=OTHER, error="execution reverted", calls=[frame(), frame(calls=[frame()])])],
            [],
            id="h50-below-a-failed-parent",
        ),
        pytest.param(
            [frame("DELEGATECALL", to=OTHER, calls=[frame()])],
            [("call:0.0", OURS, 5)],
            id="below-a-delegatecall",
        ),
        pytest.param(
            [frame(to=OTHER, error="x", calls=[frame()]), frame(value="0x7")],
            [("call:1", OURS, 7)],
            id="beside-a-failed-one",
        ),
        pytest.param(
            [frame(to=OTHER, calls=[frame(value="0x1"), frame(value="0x2")]), frame(value="0x3")],
            [("call:0", OTHER, 5), ("call:0.0", OURS, 1), ("call:0.1", OURS, 2), ("call:1", OURS, 3)],
            id="in-the-order-of-execution",
        ),
        pytest.param(
            [frame("STATICCALL", to=SHA256, value=None), frame()],
            [("call:0", OURS, 5)],
            id="precompile-not-counted",
        ),
        pytest.param(
            [frame(to=SHA256), frame()],
            [("call:0", SHA256, 5), ("call:1", OURS, 5)],
            id="precompile-with-value",
        ),
        pytest.param([frame(value=hex(2**255))], [("call:0", OURS, 2**255)], id="h67-large"),
    ],
)
def test_only_what_moves_value_and_stays_is_found(
    calls: list[dict[str, Any]], expected: list[tuple[str, str, int]]
) -> None:
    assert expected == found(outermost(*calls))


def test_a_failed_transaction_moves_nothing() -> None:
    assert [] == found(outermost(frame(), error="execution reverted"))


def test_a_trace_as_deep_as_the_machine_allows_is_folded() -> None:
    tree = innermost = Frame("CALL", PAYER, CONTRACT, "0x0")
    for _ in range(1024):
        innermost.calls = [Frame("CALL", CONTRACT, CONTRACT, "0x0")]
        innermost = innermost.calls[0]
    innermost.calls = [Frame("CALL", CONTRACT, OURS, "0x1")]

    assert [("call:" + ".".join("0" * 1025), OURS, 1)] == found(tree)


def entry(path: list[int], kind: str = "call", txid: str | None = "0xaa", **more: Any) -> dict[str, Any]:
    action = {"callType": "call", "from": CONTRACT, "to": OURS, "value": "0x5"}
    return {
        "type": kind,
        "action": {**action, **more.pop("action", {})},
        "traceAddress": path,
        "transactionHash": txid,
        **more,
    }


def parity(*entries: dict[str, Any]) -> dict[str, Frame]:
    return from_parity(msgspec.convert(list(entries), list[ParityTrace]))


ROOT = entry([], action={"from": PAYER, "to": CONTRACT})


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([entry([0])], [("call:0", OURS, 5)], id="call"),
        pytest.param([entry([0], action={"callType": "delegatecall"})], [], id="h53-delegatecall"),
        pytest.param([entry([0], action={"callType": "staticcall"})], [], id="staticcall"),
        pytest.param([entry([0], action={"callType": "callcode"})], [], id="callcode"),
        pytest.param(
            [entry([0], "create", result={"address": OURS})], [("call:0", OURS, 5)], id="h52-create"
        ),
        pytest.param([entry([0], "create", error="Reverted", result=None)], [], id="failed-create"),
        pytest.param(
            [entry([0], "suicide", action={"address": CONTRACT, "refundAddress": OURS, "balance": "0x9"})],
            [("call:0", OURS, 9)],
            id="h52-suicide",
        ),
        pytest.param(
            [entry([0], action={"to": OTHER}, error="Reverted"), entry([0, 0]), entry([0, 0, 0]), entry([1])],
            [("call:1", OURS, 5)],
            id="h50-below-a-failed-parent",
        ),
        pytest.param([entry([], "reward", None)], [], id="block-reward"),
        pytest.param([entry([1]), entry([0])], [("call:0", OURS, 5), ("call:1", OURS, 5)], id="not-in-order"),
    ],
)
def test_flat_traces_tell_the_same(
    entries: list[dict[str, Any]], expected: list[tuple[str, str, int]]
) -> None:
    assert expected == found(parity(ROOT, *entries)["0xaa"])


def test_flat_traces_of_a_failed_transaction_move_nothing() -> None:
    assert [] == found(parity(entry([], error="Reverted"), entry([0]))["0xaa"])


def test_flat_traces_are_kept_apart_by_transaction() -> None:
    frames = parity(
        ROOT, entry([0]), entry([], txid="0xbb"), entry([0], txid="0xbb", action={"value": "0x7"})
    )

    assert {"0xaa": [("call:0", OURS, 5)], "0xbb": [("call:0", OURS, 7)]} == {
        txid: found(each) for txid, each in frames.items()
    }


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([ROOT, entry([0, 0])], id="parent-missing"),
        pytest.param([ROOT, entry([0], "strange")], id="unknown-type"),
    ],
)
def test_flat_traces_with_a_gap_mean_unknown(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(NodeUnavailable):
        parity(*entries)


class TracingNode:
    """Traces whatever block it is asked for, in either format, and keeps the sizes of the requests."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = {key: block for block in blocks for key in (block.hash, block.number)}
        self.sizes: list[int] = []

    async def calls(self, requests: Any, *, of: Any) -> list[Any]:
        self.sizes.append(len(requests))
        make = self._flat if requests[0][0] == "trace_block" else self._nested
        return [
            msgspec.convert([make(tx) for tx in self._blocks[params[0]].transactions], of)
            for _, params in requests
        ]

    def _flat(self, tx: Tx) -> dict[str, Any]:
        return entry([], txid=tx.hash)

    def _nested(self, tx: Tx) -> dict[str, Any]:
        return {"txHash": tx.hash, "result": frame()}


@pytest.mark.parametrize("ask", [call_traces, parity_traces])
@pytest.mark.parametrize(
    ("transactions", "sizes"),
    [
        pytest.param([], [], id="no-block"),
        pytest.param([1] * 21, [10, 10, 1], id="quiet-blocks"),
        pytest.param([150, 150, 1, 299, 300], [2, 2, 1], id="up-to-300-transactions"),
        pytest.param([1, 1000, 1000, 1], [1, 1, 1, 1], id="a-block-with-more-comes-alone"),
    ],
)
async def test_h125_busy_blocks_are_traced_a_few_at_a_time(
    ask: Any, transactions: list[int], sizes: list[int]
) -> None:
    blocks = [
        Block(
            hex(number),
            f"0x{number:064x}",
            "0x",
            "0x0",
            [Tx(f"0x{number}.{n}", "0x", "0x0") for n in range(count)],
        )
        for number, count in enumerate(transactions)
    ]
    node = TracingNode(blocks)

    frames = await ask(node, blocks)

    assert sizes == node.sizes
    assert [[tx.hash for tx in block.transactions] for block in blocks] == [list(each) for each in frames]
