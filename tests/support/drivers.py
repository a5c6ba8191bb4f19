"""What the contract suite asks of a chain: to be paid on, mined, reorganised and switched off.

Also the driver of the fake chain; those of real nodes are in node_drivers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fake_adapter import FakeAdapter
from fake_chain import COIN, FakeChain
from fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chains.base import ChainAdapter


class ChainDriver(Protocol):
    """One private chain with money to spend and adapters that watch it."""

    asset: str
    """The symbol of what `pay` sends."""
    refused: tuple[str, ...]
    """Addresses that the chain must refuse: those of other networks first, then broken ones."""

    def adapter(self) -> ChainAdapter:
        """Return a new adapter, not yet open: what a restarted daemon has."""

    def height(self) -> int:
        """Return the head's height."""

    def pay(self, address: str, *amounts: int) -> str:
        """Put one transaction with a credit for each amount (base units) into the pool; its id."""

    def mine(self, blocks: int = 1) -> None:
        """Mine; the first block takes all that waits."""

    def reorg(self, depth: int, keep: Mapping[str, int]) -> None:
        """Replace the last `depth` blocks by `depth + 1` others.

        `keep` names the transactions of the new branch and the block of it (0 is the first) they are in.
        """

    def stop(self) -> None:
        """Switch the node off as its operator would."""

    def start(self) -> None:
        """Switch it on again, with its chain as it was."""


class FakeDriver:
    """The fake chain as a driver."""

    asset: str = COIN
    refused: tuple[str, ...] = ("faketest100000001", "fake1", "fake1000x0001")

    def __init__(self) -> None:
        self.chain = FakeChain(FakeClock())
        self._adapters: list[FakeAdapter] = []
        self.chain.mine(12)

    def adapter(self) -> ChainAdapter:
        self._adapters.append(adapter := FakeAdapter(self.chain))
        return adapter

    def height(self) -> int:
        return self.chain.head.height

    def pay(self, address: str, *amounts: int) -> str:
        return self.chain.pay(address, *amounts)

    def mine(self, blocks: int = 1) -> None:
        self.chain.mine(blocks)

    def reorg(self, depth: int, keep: Mapping[str, int]) -> None:
        self.chain.reorg(depth, keep)

    def stop(self) -> None:
        for adapter in self._adapters:
            adapter.faults.fail("*", times=None)

    def start(self) -> None:
        for adapter in self._adapters:
            adapter.faults.heal()
