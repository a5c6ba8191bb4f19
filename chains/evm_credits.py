"""What the transactions of one block left at the watched accounts, and what they say of balances.

Knows which transactions matter; asks no node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chains import evm_native_logs, evm_tokens, evm_traces
from chains.evm_balances import Held
from chains.evm_blocks import account, quantity
from chains.evm_moves import Move, net_credits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chains.evm_blocks import Block, Receipt, Tx
    from chains.evm_differences import Books, Found
    from chains.evm_receipts import Receipts
    from chains.evm_traces import Frames

Inner = dict[str, list[Move]]
"""What moved inside each transaction that matters, below its own value."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is credited: the coin's symbol, the tokens by contract in lower case, and those that are doubted.

    `sweeps`: the coin's balances are looked at, too, so transactions that the accounts sent matter.
    """

    native: str
    contracts: Mapping[str, str]
    doubted: Mapping[str, str]
    watched: set[bytes]
    sweeps: bool

    def traced(self, block: Block, frames: Frames) -> Inner:
        """Return what the traces tell of the transactions that matter."""

        def moves(tx: Tx) -> list[Move]:
            frame = frames.get(tx.hash)
            return list(evm_traces.inner_moves(frame, self.native)) if frame is not None else []

        return dict(self._mattering(block, moves))

    def logged(self, block: Block, receipts: Receipts) -> Inner:
        """Return what the coin's own logs tell of the transactions that matter."""

        def moves(tx: Tx) -> list[Move]:
            receipt = receipts.get(tx.hash)
            return evm_native_logs.inner_moves(tx, receipt, self.native) if receipt is not None else []

        return dict(self._mattering(block, moves))

    def _mattering(self, block: Block, moves: Callable[[Tx], list[Move]]) -> Iterator[tuple[str, list[Move]]]:
        watched, sweeps = self.watched, self.sweeps
        for tx in block.transactions:
            inner = moves(tx)
            if (
                _pays(tx, watched)
                or (
                    inner and any(move.to in watched or (sweeps and move.sender in watched) for move in inner)
                )
                or (sweeps and account(tx.sender) in watched)
            ):
                yield tx.hash, inner

    def credits(
        self, place: int, block: Block, inner: Inner, receipts: Receipts, books: Books
    ) -> Iterator[Found]:
        """Yield what the block's successful transactions left at the watched accounts; note it."""
        for tx in block.transactions:
            receipt = receipts.get(tx.hash)
            if receipt is None:
                continue
            moves: list[Move] = []
            if tx.hash in inner:
                moves += [*_own_move(tx, receipt, self.native), *inner[tx.hash]]
            if evm_tokens.pays(receipt.logs, self.contracts, self.watched):
                moves += evm_tokens.moves(receipt.logs, self.contracts)
            if moves and receipt.succeeded:
                for credit in net_credits(moves, self.watched):
                    yield place, tx.hash, credit
                    books.exact[Held(credit.asset, credit.account)].add(place)
            if self.sweeps or self.doubted:
                self._explain(place, tx, receipt, inner, books)

    def _explain(self, place: int, tx: Tx, receipt: Receipt, inner: Inner, books: Books) -> None:
        moves: list[Move] = []
        if self.sweeps and tx.hash in inner:
            moves += [*_own_move(tx, receipt, self.native), *inner[tx.hash]]
        if self.doubted:
            moves += [m for m in evm_tokens.moves(receipt.logs, self.contracts) if m.asset in self.doubted]
        if not moves or not receipt.succeeded:
            return
        for move in moves:
            if move.to in self.watched:
                books.explain(Held(move.asset, move.to), place, move.amount)
            if move.sender in self.watched:
                books.explain(Held(move.asset, move.sender), place, -move.amount)


def _pays(tx: Tx, watched: set[bytes]) -> bool:
    """Tell whether the transaction's own value may go to a watched account, as that of a creation may."""
    return (tx.to is None or account(tx.to) in watched) and quantity(tx.value) > 0


def _own_move(tx: Tx, receipt: Receipt, asset: str) -> Iterator[Move]:
    to, sender, amount = account(tx.to or receipt.contract_address), account(tx.sender), quantity(tx.value)
    if to is not None and sender is not None and amount > 0:
        yield Move(asset, "value", sender, to, amount)
