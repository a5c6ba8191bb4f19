"""The mempool of one node: read in full first, then by the difference of its transaction list.

Keeps what pays watched scripts and who spends watched outpoints, of all else the identifiers only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from chains import bitcoin_calls as ask
from chains.base import NodeUnavailable
from chains.bitcoin_transaction import Transaction, parse_transaction
from chains.bitcoin_wire import Dialect, Output, WireError, outpoint, outpoint_text
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from chains.base import Watched
    from chains.rpc import Node

_PORTION = 500
"""Transactions fetched before they are looked at and thrown away."""
_REREAD_AFTER = 1800.0
"""Seconds after which everything is read again, in case a derived address was paid before it was watched."""


class _Entry(msgspec.Struct):
    time: int


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A transaction with watched outputs. `spends` are outpoints as text; `seen_at` is the node's word."""

    outputs: list[Output]
    spends: tuple[str, ...]
    seen_at: datetime


class MempoolReader:
    """Follows the mempool of whichever node is lent; another node, or a failure, makes it start anew."""

    def __init__(self, dialect: Dialect, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._dialect = dialect
        self._monotonic = monotonic
        self._node: Node | None = None
        self._read_at = 0.0
        self._scripts = 0
        self._brought = 0
        self._known: set[str] = set()
        self._newest: set[str] = set()
        self._deposits: dict[str, Unconfirmed] = {}
        self._spenders: dict[bytes, str] = {}

    def forget(self) -> None:
        """Read everything anew next time: the node was away."""
        self._node = None

    async def read(self, node: Node, watched: Watched) -> tuple[list[Unconfirmed], dict[str, str]]:
        """Return the live deposits, and which live transaction spends each watched outpoint."""
        if not (await ask.mempool_info(node)).loaded:
            raise NodeUnavailable(f"{node.url}: the node is still loading its mempool")
        if self._is_outdated(node, watched):
            self._start_anew()
        self._node = None  # unless all goes well
        grown = len(watched.scripts) != self._scripts
        self._scripts, self._brought = len(watched.scripts), watched.brought
        listed: set[str] = set(await node.call("getrawmempool", of=list[str]))
        self._drop(listed)
        await self._take_in_all(node, listed, watched, grown=grown)
        self._node = node
        return list(self._deposits.values()), {
            outpoint_text(spent): txid for spent, txid in self._spenders.items()
        }

    def _is_outdated(self, node: Node, watched: Watched) -> bool:
        """Tell whether to begin again: an address that was in use before may have been paid at any time."""
        late = self._monotonic() - self._read_at > _REREAD_AFTER
        return node is not self._node or watched.brought != self._brought or late

    def _start_anew(self) -> None:
        self._known, self._newest, self._deposits, self._spenders = set(), set(), {}, {}
        self._read_at = self._monotonic()

    async def _take_in_all(self, node: Node, listed: set[str], watched: Watched, *, grown: bool) -> None:
        """Look at what is new, and, if scripts were added, again at what was new to the last read.

        That is enough for every address that we made. The caller learns the addresses first and reads the
        mempool afterwards, so an address that was not among the last read's scripts was made after all reads
        before that one. Its payers came later still: none of those reads listed them, hence they were new
        to the last read, or they are new to this one. Each is looked at with the grown scripts here.
        """
        new = listed - self._known
        wanted = list(new | (self._newest & listed) if grown else new)
        self._known, self._newest = listed, new
        for start in range(0, len(wanted), _PORTION):
            await self._take_in(node, wanted[start : start + _PORTION], watched)

    def _drop(self, listed: set[str]) -> None:
        """Forget what left the mempool."""
        self._deposits = {txid: each for txid, each in self._deposits.items() if txid in listed}
        self._spenders = {spent: txid for spent, txid in self._spenders.items() if txid in listed}

    async def _take_in(self, node: Node, txids: Sequence[str], watched: Watched) -> None:
        """Look at these transactions; one that has gone meanwhile is new again if it comes back."""
        raw = await self._ask_each(node, "getrawtransaction", txids, str)
        found = [self._parse(node, txid, text, watched) for txid, text in raw]
        hits = [transaction for transaction in found if transaction.outputs]
        times = await self._ask_each(node, "getmempoolentry", [hit.txid for hit in hits], _Entry)
        seen_at = {txid: ask.moment(entry.time) for txid, entry in times}
        outpoints = {outpoint(text) for text in watched.outpoints}
        for transaction in found:
            if transaction.outputs and transaction.txid in seen_at:
                self._add(transaction, seen_at[transaction.txid])
                outpoints.update(transaction.inputs)
            self._note_spends(transaction, outpoints)

    def _add(self, transaction: Transaction, seen_at: datetime) -> None:
        spends = tuple(outpoint_text(each) for each in transaction.inputs)
        self._deposits[transaction.txid] = Unconfirmed(transaction.outputs, spends, seen_at)

    def _note_spends(self, transaction: Transaction, outpoints: set[bytes]) -> None:
        self._spenders.update({each: transaction.txid for each in transaction.inputs if each in outpoints})

    def _parse(self, node: Node, txid: str, text: str, watched: Watched) -> Transaction:
        try:
            return parse_transaction(
                ask.unhex(text, "getrawtransaction"), txid, self._dialect, watched.scripts
            )
        except WireError as error:
            raise NodeUnavailable(f"{node.url}: {error}") from error

    async def _ask_each(
        self, node: Node, method: str, txids: Iterable[str], of: type
    ) -> list[tuple[str, Any]]:
        """Ask the same of each transaction; those that have left the mempool are left out."""
        txids = list(txids)
        answers = await node.calls([(method, [txid]) for txid in txids], of=of, keep_errors=True)
        kept = []
        for txid, answer in zip(txids, answers, strict=True):
            if not isinstance(answer, RpcError):
                kept.append((txid, answer))
            elif answer.code == ask.NOT_FOUND:
                self._known.discard(txid)
            else:
                raise answer
        return kept
