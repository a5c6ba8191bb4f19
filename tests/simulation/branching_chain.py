"""A fake chain that stays possible whatever is done to it: no output spent twice, no child without parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_chain import FakeBlock, FakeChain, FakeTx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chains.base import BlockRef


class BranchingChain(FakeChain):
    """`tips` are the heads of branches that lost; `lost` the transactions that were dropped.

    `gone` is every transaction that was, at some moment, neither in the pool nor in the best chain.
    """

    def __init__(self, clock: object) -> None:
        self.tips: list[str] = []
        self.lost: list[str] = []
        self.gone: set[str] = set()
        super().__init__(clock)  # type: ignore[arg-type] - a clock is what can be called

    def transaction(self, txid: str) -> FakeTx:
        return self._transactions[txid]

    def branch(self, head: str) -> list[FakeBlock]:
        """Return the blocks from 0 to any block ever made."""
        blocks: list[FakeBlock] = []
        block = self._known.get(head)
        while block is not None:
            blocks.append(block)
            block = self._known.get(block.ref.parent)
        return blocks[::-1]

    def ever(self) -> Iterator[FakeBlock]:
        """Yield every block of every branch."""
        return iter(self._known.values())

    def forget(self, txid: str) -> None:
        """Drop an unconfirmed transaction, and with it what spends it."""
        self.drop(txid)
        self.lost.append(txid)
        self.sweep()

    def resend(self, txid: str) -> None:
        """Let a dropped transaction come back, if it still can."""
        self.pool[txid] = self._transactions[txid]
        self.sweep()

    def gather(self, wanted: Callable[[], bool]) -> list[str]:
        """Return unconfirmed transactions for a block, parents first; `wanted` is asked of each."""
        mined = {tx.txid for tx in self.transactions()}
        chosen: list[str] = []
        for txid, tx in self.pool.items():
            parents = [p for p in _parents(tx) if p in self._transactions]
            if all(p in mined or p in chosen for p in parents) and wanted():
                chosen.append(txid)
        return chosen

    def fork(self, depth: int, length: int, meddle: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Replace the last `depth` blocks by `length` others; `meddle` may change the pool in between."""
        self.tips.append(self.head.hash)
        removed = self.blocks[-depth:]
        del self.blocks[-depth:]
        self._back_to_pool(removed)
        self.sweep()
        meddle()
        self.sweep()
        for _ in range(length):
            self.mine(1, only=self.gather(wanted))
        self.sweep()

    def return_to(self, head: str) -> None:
        """Let an old branch win again."""
        self.tips.append(self.head.hash)
        self.gone.update(
            tx.txid for tx in self.transactions()
        )  # there and back within one look: as good as gone
        self.adopt(head)
        self.sweep()

    def shared_with(self, head: str) -> BlockRef:
        """Return the newest block of the best chain that the branch of this head has, too."""
        pairs = zip(self.branch(head), self.blocks, strict=False)
        return [ours.ref for ours, best in pairs if ours.ref == best.ref][-1]

    def sweep(self) -> None:
        """Take out of the pool whatever cannot be true any more."""
        mined = {tx.txid: tx for tx in self.transactions()}
        spent = {outpoint for tx in mined.values() for outpoint in tx.spends}
        kept: dict[str, FakeTx] = {}
        for txid, tx in self.pool.items():
            parents = [p for p in _parents(tx) if p in self._transactions]
            alive = all(p in mined or p in self.pool for p in parents)
            if txid not in mined and alive and spent.isdisjoint(tx.spends):
                kept[txid] = tx
                spent.update(tx.spends)
        again = len(kept) < len(self.pool)
        self.pool = kept
        self.gone |= self._transactions.keys() - mined.keys() - kept.keys()
        if again:
            self.sweep()


def _parents(tx: FakeTx) -> list[str]:
    return [outpoint.rpartition(":")[0] for outpoint in tx.spends]
