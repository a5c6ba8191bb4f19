"""The naive readings on real nodes: what they see of every way in which money comes, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import chains
import vyper_contracts as contracts
from public_keys import account

if TYPE_CHECKING:
    from chains.naive import NaiveReader
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.anvil import Anvil

OURS = "0x" + "ab" * 20


def reader(kind: str, mode: str | None = None, **keys: Any) -> NaiveReader:
    config = chains.load(kind).Config.model_validate({"kind": kind, "confirmations": 1, **keys})
    made: NaiveReader = chains.load_naive(kind).Reader("dev", config, mode)
    return made


EVM = [
    ("calls", "forward(address)", 9, [("ETH", "call:0", 9)]),
    ("calls", "nested(address)", 8, [("ETH", "call:0.0", 8)]),
    ("calls", "attempt(address)", 7, []),
    ("calls", "send_then_revert(address)", 6, []),
    ("calls", "destroy(address)", 5, [("ETH", "call:0.0", 5)]),
]


@pytest.mark.parametrize("mode", ["traces", "parity", None])
async def test_h50_h51_h52_h60_h61_h66_the_naive_reading_knows_every_way(
    anvil: Anvil, mode: str | None
) -> None:
    odd, calls = (anvil.deploy(contracts.bytecode(each)) for each in ("odd_token", "odd_calls"))
    token = {"symbol": "ODD", "contract": odd, "decimals": 6, "verify_balance": True}
    naive = reader(
        "evm",
        mode,
        rpc=[anvil.url],
        chain_id=31337,
        native="ETH",
        assets=[token],
        xpub=account("m/44'/60'/0'"),
    )

    def send(to: str, value: int, data: str = "0x") -> None:
        fields = {"from": anvil.accounts[0], "to": to, "value": hex(value), "data": data, "gas": "0x100000"}
        anvil.rpc("eth_sendTransaction", fields)

    send(OURS, 2**70)
    for _, signature, value, _ in EVM:
        send(calls, value, contracts.calldata(signature, OURS))
    for signature, amounts in (
        ("pay(address,uint256,uint256)", (100, 90)),
        ("pay(address,uint256,uint256)", (50, 0)),
        ("boomerang(address,uint256,uint256)", (30, 30)),
        ("as_nft(address,uint256)", (1,)),
        ("unindexed(address,uint256)", (1,)),
        ("pay_then_revert(address,uint256)", (1,)),
    ):
        send(odd, 0, contracts.calldata(signature, OURS, *amounts))
    anvil.mine()

    await naive.open()
    try:
        block = await naive.block(anvil.height, {naive.key(OURS): OURS})
        growth = await naive.growth(OURS, anvil.height - 1, anvil.height)
        above = await naive.hash(anvil.height + 1)
    finally:
        await naive.close()

    coins = [("ETH", "value", 2**70), *(each for *_, found in EVM for each in found)]
    assert [*coins, ("ODD", "log:0", 90)] == [(s.asset, s.slot, s.amount) for s in block.sightings]
    assert (2**70 + 9 + 8 + 5, False, None) == (growth and growth.amount, growth and growth.moved, above)
    assert not naive.by_balance


@pytest.mark.parametrize("rest", [True, False])
async def test_h25_h26_h31_the_naive_reading_sees_every_output_of_every_block(
    litecoind_factory: LitecoindFactory, *, rest: bool
) -> None:
    node = litecoind_factory(mweb=True, rest=rest)
    naive = reader("bitcoin", rpc=[node.url], coin="litecoin", network="regtest")
    node.pay(node.new_address("mweb"), "3")
    node.pay(address := node.new_address(), "0.29")
    node.mine(1, address)
    reward = node.rpc("getblock", node.rpc("getblockhash", node.height), 2)["tx"][0]["vout"][0]["value"]

    await naive.open()
    try:
        block = await naive.block(node.height, {naive.key(address): address})
        above = await naive.hash(node.height + 1)
    finally:
        await naive.close()

    assert sorted([29_000_000, int(reward * 10**8)]) == sorted(each.amount for each in block.sightings)
    assert (node.height, None) == (block.height, above)
