"""How blocks are fetched when a node has lost them, hides them or answers nonsense; the node is a stub."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from chains.base import ChainError, ChainMoved, NodeUnavailable, Watched
from chains.bitcoin_calls import base_units, fee_rate
from chains.bitcoin_coins import COINS, decimal
from chains.bitcoin_mempool import MempoolReader
from chains.bitcoin_reader import BlockReader
from chains.bitcoin_wire import double_sha256, outpoint
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.rpc import Node

BITCOIN = COINS["bitcoin"].dialect
GENESIS = bytes.fromhex(
    "01000000"
    + "00" * 32
    + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d"
    "1dac2b7c0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d"
    "0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f"
    "6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b710"
    "5cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac000000"
    "00"
)
"""Bitcoin's block 0, from chainparams.cpp of Bitcoin Core."""
HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

START = datetime(2026, 1, 1, tzinfo=UTC)


class StubNode:
    """Answers what it is told to; an exception is raised."""

    url = "http://stub"

    def __init__(self, *, rest: Any = None, **answers: Any) -> None:
        self.rest = rest
        self.answers = answers
        self.asked: list[str] = []

    async def get(self, path: str) -> bytes | None:
        self.asked.append(path)
        if path.startswith("/rest/chaininfo"):
            return b"{}" if self.rest is not None else None
        return cast("bytes | None", answer(self.rest))

    async def call(self, method: str, params: Sequence[Any] = (), *, of: Any = Any) -> Any:
        del params
        self.asked.append(method)
        found = answer(self.answers[method])
        text = found if isinstance(found, bytes) else msgspec.json.encode(found)
        return msgspec.json.decode(text, type=of)

    async def calls(
        self, requests: Sequence[tuple[str, Sequence[Any]]], *, of: Any = Any, keep_errors: bool = False
    ) -> list[Any]:
        found: list[Any] = []
        for method, params in requests:
            try:
                found.append(await self.call(method, params, of=of))
            except RpcError as error:
                if not keep_errors:
                    raise
                found.append(error)
        return found


def answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return next(value) if isinstance(value, Iterator) else value


async def read(node: StubNode, blocks: int = 1) -> tuple[BlockReader, list[Any]]:
    reader = BlockReader(BITCOIN, rest=True)
    stub = cast("Node", node)
    await reader.probe(stub)
    return reader, await reader.read(stub, 5, 4 + blocks, set(), set())


@pytest.mark.parametrize(
    ("rest", "still_used"),
    [
        pytest.param(GENESIS, True, id="whole"),
        pytest.param(NodeUnavailable("HTTP 503"), False, id="refused"),
        pytest.param(GENESIS[:-1], False, id="truncated"),
        pytest.param(b"<html>", False, id="HTML"),
        pytest.param(GENESIS[:76] + b"\x00" + GENESIS[77:], False, id="another block"),
    ],
)
async def test_rest_is_used_until_it_fails(rest: Any, *, still_used: bool) -> None:
    node = StubNode(rest=rest, getblockhash=HASH, getblock=GENESIS.hex())

    reader, blocks = await read(node)

    assert [HASH] == [each.hash for each in blocks]
    assert still_used == reader.by_rest(cast("Node", node)) == ("getblock" not in node.asked)


async def test_without_rest_it_is_not_asked_for_blocks() -> None:
    node = StubNode(getblockhash=HASH, getblock=GENESIS.hex())

    await read(node)

    assert ["/rest/chaininfo.json", "getblockhash", "getblock"] == node.asked


@pytest.mark.parametrize(
    ("block", "expected", "message"),
    [
        pytest.param(
            RpcError("getblock", -1, "Block not available (pruned data)"),
            NodeUnavailable,
            "block 5 is pruned",
            id="h35 pruned",
        ),
        pytest.param(
            RpcError("getblock", -1, "Block not found on disk"), NodeUnavailable, "on disk", id="h35 missing"
        ),
        pytest.param(
            RpcError("getblock", -28, "Loading block index..."),
            NodeUnavailable,
            "Loading",
            id="h34 warming up",
        ),
        pytest.param(RpcError("getblock", -5, "Block not found"), ChainMoved, "lost block", id="h6 lost"),
        pytest.param(
            GENESIS.hex()[:-2], NodeUnavailable, "block 5 cannot be read: .*truncated|end", id="cut"
        ),
        pytest.param("zz", NodeUnavailable, "not hex", id="not hex"),
        pytest.param(
            (GENESIS[:76] + b"\x00" + GENESIS[77:]).hex(), NodeUnavailable, "asked for block", id="another"
        ),
    ],
)
async def test_a_block_that_cannot_be_had_is_an_error_and_never_skipped(
    block: Any, expected: type[ChainError], message: str
) -> None:
    info = {"blocks": 9, "headers": 9, "bestblockhash": HASH, "pruned": True, "pruneheight": 6}
    with pytest.raises(expected, match=message):
        await read(StubNode(getblockhash=HASH, getblock=block, getblockchaininfo=info))


