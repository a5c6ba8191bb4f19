"""Which unconfirmed transactions are sound, whichever way a node says so; and whose word proves one gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from chains.base import NodeMisbehaved, NodeUnavailable
from chains.bitcoin_calls import fee_rate
from chains.bitcoin_coins import COINS
from chains.bitcoin_elsewhere import elsewhere
from chains.bitcoin_risk import Entry, judge
from chains.bitcoin_transaction import parse_transaction
from chains.bitcoin_wire import double_sha256
from chains.rpc import MethodMissing, RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from chains.rpc import Node, Rpc


class StubNode:
    """Answers what it is told to; an error is raised, or stands in its place where they are kept."""

    url = "http://stub"

    def __init__(self, *, verdict: str | None = None, error: Exception | None = None, **answers: Any) -> None:
        self.verdict = verdict
        self.error = error
        self.answers = answers

    async def call(self, method: str, params: Sequence[Any] = (), *, of: Any = Any) -> Any:
        del params
        if isinstance(found := self.answers[method], RpcError):
            raise found
        return msgspec.json.decode(found, type=of)

    async def calls(self, requests: Sequence[Any], *, of: Any, keep_errors: bool) -> list[Any]:
        assert keep_errors
        found = [self.answers[method] for method, _ in requests]
        return [each if isinstance(each, RpcError) else msgspec.json.decode(each, type=of) for each in found]


NEW = '{"time": 1, "vsize": 200, "fees": {"base": 0.00002000}, "depends": []}'
OLD = '{"time": 1, "size": 200, "fee": 0.00002000, "depends": []}'
RATE = 10_000
"""Base units per 1,000 virtual bytes: what both of them pay exactly."""


@pytest.mark.parametrize(
    ("entry", "rate", "replaceable", "expected"),
    [
        pytest.param(NEW, RATE, False, None, id="sound, at the rate exactly"),
        pytest.param(NEW, RATE + 1, False, "low_fee", id="one unit per 1,000 bytes less"),
        pytest.param(OLD, RATE, False, None, id="an old node's answer"),
        pytest.param(OLD, RATE + 5, False, "low_fee", id="an old node's answer, too little"),
        pytest.param(NEW, RATE, True, "replaceable", id="its inputs say so, the node is silent (h17)"),
        pytest.param(
            NEW.replace("}, ", '}, "bip125-replaceable": true, '),
            RATE,
            False,
            "replaceable",
            id="an ancestor",
        ),
        pytest.param(
            NEW.replace("}, ", '}, "bip125-replaceable": false, '), RATE, True, "replaceable", id="h17: a no"
        ),
        pytest.param(NEW.replace("[]", '["ab"]'), RATE, False, "unconfirmed_parent", id="a parent"),
        pytest.param('{"time": 1}', 0, False, "low_fee", id="neither fee nor size"),
        pytest.param('{"time": 1, "vsize": 200}', 0, False, "low_fee", id="no fee"),
        pytest.param(
            '{"time": 1, "vsize": 200, "fees": {"base": 0.1, "modified": 9}}',
            10**8,
            False,
            "low_fee",
            id="base",
        ),
    ],
)
def test_h17_a_transaction_is_sound_only_if_nothing_speaks_against_it(
    entry: str, rate: int, expected: str | None, *, replaceable: bool
) -> None:
    assert expected == judge(msgspec.json.decode(entry, type=Entry), rate, replaceable=replaceable)


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        pytest.param([0xFFFFFFFF], False, id="final"),
        pytest.param([0xFFFFFFFE], False, id="a lock time, not replaceable"),
        pytest.param([0xFFFFFFFD], True, id="the highest that says so"),
        pytest.param([0xFFFFFFFF, 0], True, id="one input of two"),
        pytest.param([0, 0xFFFFFFFF], True, id="the first of two"),
    ],
)
def test_h17_the_inputs_say_whether_they_may_be_replaced(sequences: list[int], *, expected: bool) -> None:
    inputs = b"".join(b"\x01" * 36 + b"\x02\x51\x51" + each.to_bytes(4, "little") for each in sequences)
    raw = b"\x02\x00\x00\x00" + bytes([len(sequences)]) + inputs + b"\x00" + b"\x00" * 4
    txid = double_sha256(raw)[::-1].hex()

    assert expected is parse_transaction(raw, txid, COINS["bitcoin"].dialect, ()).replaceable


@pytest.mark.parametrize(
    "estimate",
    [
        pytest.param(RpcError("estimatesmartfee", -32603, "Fee estimation disabled"), id="disabled"),
        pytest.param(MethodMissing("estimatesmartfee", -32601, "Method not found"), id="unknown"),
        pytest.param(b'{"errors": ["Insufficient data"], "blocks": 2}', id="too little seen"),
        pytest.param(b'{"feerate": -1, "blocks": 2}', id="too little seen by an old node"),
    ],
)
async def test_a_node_that_estimates_no_fee_is_taken_at_what_it_relays(estimate: Any) -> None:
    node = StubNode(
        estimatesmartfee=estimate,
        getmempoolinfo=b'{"mempoolminfee": 0.00002}',
        getnetworkinfo=b'{"relayfee": 0.00001}',
    )

    assert 2000 == await fee_rate(cast("Node", node), 3)


class StubRpc:
    """Endpoints that are asked as `Rpc.ask` does it."""

    def __init__(self, *nodes: StubNode) -> None:
        self.nodes = nodes

    async def ask(self, node: Any, question: Callable[[Any], Awaitable[Any]], within: float) -> Any:
        assert within > 0
        if node.error:
            raise node.error
        return await question(node)


HERE = StubNode()
HAS = StubNode(getmempoolinfo=b"{}", getmempoolentry=b'{"vsize": 1}')
LACKS = StubNode(getmempoolinfo=b"{}", getmempoolentry=RpcError("getmempoolentry", -5, "not in mempool"))
DOWN = StubNode(error=NodeUnavailable("down"))
BEHIND = StubNode(verdict="lagging", getmempoolinfo=b"{}", getmempoolentry=b'{"vsize": 1}')
LOADS = StubNode(getmempoolinfo=b'{"loaded": false}')
FAILS = StubNode(getmempoolinfo=b"{}", getmempoolentry=RpcError("getmempoolentry", -28, "Loading"))


@pytest.mark.parametrize(
    ("others", "may_stand"),
    [
        pytest.param([], False, id="no other"),
        pytest.param([LACKS, LACKS], False, id="all say no"),
        pytest.param([HAS], True, id="the other has it"),
        pytest.param([LACKS, HAS], True, id="one of two has it"),
        pytest.param([LOADS], True, id="h34 still loading"),
        pytest.param([FAILS], True, id="h34 warming up"),
        pytest.param([DOWN], True, id="down: unknown is not absent"),
        pytest.param([DOWN, LACKS], True, id="down, and another says no"),
        pytest.param([StubNode(error=NodeMisbehaved("x"))], False, id="another chain has no say"),
        pytest.param([BEHIND], False, id="one that was set aside has no say"),
    ],
)
async def test_h20_gone_is_what_every_endpoint_says_is_gone(
    others: list[StubNode], *, may_stand: bool
) -> None:
    rpc = cast("Rpc", StubRpc(HERE, *others))

    found = await elsewhere(rpc, cast("Node", HERE), {"aa"})

    assert frozenset({"aa"} if may_stand else ()) == found


async def test_nobody_is_asked_when_nothing_is_missing() -> None:
    rpc = cast("Rpc", StubRpc(HERE, StubNode(error=AssertionError("asked"))))

    assert frozenset() == await elsewhere(rpc, cast("Node", HERE), set())
