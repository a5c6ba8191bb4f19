"""A hundred thousand standing addresses, the nodes' part: reading a block takes no more than for ten."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

import ether_scene
import litecoin_scene
from chains.base import Watched
from standing_scene import MANY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from chains.base import ChainAdapter, Reading
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

FEW = 10
PAID = 3
"""Of the watched addresses, so many are paid in the block."""
MORE = 1.2
"""Calls of functions more: how often an event loop wakes up differs a little."""


class LookedUp(set[bytes]):
    """Scripts that may be looked up, and never gone through."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("somebody goes through every watched address for a block")


class Calls:
    """The calls of functions, Python's and C's, until the block ends."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Self:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, _frame: Any, event: str, _argument: object) -> None:
        self.number += event in {"call", "c_call"}


async def _cost(adapter: ChainAdapter, height: int, number: int) -> tuple[int, Reading]:
    """Read one block for so many addresses; its calls."""
    paid = {adapter.key(adapter.derive(index)) for index in range(PAID)}
    others = (int.to_bytes(2**64 + n, len(min(paid)), "big") for n in range(number - PAID))
    watched = Watched(LookedUp({*paid, *others}))
    assert number == len(watched.scripts)
    with Calls() as calls:
        reading = await adapter.read(height, height, watched)
    return calls.number, reading


async def _compare(adapter: ChainAdapter, height: int) -> None:
    await _cost(adapter, height, FEW)
    few, first = await _cost(adapter, height, FEW)
    many, last = await _cost(adapter, height, MANY)
    assert PAID == len(first.transfers) == len(last.transfers)
    assert many <= MORE * few, (few, many)


@pytest.fixture
async def coins(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[litecoin_scene.LitecoinScene]:
    async with litecoin_scene.litecoin_scene(litecoind, tmp_path) as one:
        yield one


@pytest.fixture
async def accounts(anvil: Anvil, tmp_path: Path) -> AsyncIterator[ether_scene.EtherScene]:
    async with ether_scene.ether_scene(anvil, tmp_path) as one:
        yield one


async def test_a_block_of_a_litecoind_is_read_as_fast_for_a_hundred_thousand(
    coins: litecoin_scene.LitecoinScene,
) -> None:
    adapter = coins.followed.adapters[litecoin_scene.NAME]
    for index in range(PAID):
        coins.node.pay(adapter.derive(index), "1")
    coins.node.mine(1)
    await _compare(adapter, coins.node.height)


async def test_a_block_of_an_anvil_is_read_as_fast_for_a_hundred_thousand(
    accounts: ether_scene.EtherScene,
) -> None:
    adapter = accounts.followed.adapters[ether_scene.NAME]
    for index in range(PAID):
        accounts.node.send(adapter.derive(index), 1 + index)
    accounts.node.mine(1)
    await _compare(adapter, accounts.node.height)
