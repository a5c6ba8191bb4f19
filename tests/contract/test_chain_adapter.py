"""The contract of chains.base.ChainAdapter: what the scanner may rely on, whatever the chain."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from chains.base import AddressError, ChainError, Mempool, NodeUnavailable, Reading, Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from chains.base import BlockRef, ChainAdapter, Transfer
    from drivers import ChainDriver

_BACK_WITHIN = 30.0


def watch(adapter: ChainAdapter, *addresses: str) -> Watched:
    return Watched(scripts={adapter.key(address) for address in addresses})


async def read_all(adapter: ChainAdapter, watched: Watched, first: int) -> Reading:
    """Read from `first` to the head in spans, as a scanner that catches up does."""
    last = (await adapter.tip()).head.height
    blocks: list[BlockRef] = []
    transfers: list[Transfer] = []
    for start in range(first, last + 1, adapter.span):
        reading = await adapter.read(start, min(last, start + adapter.span - 1), watched)
        blocks += reading.blocks
        transfers += reading.transfers
    return Reading(tuple(blocks), tuple(transfers))


async def back_again(adapter: ChainAdapter) -> None:
    """Open after an outage, as the scanner does: with patience, because the adapter backs off."""
    deadline = time.monotonic() + _BACK_WITHIN
    while True:
        try:
            await adapter.open()
        except NodeUnavailable:
            assert time.monotonic() < deadline, "the adapter does not find the node that is back"
            await asyncio.sleep(0.1)
        else:
            return


@asynccontextmanager
async def opened(driver: ChainDriver) -> AsyncIterator[ChainAdapter]:
    """Return a new adapter, as a daemon that was started again has."""
    adapter = driver.adapter()
    try:
        await back_again(adapter)
        yield adapter
    finally:
        await adapter.close()


def identities(transfers: Iterable[Transfer]) -> list[tuple[str, str, int]]:
    return sorted((transfer.txid, transfer.slot, transfer.amount) for transfer in transfers)


async def test_a_payment_is_read_from_its_block(driver: ChainDriver, adapter: ChainAdapter) -> None:
    address = adapter.derive(0)
    txid = driver.pay(address, 123_456)
    driver.mine()
    head = driver.height()
    reading = await adapter.read(head, head, watch(adapter, address))
    (transfer,) = reading.transfers

    assert (driver.asset, txid, address, 123_456) == (
        transfer.asset,
        transfer.txid,
        transfer.address,
        transfer.amount,
    )
    assert await adapter.block(head) == transfer.block == reading.blocks[0]


async def test_reading_again_changes_nothing(driver: ChainDriver, adapter: ChainAdapter) -> None:
    address = adapter.derive(0)
    driver.pay(address, 100_000, 200_000)
    driver.mine(3)
    first = driver.height() - 5
    watched = watch(adapter, address)

    assert await read_all(adapter, watched, first) == await read_all(adapter, watched, first)


async def test_h26_h54_one_transaction_that_pays_an_address_twice_is_two_credits(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    txid = driver.pay(address, 500_000, 700_000)
    driver.mine()
    reading = await read_all(adapter, watch(adapter, address), driver.height())

    assert {500_000, 700_000} == {transfer.amount for transfer in reading.transfers}
    assert {txid} == {transfer.txid for transfer in reading.transfers}
    assert 2 == len({transfer.slot for transfer in reading.transfers})


async def test_equal_credits_of_one_transaction_are_kept_apart(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    driver.pay(address, 500_000, 500_000, 500_000)
    driver.mine()
    reading = await read_all(adapter, watch(adapter, address), driver.height())

    assert [500_000] * 3 == [transfer.amount for transfer in reading.transfers]
    assert 3 == len({transfer.slot for transfer in reading.transfers})


async def test_payments_to_others_are_none_of_ours(driver: ChainDriver, adapter: ChainAdapter) -> None:
    driver.pay(adapter.derive(0), 500_000)
    driver.mine()
    ours = adapter.derive(1)
    reading = await read_all(adapter, watch(adapter, ours), 0)

    assert () == reading.transfers


async def test_each_payment_goes_to_its_own_address(driver: ChainDriver, adapter: ChainAdapter) -> None:
    addresses = [adapter.derive(index) for index in range(3)]
    for index, address in enumerate(addresses):
        driver.pay(address, 100_000 + index)
    driver.mine()
    reading = await read_all(adapter, watch(adapter, *addresses), driver.height())
    paid = {transfer.address: transfer.amount for transfer in reading.transfers}

    assert {address: 100_000 + index for index, address in enumerate(addresses)} == paid


async def test_an_unconfirmed_payment_keeps_its_identity_when_mined(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    driver.pay(address, 500_000, 700_000)
    watched = watch(adapter, address)
    unconfirmed = await adapter.mempool(watched)
    driver.mine()
    mined = await read_all(adapter, watched, driver.height())

    expected = identities(mined.transfers) if adapter.has_mempool else []
    assert expected == identities(unconfirmed.transfers)
    assert all(transfer.block is None for transfer in unconfirmed.transfers)
    assert Mempool() == await adapter.mempool(watched)


async def test_blocks_are_linked_and_agree_with_each_other(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    driver.mine(5)
    head = driver.height()
    reading = await adapter.read(head - 9, head, Watched())

    assert list(range(head - 9, head + 1)) == [block.height for block in reading.blocks]
    assert all(after.parent == before.hash for before, after in pairwise(reading.blocks))
    assert [await adapter.block(block.height) for block in reading.blocks] == list(reading.blocks)
    assert (await adapter.tip()).head == reading.blocks[-1]


@pytest.mark.parametrize("whom", ["adapter", "node"])
async def test_payments_before_and_after_a_restart_are_all_seen(driver: ChainDriver, whom: str) -> None:
    first = driver.height()
    async with opened(driver) as before:
        address = before.derive(0)
        watched = watch(before, address)
        driver.pay(address, 500_000)
        driver.mine()
        old = await read_all(before, watched, first)
    if whom == "node":
        driver.stop()
        driver.start()
    driver.pay(address, 700_000)
    driver.mine()
    async with opened(driver) as after:
        new = await read_all(after, watched, first)

    assert [500_000, 700_000] == [transfer.amount for transfer in new.transfers]
    assert old.transfers == new.transfers[:1]
    assert old.blocks == new.blocks[: len(old.blocks)]


@pytest.mark.parametrize("depth", [1, 10])
@pytest.mark.parametrize(
    ("place", "found"),
    [
        pytest.param(None, 0, id="dropped"),
        pytest.param(0, 1, id="doubled"),
        pytest.param(1, 1, id="moved"),
    ],
)
async def test_h1_h3_h4_h5_after_a_reorganisation_only_the_new_branch_counts(
    driver: ChainDriver, adapter: ChainAdapter, depth: int, place: int | None, found: int
) -> None:
    """Doubled: the transaction is in both branches, at the same height. Moved: one block higher."""
    address = adapter.derive(0)
    watched = watch(adapter, address)
    fork = driver.height()
    txid = driver.pay(address, 500_000, 700_000)
    driver.mine(depth)
    old = await read_all(adapter, watched, fork)
    driver.reorg(depth, {} if place is None else {txid: place})
    new = await read_all(adapter, watched, fork)

    assert old.blocks[0] == new.blocks[0], "the fork itself stays"
    assert not {block.hash for block in old.blocks[1:]} & {block.hash for block in new.blocks}
    assert fork + depth + 1 == new.blocks[-1].height
    assert identities(old.transfers) * found == identities(new.transfers)
    assert all(transfer.block == new.blocks[1 + (place or 0)] for transfer in new.transfers)


@pytest.mark.parametrize("depth", [1, 10])
async def test_a_dropped_payment_is_unconfirmed_again_or_gone(
    driver: ChainDriver, adapter: ChainAdapter, depth: int
) -> None:
    address = adapter.derive(0)
    watched = watch(adapter, address)
    driver.pay(address, 500_000)
    driver.mine(depth)
    (mined,) = (await read_all(adapter, watched, driver.height() - depth + 1)).transfers
    driver.reorg(depth, {})
    unconfirmed = (await adapter.mempool(watched)).transfers

    assert (identities([mined]) if adapter.has_mempool else []) == identities(unconfirmed)


async def test_catching_up_over_1000_blocks_misses_nothing(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    watched = watch(adapter, address)
    fork = driver.height()
    for amount in (100_001, 100_002, 100_003, 100_004, 100_005):
        driver.pay(address, amount)
        driver.mine(200)
    reading = await read_all(adapter, watched, fork + 1)

    assert list(range(fork + 1, fork + 1001)) == [block.height for block in reading.blocks]
    assert all(after.parent == before.hash for before, after in pairwise(reading.blocks))
    assert [(100_001 + number, fork + 1 + 200 * number) for number in range(5)] == [
        (transfer.amount, transfer.block.height if transfer.block else None) for transfer in reading.transfers
    ]


async def test_h40_addresses_of_other_networks_and_broken_ones_are_refused(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    for address in driver.refused:
        with pytest.raises(AddressError) as refusal:
            adapter.canonical(address)
        assert "\n" not in str(refusal.value)


async def test_a_derived_address_is_canonical_and_nobody_elses(adapter: ChainAdapter) -> None:
    addresses = [adapter.derive(index) for index in range(20)]

    assert addresses == [adapter.canonical(address) for address in addresses]
    assert 20 == len({adapter.key(address) for address in addresses})


async def test_h34_h35_a_node_that_is_down_is_unknown_and_never_empty(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    watched = watch(adapter, address)
    driver.pay(address, 500_000)
    driver.mine()
    head = driver.height()
    before = await adapter.read(head, head, watched)
    driver.stop()
    for ask in (
        adapter.tip,
        lambda: adapter.block(head),
        lambda: adapter.read(head, head, watched),
        adapter.open,
    ):
        with pytest.raises(NodeUnavailable):
            await ask()
    if adapter.has_mempool:
        with pytest.raises(NodeUnavailable):
            await adapter.mempool(watched)
    driver.start()
    await back_again(adapter)

    assert before == await adapter.read(head, head, watched)


async def test_blocks_above_the_head_are_unknown_and_never_empty(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    head = driver.height()

    assert await adapter.block(head + 1) is None
    for first in (head, head + 1):
        with pytest.raises(ChainError):
            await adapter.read(first, head + 1, watch(adapter, adapter.derive(0)))


async def test_nothing_is_proven_beyond_the_moment_of_asking(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    driver.mine()
    first = await adapter.tip()
    driver.mine()
    second = await adapter.tip()

    assert first.head.height + 1 == second.head.height
    assert first.as_of <= second.as_of
    assert first.as_of.tzinfo is not None
    for height in (second.safe, second.finalized):
        assert height is None or height <= second.head.height


async def test_assets_begin_with_the_coin_and_carry_the_chain(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    assets = adapter.assets()

    assert assets[0].contract is None
    assert driver.asset in {asset.symbol for asset in assets}
    assert all(asset.id.startswith(adapter.chain_id + "/") for asset in assets)
    for asset in assets:
        assert adapter.derive(0) in adapter.payment_uri(adapter.derive(0), asset.symbol, 15)


async def test_check_says_what_is_wrong_and_never_raises(driver: ChainDriver, adapter: ChainAdapter) -> None:
    up = await adapter.check()
    driver.stop()
    down = await adapter.check()

    assert all(finding.ok is not False for finding in up), up
    assert any(finding.ok is False for finding in down), down