async def test_h6_blocks_that_do_not_follow_each_other_are_refused() -> None:
    with pytest.raises(ChainMoved, match="block 6 does not follow block 5"):
        await read(StubNode(getblockhash=HASH, getblock=GENESIS.hex()), blocks=2)


async def test_a_mempool_that_is_still_loading_is_unknown_and_not_empty() -> None:
    node = StubNode(getmempoolinfo={"loaded": False})

    with pytest.raises(NodeUnavailable, match="still loading"):
        await MempoolReader(BITCOIN, lambda: START).read(cast("Node", node), Watched())


async def test_an_unconfirmed_transaction_that_slips_away_is_asked_for_again() -> None:
    spent = f"{'0a' * 32}:0"
    raw = b"\x02\x00\x00\x00\x01" + outpoint(spent) + b"\x00" + b"\xff" * 4 + b"\x00" + b"\x00" * 4
    txid = double_sha256(raw)[::-1].hex()
    gone = RpcError("getrawtransaction", -5, "No such mempool transaction")
    node = StubNode(getmempoolinfo={}, getrawmempool=iter([[txid], []]), getrawtransaction=gone)
    reader, watched = MempoolReader(BITCOIN, lambda: START), Watched(outpoints={spent})

    first = await reader.read(cast("Node", node), watched)
    node.answers |= {"getrawmempool": [txid], "getrawtransaction": raw.hex()}
    second = await reader.read(cast("Node", node), watched)
    node.answers["getrawtransaction"] = NodeUnavailable("not asked again")
    third = await reader.read(cast("Node", node), watched)

    assert [([], {}), ([], {spent: txid}), ([], {spent: txid})] == [first, second, third]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        pytest.param({"getrawmempool": []}, "lists 0 of 1 unconfirmed", id="an-empty-list"),
        pytest.param({"getrawmempool": ["11" * 32]}, "lists transactions that it does not give", id="P1"),
    ],
)
async def test_h7_h34_a_mempool_that_contradicts_itself_is_unknown_and_not_empty(
    answers: dict[str, Any], message: str
) -> None:
    gone = RpcError("getrawtransaction", -5, "No such mempool transaction")
    node = StubNode(getmempoolinfo={"size": 1}, getrawtransaction=gone, **answers)

    with pytest.raises(NodeUnavailable, match=message):
        await MempoolReader(BITCOIN, lambda: START).read(cast("Node", node), Watched())


async def test_the_mempool_is_read_in_full_after_a_failure_and_after_a_while() -> None:
    clock = [0.0]
    raw = b"\x02\x00\x00\x00\x01" + b"\x01" * 36 + b"\x00" + b"\xff" * 4 + b"\x00" + b"\x00" * 4
    txid = double_sha256(raw)[::-1].hex()
    node = StubNode(getmempoolinfo={}, getrawmempool=[txid], getrawtransaction=raw.hex())
    reader = MempoolReader(BITCOIN, lambda: START, lambda: clock[0])
    fetched = []
    for step in ("start", "difference", "failure", "half an hour", "another node"):
        if step == "failure":
            reader.forget()
        if step == "half an hour":
            clock[0] = 1801.0
        if step == "another node":
            node = StubNode(**node.answers)
        node.asked.clear()
        await reader.read(cast("Node", node), Watched())
        fetched.append((step, "getrawtransaction" in node.asked))

    expected = [("start", True), ("difference", False), ("failure", True)]
    assert [*expected, ("half an hour", True), ("another node", True)] == fetched


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        pytest.param(b'{"feerate":0.00012345,"blocks":6}', 12345, id="estimated"),
        pytest.param(b'{"feerate":1e-05,"blocks":6}', 1000, id="exponent"),
        pytest.param(b'{"errors":["Insufficient data or no feerate found"],"blocks":6}', 2000, id="none yet"),
        pytest.param(b'{"feerate":-1,"blocks":6}', 2000, id="none yet, older nodes"),
    ],
)
async def test_the_fee_rate_is_the_estimate_or_else_the_least_that_is_relayed(
    estimate: bytes, expected: int
) -> None:
    node = StubNode(
        estimatesmartfee=estimate,
        getmempoolinfo=b'{"mempoolminfee":0.00002}',
        getnetworkinfo=b'{"relayfee":0.00001}',
    )

    assert expected == await fee_rate(cast("Node", node), 6)


@pytest.mark.parametrize(
    ("coins", "units", "text"),
    [
        ("0.29", 29_000_000, "0.29"),
        ("1.00000000", 100_000_000, "1"),
        ("20", 2_000_000_000, "20"),
        ("0.00000001", 1, "0.00000001"),
        ("20999999.97690000", 2_099_999_997_690_000, "20999999.9769"),
    ],
)
def test_h25_amounts_are_exact(coins: str, units: int, text: str) -> None:
    assert (units, text) == (base_units(Decimal(coins)), decimal(units))
