"""An in-memory chain with a mempool, coinbases and any fork a test can think of; FakeAdapter watches it.

Deterministic: the same calls give the same ids and hashes. Time comes from the clock that it is given.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chains.base import BlockRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from fake_clock import FakeClock

COIN = "COIN"
TOKEN = "TOKEN"


@dataclass(frozen=True, slots=True)
class Credit:
    """`amount` base units of `asset` to `address`; its place in the transaction is its slot."""

    address: str
    amount: int
    asset: str = COIN


@dataclass(frozen=True, slots=True)
class FakeTx:
    """A transaction: its credits in order, and the outpoints ("txid:n") that it spends."""

    txid: str
    credits: tuple[Credit, ...]
    spends: tuple[str, ...]
    seen_at: datetime
    maturity: int = 0


@dataclass(frozen=True, slots=True)
class FakeBlock:
    """A block of some branch."""

    ref: BlockRef
    transactions: tuple[FakeTx, ...]


class FakeChain:
    """Every block ever made, and which of them are the best chain now."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.pool: dict[str, FakeTx] = {}
        self.blocks: list[FakeBlock] = []
        """The best chain; the index is the height."""
        self._known: dict[str, FakeBlock] = {}
        self._transactions: dict[str, FakeTx] = {}
        self._counter = 0
        self._append(())

    @property
    def head(self) -> BlockRef:
        """The best chain's newest block."""
        return self.blocks[-1].ref

    # --- payments

    def pay(self, address: str, *amounts: int, asset: str = COIN) -> str:
        """Put one transaction with a credit for each amount into the pool; returns its id."""
        return self.send([Credit(address, amount, asset) for amount in amounts])

    def send(self, credits_: Iterable[Credit], spends: Sequence[str] = (), maturity: int = 0) -> str:
        """Put any transaction into the pool; without `spends` it spends an outpoint of its own."""
        txid = self._digest("tx")
        inputs = tuple(spends) or (f"{self._digest('funding')}:0",)
        transaction = FakeTx(txid, tuple(credits_), inputs, self.clock(), maturity)
        self._transactions[txid] = transaction
        self.pool[txid] = transaction
        return txid

    def replace(self, txid: str, *credits_: Credit) -> str:
        """Put a conflicting transaction in place of an unconfirmed one; returns the new one's id."""
        return self.send(credits_, spends=self.pool.pop(txid).spends)

    def drop(self, txid: str) -> None:
        """Forget an unconfirmed transaction, as a full or restarted mempool does."""
        del self.pool[txid]

    # --- blocks

    def mine(self, blocks: int = 1, only: Sequence[str] | None = None) -> BlockRef:
        """Append blocks; the first takes the whole pool, or just `only`. Returns the new head."""
        chosen = list(self.pool) if only is None else only
        for number in range(blocks):
            self._append(tuple(self._transactions[txid] for txid in chosen) if number == 0 else ())
        return self.head

    def reorg(self, depth: int, keep: Mapping[str, int] | None = None, *, to_pool: bool = True) -> BlockRef:
        """Replace the last `depth` blocks by `depth + 1` others.

        `keep` says which transactions the new branch has, and in which of its blocks (0 is the first).
        Others of the old branch go back to the pool, or vanish with `to_pool=False`. Returns the fork block.
        """
        removed = self.blocks[-depth:]
        del self.blocks[-depth:]
        fork = self.head
        if to_pool:
            self._back_to_pool(removed)
        for offset in range(depth + 1):
            txids = [txid for txid, place in (keep or {}).items() if place == offset]
            self._append(tuple(self._transactions[txid] for txid in txids))
        return fork

    def rollback(self, depth: int) -> BlockRef:
        """Let the head go back without another branch: a lagging node behind a load balancer."""
        del self.blocks[-depth:]
        return self.head

    def adopt(self, head: str) -> None:
        """Make the branch that ends in this block the best one, as when an old branch wins again."""
        branch: list[FakeBlock] = []
        block: FakeBlock | None = self._known[head]
        while block is not None:
            branch.append(block)
            block = self._known.get(block.ref.parent)
        left = self.blocks
        self.blocks = branch[::-1]
        self._back_to_pool(left)
        for transaction in self.transactions():
            self.pool.pop(transaction.txid, None)

    def transactions(self) -> Iterator[FakeTx]:
        """Yield every transaction of the best chain, oldest first."""
        return (transaction for block in self.blocks for transaction in block.transactions)

    def _back_to_pool(self, blocks: Iterable[FakeBlock]) -> None:
        for block in blocks:
            self.pool.update({tx.txid: tx for tx in block.transactions if not tx.maturity})

    def _append(self, transactions: tuple[FakeTx, ...]) -> None:
        parent = self.blocks[-1].ref if self.blocks else None
        ref = BlockRef(
            height=parent.height + 1 if parent else 0,
            hash=self._digest("block"),
            parent=parent.hash if parent else "00" * 32,
            time=max(parent.time, self.clock()) if parent else self.clock(),
        )
        block = FakeBlock(ref, transactions)
        self.blocks.append(block)
        self._known[ref.hash] = block
        self._leave_pool(transactions)

    def _leave_pool(self, mined: Iterable[FakeTx]) -> None:
        """Take mined transactions out of the pool, with all that conflict with them."""
        for transaction in mined:
            self.pool.pop(transaction.txid, None)
            spent = set(transaction.spends)
            self.pool = {txid: tx for txid, tx in self.pool.items() if spent.isdisjoint(tx.spends)}

    def _digest(self, what: str) -> str:
        self._counter += 1
        return hashlib.sha256(f"{what} {self._counter}".encode()).hexdigest()
