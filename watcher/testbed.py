"""What a page may do to the private test chains of a sandbox. Outside of a sandbox there is no such thing.

Knows no node and no invoice; `watcher.sandbox.bed` is the one that works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MOST_BLOCKS = 100
"""Blocks that are mined at once, and the deepest reorganisation."""

MOST_PARTS = 20
"""A test node takes 25 transactions that depend on each other, and no more."""


@dataclass(frozen=True, slots=True)
class Coin:
    """Test money of one chain. `contract` None: the chain's own coin.

    `known`: the daemon is told of it. One that is not is a fake, which bears another's symbol.
    """

    id: str
    symbol: str
    decimals: int
    contract: str | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class TriedChain:
    """A private chain as it stands: `held` is what the test wallet has of each coin, by its id, in its unit.

    `depth`: how many of its last blocks can be replaced.
    """

    name: str
    node: str
    height: int
    depth: int
    coins: tuple[Coin, ...]
    held: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sum:
    """Test money for an address: `coin` by its id, `amount` in its unit, in `parts` transactions."""

    chain: str
    coin: str
    address: str
    amount: str
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Note:
    """What was done in the sandbox, or failed, or will be done, in one line."""

    at: datetime
    text: str
    failed: bool = False


class Bed(Protocol):
    """The private chains. What cannot be done is Refused with one line, its `field` the faulty input."""

    async def chains(self) -> Sequence[TriedChain]:
        """Return the chains as they stand."""

    async def pay(self, money: Sum) -> Sequence[str]:
        """Put payments into the mempool; the ids of their transactions. Blocks come by themselves."""

    async def pay_later(self, money: Sum, at: datetime) -> None:
        """Pay at a later moment, if the sandbox runs then; a note says what came of it."""

    async def mine(self, chain: str, blocks: int) -> int:
        """Mine blocks now; the new height."""

    async def reorganise(self, chain: str, depth: int, *, keep: bool) -> int:
        """Replace the last blocks by as many and one more; the new height.

        `keep`: their transactions come again in the new ones. Otherwise they are gone for good.
        """

    def notes(self) -> Sequence[Note]:
        """Return what was done lately, newest first."""
