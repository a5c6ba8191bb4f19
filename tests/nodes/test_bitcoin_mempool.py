"""Unconfirmed payments on a real litecoind: seen, replaced, dropped, mined, reorganised."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import COIN, all_but_fee, conflict, connecting, inputs_of, mined, now, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bitcoin_adapters import Connect
    from watcher.sandbox.litecoind import Litecoind


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with connecting() as adapters:
        yield adapters


async def test_a_payment_is_seen_in_the_mempool_and_again_in_its_block(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, address)
    before = now()
    assert () == (await adapter.mempool(watched)).transfers
    txid = litecoind.pay(address, "0.29")

    pool = await adapter.mempool(watched)
    (seen,) = pool.transfers
    litecoind.mine()
    (block,) = await mined(adapter, watched)

    assert (txid, 29_000_000, None) == (seen.txid, seen.amount, seen.block)
    assert tuple(inputs_of(litecoind, txid)) == seen.spends
    assert dict.fromkeys(seen.spends, txid) == pool.spent
    assert seen.seen_at is not None
    assert before - timedelta(seconds=2) <= seen.seen_at <= now()
    assert (seen.txid, seen.slot, seen.amount) == (block.txid, block.slot, block.amount)
    assert (await adapter.tip()).head == block.block
    assert () == (await adapter.mempool(watched)).transfers


async def test_h16_a_replacement_is_told_even_when_it_pays_nobody_watched(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, address)
    txid = litecoind.pay(address, "1")
    (seen,) = (await adapter.mempool(watched)).transfers
    watched.outpoints.update(seen.spends)
    away = conflict(litecoind, txid, {litecoind.new_address(): str(all_but_fee(litecoind, txid))})

    other = litecoind.rpc("sendrawtransaction", away)

    for _ in range(2):
        pool = await adapter.mempool(watched)
        assert ((), dict.fromkeys(seen.spends, other)) == (pool.transfers, pool.spent)
    fresh = await connect(litecoind).mempool(watched)
    assert dict.fromkeys(seen.spends, other) == fresh.spent
    litecoind.mine()
    head = (await adapter.tip()).head.height
    assert dict.fromkeys(seen.spends, other) == (await adapter.read(head, head, watched)).spent


async def test_h18_a_replacement_that_still_pays_takes_the_first_ones_place(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, address)
    first = litecoind.pay(address, "1")
    await adapter.mempool(watched)

    second = litecoind.rpc("bumpfee", first)["txid"]

    (found,) = (await adapter.mempool(watched)).transfers
    assert (second, COIN) == (found.txid, found.amount)


async def test_h20_a_dropped_payment_is_gone_and_seen_again_when_it_returns(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, address)
    txid = litecoind.pay(address, "1")
    raw = litecoind.rpc("getrawtransaction", txid)
    (seen,) = (await adapter.mempool(watched)).transfers
    watched.outpoints.update(seen.spends)

    litecoind.rpc("setmocktime", int((now() + timedelta(hours=337)).timestamp()))
    litecoind.pay(litecoind.new_address(), "1")  # expiry is looked at when something comes in
    gone = await adapter.mempool(watched)
    litecoind.rpc("setmocktime", 0)
    if txid not in litecoind.rpc("getrawmempool"):
        litecoind.rpc("sendrawtransaction", raw)
    back = await adapter.mempool(watched)

    assert () == gone.transfers
    assert [txid] == [each.txid for each in back.transfers]


@pytest.mark.parametrize("depth", [1, 10])
async def test_after_a_reorganisation_the_payment_is_back_in_the_mempool(
    litecoind: Litecoind, connect: Connect, depth: int
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, address)
    txid = litecoind.pay(address, "1")
    litecoind.mine(depth)
    old = await adapter.read(litecoind.height - depth, litecoind.height, watched)
    await adapter.mempool(watched)

    litecoind.rpc("invalidateblock", old.blocks[1].hash)
    for _ in range(depth + 1):
        litecoind.mine_only()
    new = await adapter.read(litecoind.height - depth - 1, litecoind.height, watched)
    pool = await adapter.mempool(watched)

    assert [txid] == [each.txid for each in old.transfers]
    assert (old.blocks[0], ()) == (new.blocks[0], new.transfers)
    assert old.blocks[1] != await adapter.block(old.blocks[1].height) == new.blocks[1]
    assert [(txid, None)] == [(each.txid, each.block) for each in pool.transfers]


async def test_h23_an_address_made_while_the_mempool_was_read_has_its_payment_seen(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, litecoind.new_address())
    await adapter.mempool(watched)
    txid = litecoind.pay(address, "1")
    assert () == (await adapter.mempool(watched)).transfers

    watched.scripts.add(adapter.key(address))

    for _ in range(2):
        assert [txid] == [each.txid for each in (await adapter.mempool(watched)).transfers]


async def test_h23_what_an_address_received_before_it_was_brought_is_seen(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    address = litecoind.new_address()
    watched = watch(adapter, litecoind.new_address())
    txid = litecoind.pay(address, "1")
    for _ in range(2):
        assert () == (await adapter.mempool(watched)).transfers

    watched.scripts.add(adapter.key(address))
    watched.brought += 1

    for _ in range(2):
        assert [txid] == [each.txid for each in (await adapter.mempool(watched)).transfers]
