"""The mempool of one node: read in full first, then by the difference of its transaction list.

Keeps what pays watched scripts and who spends watched outpoints, of all else the identifiers only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chains import bitcoin_calls as ask
from chains import bitcoin_risk
from chains.base import NodeUnavailable
from chains.bitcoin_transaction import Transaction, parse_transaction
from chains.bitcoin_wire import Dialect, Output, WireError, outpoint, outpoint_text
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from chains.base import Watched
    from chains.bitcoin_risk import Entry
    from chains.rpc import Node

_PORTION = 500
"""Transactions fetched before they are looked at and thrown away."""
_REREAD_AFTER = 1800.0
"""Seconds after which everything is read again, in case a derived address was paid before it was watched."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A transaction with watched outputs. `spends` are outpoints as text; `seen_at` is the node's word.

    `risk`: why it must not count before it is in a block, as `Transfer.risk` has it.
    """

    outputs: list[Output]
    spends: tuple[str, ...]
    seen_at: datetime
    risk: str | None


class MempoolReader:
    """Follows the mempool of whichever node is lent; another node, or a failure, makes it start anew."""

    def __init__(
        self,
        dialect: Dialect,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        fee_target: int = 3,
    ) -> None:
        """`fee_target`: blocks within which a payment's fee has to get it mined, or it is risky."""
        self._clock = clock
        self._dialect = dialect
        self._fee_target = fee_target
        self._monotonic = monotonic
        self._node: Node | None = None
        self._read_at = 0.0
        self._scripts = 0
        self._brought = 0
        self._known: set[str] = set()
        self._listed_at: datetime | None = None
        self._absent_at: dict[str, datetime | None] = {}
        self._newest: set[str] = set()
        self._deposits: dict[str, Unconfirmed] = {}
        self._spenders: dict[bytes, str] = {}

    @property
    def listed(self) -> set[str]:
        """What the node listed when it was read last."""
        return self._known

    def forget(self) -> None:
        """Read everything anew next time: the node was away."""
        self._node = None

    async def read(self, node: Node, watched: Watched) -> tuple[list[Unconfirmed], dict[str, str]]:
        """Return the live deposits, and which live transaction spends each watched outpoint."""
        info = await ask.mempool_info(node)
        if not info.loaded:
            raise NodeUnavailable(f"{node.url}: the node is still loading its mempool")
        if self._is_outdated(node, watched):
            self._start_anew()
        if node is not self._node:
            self._listed_at = None
        self._node = None  # unless all goes well
        grown = len(watched.scripts) != self._scripts
        self._scripts, self._brought = len(watched.scripts), watched.brought
        asked_at = self._clock()
        listed = await _listed(node, info.size)
        self._absent_at = {txid: self._absent_at.get(txid, self._listed_at) for txid in listed}
        self._listed_at = asked_at
        self._drop(listed)
        wanted = frozenset(listed)
        await self._take_in_all(node, listed, watched, grown=grown)
        await _make_sure_gone(node, wanted - self._known)
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
        entries = dict(
            await self._ask_each(node, "getmempoolentry", [hit.txid for hit in hits], bitcoin_risk.Entry)
        )
        rate = await ask.fee_rate(node, self._fee_target) if entries else 0
        outpoints = {outpoint(text) for text in watched.outpoints}
        for transaction in found:
            if transaction.txid in entries:
                self._add(transaction, entries[transaction.txid], rate)
                outpoints.update(transaction.inputs)
            self._note_spends(transaction, outpoints)

    def _add(self, transaction: Transaction, entry: Entry, rate: int) -> None:
        spends = tuple(outpoint_text(each) for each in transaction.inputs)
        risk = bitcoin_risk.judge(entry, rate, replaceable=transaction.replaceable)
        seen_at = self._seen_at(transaction.txid, entry)
        self._deposits[transaction.txid] = Unconfirmed(transaction.outputs, spends, seen_at, risk)

    def _seen_at(self, txid: str, entry: Entry) -> datetime:
        """Return the node's word, but nothing before our last look without it: the node's clock may lag."""
        absent_at = self._absent_at.get(txid)
        seen_at = ask.moment(entry.time)
        return seen_at if absent_at is None else max(seen_at, absent_at)

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


async def _listed(node: Node, size: int) -> set[str]:
    """Return the transactions of the mempool; NodeUnavailable where there are fewer than the node counts."""
    listed: set[str] = set(await node.call("getrawmempool", of=list[str]))
    if len(listed) < size and len(listed) < (least := min(size, (await ask.mempool_info(node)).size)):
        raise NodeUnavailable(f"{node.url}: the node lists {len(listed)} of {least} unconfirmed transactions")
    return listed


async def _make_sure_gone(node: Node, unread: frozenset[str]) -> None:
    """Raise NodeUnavailable if the node still lists a transaction that it did not give: it is not gone."""
    if unread and not unread.isdisjoint(await node.call("getrawmempool", of=list[str])):
        raise NodeUnavailable(f"{node.url}: the node lists transactions that it does not give")
