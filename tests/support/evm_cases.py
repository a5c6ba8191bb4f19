"""Every way in which coin and tokens reach an account, or seem to, with what each mode makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import UNATTRIBUTED
from evm_chain import OTHER, OURS, found

if TYPE_CHECKING:
    from chains.base import Transfer
    from evm_chain import Chain

HEIR = "0x" + "e1" * 20


def _destroyed(chain: Chain) -> None:
    """Pay an older contract that leaves all it has to another account (PUSH20, SELFDESTRUCT)."""
    chain.node.rpc("anvil_setCode", HEIR, f"0x73{OURS[2:]}ff")
    chain.send(HEIR, 9)


CASES = [
    pytest.param(_destroyed, [("ETH", "call:0", 9)], id="h52-selfdestruct-of-an-older-contract"),
    pytest.param(lambda c: c.send(OURS, 9), [("ETH", "value", 9)], id="coin"),
    pytest.param(lambda c: c.send(OURS, 9, "0x1234abcd"), [("ETH", "value", 9)], id="coin-with-calldata"),
    pytest.param(lambda c: c.send(OURS, 2**70), [("ETH", "value", 2**70)], id="h67-more-than-64-bits"),
    pytest.param(lambda c: c.send(OURS, 0), [], id="h65-no-coin"),
    pytest.param(lambda c: c.send(OTHER, 9), [], id="to-another"),
    pytest.param(
        lambda c: c.call("forward(address)", OURS, value=9), [("ETH", "call:0", 9)], id="h51-forwarded"
    ),
    pytest.param(
        lambda c: c.call("nested(address)", OURS, value=9), [("ETH", "call:0.0", 9)], id="h51-deeper"
    ),
    pytest.param(lambda c: c.call("attempt(address)", OURS, value=9), [], id="h50-reverted-parent"),
    pytest.param(
        lambda c: c.call("send_then_revert(address)", OURS, value=9), [], id="h50-reverted-transaction"
    ),
    pytest.param(
        lambda c: c.call("destroy(address)", OURS, value=9), [("ETH", "call:0.0", 9)], id="h52-destroyed"
    ),
    pytest.param(
        lambda c: c.tell("pay_each(address,uint256[])", OURS, [5, 0, 7]),
        [("ODD", "log:0", 5), ("ODD", "log:2", 7)],
        id="token-twice-and-zero",
    ),
    pytest.param(lambda c: c.tell("transfer(address,uint256)", OURS, 5), [], id="h58-false"),
    pytest.param(lambda c: c.tell("pay_then_revert(address,uint256)", OURS, 5), [], id="h49-failed-token"),
    pytest.param(lambda c: c.tell("as_nft(address,uint256)", OURS, 5), [], id="h63-erc721"),
    pytest.param(lambda c: c.tell("unindexed(address,uint256)", OURS, 5), [], id="h64-unindexed"),
    pytest.param(lambda c: c.tell("boomerang(address,uint256,uint256)", OURS, 5, 5), [], id="h66-boomerang"),
    pytest.param(
        lambda c: c.tell("boomerang(address,uint256,uint256)", OURS, 5, 2),
        [("ODD", "log:0", 3)],
        id="h66-a-part",
    ),
    pytest.param(
        lambda c: c.tell("pay(address,uint256,uint256)", OURS, 2**256 - 1, 0),
        [("ODD", "log:0", 2**256 - 1)],
        id="h67-largest",
    ),
    pytest.param(
        lambda c: c.call("thrice(address)", OURS, value=9),
        [("ETH", f"call:{n}", 3) for n in range(3)],
        id="h54-several-in-one-transaction",
    ),
    pytest.param(lambda c: c.call("delegate(address)", OURS, value=9), [], id="h53-delegatecall"),
    pytest.param(lambda c: c.tell("pay(address,uint256,uint256)", OURS, 0, 0), [], id="h65-zero-token"),
    pytest.param(
        lambda c: c.tell("pay(address,uint256,uint256)", OURS, 2**255, 0),
        [("ODD", "log:0", 2**255)],
        id="h67-two-to-the-255th",
    ),
]
"""What is done to the chain, and what traces tell of it."""


def in_mode(mode: str, expected: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Return what a mode tells of what traces tell: logs under another name, balances the sum alone."""
    inner = [each for each in expected if each[1].startswith("call:")]
    outer = [each for each in expected if each not in inner]
    if mode == "logs":
        return [*outer, *((asset, "log", amount) for asset, _, amount in inner)]
    if mode == "balance" and inner:
        return [*outer, ("ETH", UNATTRIBUTED, sum(amount for _, _, amount in inner))]
    return expected


def told(mode: str, transfers: tuple[Transfer, ...]) -> list[tuple[str, str, int]]:
    """Return what was found, as `in_mode` names it."""
    if mode != "logs":
        return found(transfers)
    return [
        (asset, "log" if asset == "ETH" and slot.startswith("log:") else slot, amount)
        for asset, slot, amount in found(transfers)
    ]
