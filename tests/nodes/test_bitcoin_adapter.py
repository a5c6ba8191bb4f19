"""The Bitcoin family's adapter on a real litecoind without an index: blocks, the tip, the check."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import COIN, connecting, mined, now, watch
from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable, Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bitcoin_adapters import Connect
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind

QUICK_END = ["-rpcservertimeout=1"]
"""Idle connections hold up the node's end for as many seconds."""


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with connecting() as adapters:
        yield adapters


@pytest.mark.parametrize("rest", [True, False])
async def test_every_script_type_is_found_by_rest_and_without_it(
    litecoind_factory: LitecoindFactory, connect: Connect, *, rest: bool
) -> None:
    node = litecoind_factory(rest=rest)
    adapter = connect(node)
    await adapter.open()
    addresses = [node.new_address(kind) for kind in ("legacy", "p2sh-segwit", "bech32")]
    two = node.rpc("addmultisigaddress", 1, [node.new_address()], "", "bech32")["address"]
    for number, address in enumerate([*addresses, two], 1):
        node.pay(address, f"0.000{number}0289")
    node.mine()

    found = await mined(adapter, watch(adapter, *addresses, two))

    expected = {adapter.canonical(each): n * 10000 + 289 for n, each in enumerate([*addresses, two], 1)}
    assert expected == {each.address: each.amount for each in found}
    assert rest == adapter._blocks.by_rest(adapter._rpc.nodes[0])


async def test_a_taproot_script_is_found(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind)
    script = "5120" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    coin = litecoind.rpc("listunspent")[0]
    plain = litecoind.rpc(
        "createrawtransaction",
        [{"txid": coin["txid"], "vout": coin["vout"]}],
        [{litecoind.new_address("bech32"): "1"}],
    )
    start = plain.index("160014")
    raw = plain[:start] + "22" + script + plain[start + 46 :]
    signed = litecoind.rpc("signrawtransactionwithwallet", raw)["hex"]
    txid = litecoind.rpc("decoderawtransaction", signed)["txid"]
    litecoind.mine_only(signed)

    found = await mined(adapter, Watched({bytes.fromhex(script)}))

    assert [(txid, "vout:0", COIN)] == [(each.txid, each.slot, each.amount) for each in found]
    assert bytes.fromhex(script) == adapter.key(found[0].address)


async def test_h26_two_outputs_to_one_script_are_two_credits(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    coin = litecoind.rpc("listunspent")[0]
    script = adapter.key(address).hex()
    raw = litecoind.rpc(
        "createrawtransaction", [{"txid": coin["txid"], "vout": coin["vout"]}], [{address: "1"}]
    )
    output = f"00e1f50500000000{len(script) // 2:02x}{script}"
    signed = litecoind.rpc("signrawtransactionwithwallet", raw.replace(f"01{output}", f"02{output}{output}"))
    litecoind.mine_only(signed["hex"])

    found = await mined(adapter, watch(adapter, address))

    assert [("vout:0", COIN), ("vout:1", COIN)] == [(each.slot, each.amount) for each in found]


async def test_h15_a_coinbase_output_matures_after_100_confirmations(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    litecoind.mine(1, address)

    (found,) = await mined(adapter, watch(adapter, address))

    assert (100, "vout:0") == (found.maturity, found.slot)


async def test_a_range_is_read_whole_and_linked(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind)

    reading = await adapter.read(0, litecoind.height, Watched())

    assert list(range(litecoind.height + 1)) == [each.height for each in reading.blocks]
    assert "00" * 32 == reading.blocks[0].parent
    assert [each.hash for each in reading.blocks[:-1]] == [each.parent for each in reading.blocks[1:]]
    assert reading.blocks[7] == await adapter.block(7)
    assert await adapter.block(litecoind.height + 1) is None
    with pytest.raises(ChainMoved, match="ends below"):
        await adapter.read(5, litecoind.height + 1, Watched())


async def test_h34_a_node_that_restarts_is_unavailable_and_then_tells_all_again(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(extra=QUICK_END)
    adapter = connect(node)
    address = node.new_address()
    watched = watch(adapter, address)
    txid = node.pay(address, "1")
    await adapter.mempool(watched)

    node.stop()
    with pytest.raises(NodeUnavailable):
        await adapter.tip()
    with pytest.raises(NodeUnavailable):
        await adapter.mempool(watched)
    node.start()

    await adapter.open()
    assert node.height == (await adapter.tip()).head.height
    assert [txid] == [each.txid for each in (await adapter.mempool(watched)).transfers]


async def test_another_network_is_refused_by_name(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind, coin="bitcoin")

    with pytest.raises(NodeMisbehaved, match=r"litecoin regtest.*bitcoin regtest"):
        await adapter.open()

    findings = {each.name: each.ok for each in await adapter.check()}
    assert {"reachable": True, "chain": False} == findings


async def test_the_tip_vouches_for_the_moment_of_asking_unless_the_node_is_stale(
    litecoind: Litecoind, connect: Connect
) -> None:
    later = now() + timedelta(hours=5)
    patient = await connect(litecoind, clock=lambda: later).tip()
    strict = await connect(litecoind, clock=lambda: later, stale_after=3600).tip()

    assert (later, strict.head.time) == (patient.as_of, strict.as_of)


async def test_check_describes_a_healthy_node_and_a_dead_one(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(extra=QUICK_END)
    adapter = connect(node)
    names = ["reachable", "chain", "synced", "version", "pruned", "mempool", "clock", "rest"]

    healthy = await adapter.check()
    assert [(name, True) for name in names] == [(each.name, each.ok) for each in healthy]

    node.stop()
    assert [("reachable", False)] == [(each.name, each.ok) for each in await adapter.check()]
    assert node.password not in str(await adapter.check())


async def test_the_spending_cost_falls_back_to_the_relay_fee(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind)

    assert 68 == await adapter.spending_cost("LTC")
    assert 0 == await adapter.spending_cost("USDT")
    assert 148 == await connect(litecoind, script="p2pkh").spending_cost("LTC")
