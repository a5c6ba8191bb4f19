"""A second, deliberately simple reading of a chain, to hold the ledger against; see `chains.load_naive`.

Shares no reading code with the adapters: one block, one transaction at a time, in the plainest words that the
node has. Slow on purpose. Says what it saw and compares nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sighting:
    """One credit in a block; `slot` and `amount` (base units) are those of `chains.base.Transfer`."""

    asset: str
    txid: str
    slot: str
    address: str
    amount: int
    height: int
    block: str


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """A block by height, hash and parent, and every credit in it that was asked for."""

    height: int
    hash: str
    parent: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much an account's coins grew between two blocks, in base units.

    `moved`: it may have sent some away in between, so that only a growth above its credits proves anything.
    """

    amount: int
    moved: bool


class NaiveReader(Protocol):
    """Reads one chain, a block at a time. Any method may raise ChainError."""

    coin: str
    """The symbol of the chain's own coin."""
    by_balance: bool
    """The node does not tell what moves inside contracts: only the balances show all coins that came."""

    async def open(self) -> None:
        """Connect to the first endpoint that answers as the right chain."""

    async def close(self) -> None:
        """Release what `open` took."""

    def key(self, address: str) -> bytes:
        """Return the bytes by which an address is found on the chain."""

    async def hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above its head."""

    async def block(self, height: int, watched: Mapping[bytes, str]) -> SeenBlock:
        """Return a block and what it pays to the watched addresses, which are named by their bytes."""

    async def growth(self, address: str, first: int, last: int) -> Growth | None:
        """Return how an account's coins grew from the end of block `first` to the end of block `last`.

        None where there are no balances, or the node has forgotten them.
        """
