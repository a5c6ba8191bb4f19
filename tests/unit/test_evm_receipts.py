"""Receipts of a block are believed only when nothing of them is missing."""

from __future__ import annotations

from typing import Any

import pytest

from chains.base import NodeUnavailable
from chains.evm_blocks import Block, Log, Receipt, Tx, bloom_bits
from chains.evm_receipts import of_blocks

CONTRACT = "0x" + "44" * 20
HASH = "0x" + "bb" * 32


class StubNode:
    """Gives one answer to eth_getBlockReceipts."""

    def __init__(self, receipts: list[Receipt]) -> None:
        self._receipts = receipts

    async def calls(self, requests: Any, **_: Any) -> list[Any]:
        assert [("eth_getBlockReceipts", [HASH])] == requests
        return [self._receipts]


def log(number: int, topic: int) -> Log:
    return Log(CONTRACT, [f"0x{topic:064x}"], "0x", hex(number))


def receipt(txid: str, *logs: Log, told: tuple[Log, ...] | None = None) -> Receipt:
    """Return a receipt whose bloom filter knows of `logs`, and which lists those `told`."""
    bits = 0
    for value in {each for log in logs for each in (log.address, *log.topics)}:
        bits |= bloom_bits(bytes.fromhex(value[2:]))
    listed = list(logs if told is None else told)
    return Receipt(txid, HASH, listed, "0x1", logs_bloom=f"0x{bits:0512x}")


def block(*txids: str) -> Block:
    return Block("0x1", HASH, "0x", "0x0", [Tx(txid, "0x", "0x0") for txid in txids])


A, B, C, D = (log(number, topic) for number, topic in enumerate((7, 8, 9, 10)))

WHOLE = [
    pytest.param([receipt("a")], id="without-logs"),
    pytest.param([receipt("a", A, B), receipt("b"), receipt("c", C, D)], id="numbered-through-the-block"),
    pytest.param([receipt("a", A, B), receipt("b", log(0, 9), log(1, 10))], id="numbered-in-each-receipt"),
    pytest.param([Receipt("a", HASH, [A], "0x1")], id="without-a-bloom-filter"),
    pytest.param(
        [Receipt("a", HASH, [A], "0x1", logs_bloom="0x" + "0" * 512)], id="with-an-unused-bloom-filter"
    ),
]
TORN = [
    pytest.param([receipt("a", A, B, told=(B,)), receipt("b", C)], id="first"),
    pytest.param([receipt("a", A, B, told=(A,)), receipt("b", C)], id="last-of-a-receipt"),
    pytest.param([receipt("a", A, B, C, told=(A, C))], id="middle"),
    pytest.param([receipt("a", A), receipt("b", B, C, told=(B,))], id="last-of-the-block"),
    pytest.param([receipt("a", A), receipt("b", B, told=())], id="only-one-of-the-last-receipt"),
    pytest.param([receipt("a", A, B, told=()), receipt("b")], id="all"),
]


@pytest.mark.parametrize("receipts", WHOLE)
async def test_whole_receipts_are_believed(receipts: list[Receipt]) -> None:
    names = [each.transaction_hash for each in receipts]
    found = await of_blocks(StubNode(receipts), [block(*names)])  # type: ignore[arg-type] - only calls() is used

    assert {HASH: dict(zip(names, receipts, strict=True))} == found


@pytest.mark.parametrize("receipts", TORN)
async def test_h43_a_log_left_out_is_noticed(receipts: list[Receipt]) -> None:
    names = [each.transaction_hash for each in receipts]

    with pytest.raises(NodeUnavailable, match="left out a log of block 1"):
        await of_blocks(StubNode(receipts), [block(*names)])  # type: ignore[arg-type] - only calls() is used


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [
        pytest.param("0x1", True, id="success"),
        pytest.param("0x01", True, id="success-padded"),
        pytest.param("0x0", False, id="failure"),
    ],
)
def test_h49_a_receipt_says_whether_its_transaction_succeeded(status: str, succeeded: bool) -> None:  # noqa: FBT001 - a table
    assert succeeded == Receipt("a", HASH, [], status).succeeded


@pytest.mark.parametrize("status", [None, "", "0x", "0x2", "-0x1", "true"])
def test_h49_a_receipt_with_any_other_status_means_unknown(status: str | None) -> None:
    with pytest.raises(NodeUnavailable):
        _ = Receipt("a", HASH, [], status).succeeded


async def test_h47_a_receipt_left_out_is_noticed() -> None:
    with pytest.raises(NodeUnavailable, match="left out the receipt of b"):
        await of_blocks(StubNode([receipt("a")]), [block("a", "b")])  # type: ignore[arg-type] - only calls() is used


async def test_a_transaction_of_the_chain_itself_needs_no_receipt() -> None:
    nobody = "0x" + "0" * 40
    sync = Block("0x1", HASH, "0x", "0x0", [Tx("a", "0x11", "0x0"), Tx("b", nobody, "0x0", nobody)])

    found = await of_blocks(StubNode([receipt("a")]), [sync])  # type: ignore[arg-type] - only calls() is used
    assert ["a"] == list(found[HASH])
