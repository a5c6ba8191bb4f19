"""A credit that another node tells of under another name is the one that is recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chains.base import BlockRef, Transfer
from watcher.deposits_renamed import unrepeated

BLOCK = BlockRef(7, "0xb7", "0xb6", datetime(2026, 1, 1, tzinfo=UTC))


def transfer(slot: str, amount: int = 3, block: BlockRef | None = BLOCK, address: str = "0xa") -> Transfer:
    return Transfer("ETH", "0x1", slot, address, amount, block)


def known(*recorded: Transfer) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (each.txid, each.slot): {
            "txid": each.txid,
            "block_hash": each.block.hash if each.block else None,
            "address": each.address,
            "asset": each.asset,
            "amount": each.amount,
        }
        for each in recorded
    }


def slots(count: int, family: str) -> list[Transfer]:
    return [transfer(f"{family}:{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("recorded", "told", "expected"),
    [
        pytest.param([], slots(2, "log"), ["log:0", "log:1"], id="nothing-recorded"),
        pytest.param(slots(3, "call"), slots(3, "log"), [], id="h56-all-under-another-name"),
        pytest.param(slots(3, "call"), slots(3, "call"), ["call:0", "call:1", "call:2"], id="the-same-names"),
        pytest.param(slots(1, "call"), slots(3, "log"), ["log:1", "log:2"], id="each-stands-for-one"),
        pytest.param([transfer("call:0", 4)], [transfer("log:0", 3)], ["log:0"], id="another-amount"),
        pytest.param(
            [transfer("call:0", address="0xc")], [transfer("log:0")], ["log:0"], id="another-address"
        ),
        pytest.param([transfer("call:0", block=None)], [transfer("log:0")], ["log:0"], id="not-in-a-block"),
        pytest.param([transfer("vout:0")], [transfer("vout:1", block=None)], ["vout:1"], id="unconfirmed"),
        pytest.param(
            [transfer("value")], [transfer("value"), transfer("log:1")], ["value", "log:1"], id="told-too"
        ),
    ],
)
def test_h56_a_credit_under_another_name_is_passed_over(
    recorded: list[Transfer], told: list[Transfer], expected: list[str]
) -> None:
    assert expected == [each.slot for each in unrepeated(told, known(*recorded))]
