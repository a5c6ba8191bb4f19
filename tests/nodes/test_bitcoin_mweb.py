"""Litecoin's extension blocks on a real litecoind."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN, COIN, connecting, mined, watch
from chains.base import Watched
from chains.bitcoin_block import parse_block
from chains.bitcoin_coins import COINS
from chains.bitcoin_wire import outpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bitcoin_adapters import Connect
    from node_fixtures import LitecoindFactory

DIALECT = COINS["litecoin"].dialect


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with connecting() as adapters:
        yield adapters


async def test_mweb_blocks_are_read_as_the_node_reads_them(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(mweb=True)
    adapter = connect(node)
    node.pay(node.new_address("mweb"), "300")
    node.pay(node.new_address("legacy"), "1")
    node.mine()
    node.mine(3)

    for height in range(node.height - 120, node.height + 1):
        hash_ = node.rpc("getblockhash", height)
        told = node.rpc("getblock", hash_, 2)
        outputs = [
            (tx["txid"], out["n"], out["scriptPubKey"]["hex"], int(Decimal(str(out["value"])) * COIN))
            for tx in told["tx"]
            for out in tx["vout"]
            if not out.get("ismweb")
        ]
        spends = {
            outpoint(f"{each['txid']}:{each['vout']}"): tx["txid"]
            for tx in told["tx"]
            for each in tx["vin"]
            if "txid" in each
        }
        block = parse_block(
            bytes.fromhex(node.rpc("getblock", hash_, 0)),
            DIALECT,
            {bytes.fromhex(script) for _, _, script, _ in outputs},
            set(spends),
        )
        assert outputs == [(each.txid, each.vout, each.script.hex(), each.value) for each in block.outputs]
        assert (hash_, told["previousblockhash"], told["time"], len(told["tx"]), spends) == (
            block.hash,
            block.parent,
            block.time,
            block.transactions,
            block.spent,
        )
    assert 121 == len((await adapter.read(node.height - 120, node.height, Watched())).blocks)


async def test_h28_h29_a_pegout_counts_once_and_only_in_its_block(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(mweb=True)
    adapter = connect(node)
    node.pay(node.new_address("mweb"), "5")
    node.mine()
    canonical = [each for each in node.rpc("listunspent", 0) if not each["address"].startswith("tmweb")]
    node.rpc("lockunspent", False, [{"txid": each["txid"], "vout": each["vout"]} for each in canonical])
    address = node.new_address("bech32")
    watched = watch(adapter, address)
    inside = node.pay(address, "2")

    pool = await adapter.mempool(watched)
    node.mine(1, BURN)
    (found,) = await mined(adapter, watched)

    assert inside != found.txid
    assert ((), {}) == (pool.transfers, dict(pool.spent))
    assert (2 * COIN, "vout:1", 6) == (found.amount, found.slot, found.maturity)


async def test_a_pegin_has_one_txid_in_mempool_and_block(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(mweb=True)
    adapter = connect(node)
    txid = node.pay(node.new_address("mweb"), "500")  # more than it has inside
    told = node.rpc("getrawtransaction", txid, True)
    spends = {f"{each['txid']}:{each['vout']}" for each in told["vin"] if not each["ismweb"]}
    watched = Watched(outpoints=spends)

    pool = await adapter.mempool(watched)
    node.mine()
    block = await adapter.read(node.height, node.height, watched)

    assert dict.fromkeys(spends, txid) == pool.spent == block.spent
    assert spends
