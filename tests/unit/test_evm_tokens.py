"""Logs to movements, movements to credits, and the bloom filter that spares the question."""

from __future__ import annotations

from typing import Any

import pytest

from chains.base import NodeUnavailable
from chains.evm_blocks import Log, account, bloom, bloom_bits, quantity
from chains.evm_moves import Credit, Move, net_credits, reduced
from chains.evm_tokens import TRANSFER, bloom_masks, may_hold, moves

TOKEN = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
PAYER, OURS, OTHER = (digit * 20 for digit in (b"\x11", b"\x22", b"\x33"))


def topic(party: bytes) -> str:
    return "0x" + "0" * 24 + party.hex()


def log(**changes: Any) -> Log:
    fields: dict[str, Any] = {
        "address": TOKEN.lower(),
        "topics": [TRANSFER, topic(PAYER), topic(OURS)],
        "data": f"0x{5:064x}",
        "log_index": "0x0",
    }
    return Log(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "amounts"),
    [
        pytest.param({}, [5], id="plain"),
        pytest.param({"address": TOKEN}, [5], id="h76-checksummed-contract"),
        pytest.param({"address": "0x" + "99" * 20}, [], id="h59-another-contract"),
        pytest.param({"data": f"0x{0:064x}"}, [], id="h65-zero"),
        pytest.param({"data": f"0x{2**256 - 1:064x}"}, [2**256 - 1], id="h67-largest"),
        pytest.param(
            {"topics": [TRANSFER, topic(PAYER), topic(OURS), topic(OURS)], "data": "0x"}, [], id="h63-erc721"
        ),
        pytest.param({"topics": [TRANSFER], "data": "0x" + "0" * 192}, [], id="h64-unindexed"),
        pytest.param({"topics": []}, [], id="anonymous"),
        pytest.param({"topics": ["0x" + "ab" * 32, topic(PAYER), topic(OURS)]}, [], id="another-event"),
        pytest.param({"data": "0x"}, [], id="no-data"),
        pytest.param({"data": f"0x{5:0128x}"}, [], id="more-data"),
    ],
)
def test_only_a_whole_transfer_of_an_allowed_contract_counts(
    changes: dict[str, Any], amounts: list[int]
) -> None:
    found = list(moves([log(**changes)], {TOKEN.lower(): "USDT"}))

    assert [Move("USDT", "log:0", PAYER, OURS, amount) for amount in amounts] == found


def test_h4_the_slot_is_the_place_within_the_receipt() -> None:
    logs = [log(log_index="0x2a", address="0x" + "99" * 20), log(log_index="0x2b"), log(log_index="0x2c")]

    assert ["log:1", "log:2"] == [move.slot for move in moves(logs, {TOKEN.lower(): "USDT"})]


def move(sender: bytes, to: bytes, amount: int, slot: str = "log:0", asset: str = "T") -> Move:
    return Move(asset, slot, sender, to, amount)


@pytest.mark.parametrize(
    ("moved", "credited"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([move(PAYER, OURS, 5)], [("log:0", 5)], id="in"),
        pytest.param([move(OURS, PAYER, 5)], [], id="out"),
        pytest.param([move(OURS, OURS, 5)], [], id="to-itself"),
        pytest.param([move(PAYER, OURS, 5), move(OURS, PAYER, 5, "log:1")], [], id="h66-boomerang"),
        pytest.param([move(PAYER, OURS, 5), move(OURS, OTHER, 2, "log:1")], [("log:0", 3)], id="h66-a-part"),
        pytest.param(
            [move(OURS, OTHER, 2), move(PAYER, OURS, 5, "log:1")], [("log:1", 3)], id="h66-out-first"
        ),
        pytest.param([move(PAYER, OURS, 5), move(OURS, OTHER, 9, "log:1")], [], id="more-out-than-in"),
        pytest.param(
            [move(PAYER, OURS, 5), move(PAYER, OURS, 4, "log:1"), move(OURS, OTHER, 6, "log:2")],
            [("log:0", 3)],
            id="taken-off-from-the-last",
        ),
        pytest.param(
            [move(PAYER, OURS, 5), move(OURS, OTHER, 5, "value", "COIN")], [("log:0", 5)], id="another-asset"
        ),
    ],
)
def test_h66_credits_are_net_within_a_transaction(moved: list[Move], credited: list[tuple[str, int]]) -> None:
    expected = [Credit("T", slot, OURS, amount) for slot, amount in credited]

    assert expected == net_credits(moved, {OURS})


def test_h66_from_one_watched_account_to_another_is_a_credit() -> None:
    assert [Credit("T", "log:0", OTHER, 5)] == net_credits([move(OURS, OTHER, 5)], {OURS, OTHER})


@pytest.mark.parametrize(
    ("amounts", "excess", "left"),
    [
        pytest.param([3, 4], 0, [3, 4], id="none"),
        pytest.param([3, 4], 4, [3, 0], id="the-last"),
        pytest.param([3, 4], 5, [2, 0], id="beyond-the-last"),
        pytest.param([3, 4], 99, [0, 0], id="more-than-all"),
        pytest.param([], 5, [], id="of-nothing"),
    ],
)
def test_amounts_are_reduced_from_the_last_backwards(
    amounts: list[int], excess: int, left: list[int]
) -> None:
    assert left == reduced(amounts, excess)


def test_a_bloom_filter_tells_of_a_contract_only_together_with_its_transfer() -> None:
    values = [bytes.fromhex(TOKEN[2:]), bytes.fromhex(TRANSFER[2:]), bytes(12) + PAYER, bytes(12) + OURS]
    whole = 0
    for value in values:
        whole |= bloom_bits(value)

    assert may_hold(whole, bloom_masks([values[0]]))
    assert not may_hold(whole, bloom_masks([b"\x99" * 20]))
    assert not may_hold(bloom_bits(values[0]), bloom_masks([values[0]]))
    assert not may_hold(whole, ())


@pytest.mark.parametrize("text", ["", "0x", "0x00", "0x" + "0" * 511])
def test_what_is_no_bloom_filter_excludes_nothing(text: str) -> None:
    assert may_hold(bloom(text), bloom_masks([b"\x99" * 20]))


def test_an_empty_bloom_filter_excludes_everything() -> None:
    assert not may_hold(bloom("0x" + "0" * 512), bloom_masks([b"\x99" * 20]))


@pytest.mark.parametrize("text", ["", "0x", "pending", "0xzz"])
def test_a_number_that_is_none_means_unknown(text: str) -> None:
    with pytest.raises(NodeUnavailable):
        quantity(text)


def test_an_account_that_is_none_means_unknown() -> None:
    with pytest.raises(NodeUnavailable):
        account("0xnobody")
