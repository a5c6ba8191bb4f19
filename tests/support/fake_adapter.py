"""A ChainAdapter over a FakeChain, with faults on demand: the reference that real adapters are held to."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import timedelta
from typing import TYPE_CHECKING

import fake_refund
from chains.base import (
    AddressError,
    Asset,
    BlockRef,
    BlocksMissing,
    BlockUnreadable,
    ChainError,
    Coin,
    EndpointHealth,
    Finding,
    Holding,
    Located,
    Mempool,
    NodeUnavailable,
    Reading,
    Recovery,
    Tip,
    Transfer,
    Unsigned,
    Watched,
)
from fake_chain import COIN, TOKEN, FakeChain, FakeTx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PREFIX = "fake1"
_DIGITS = 8
DOWN = "the node is down"


class Faults:
    """What goes wrong at the next calls of each method; "*" stands for all of them but `close`.

    `calls` counts the calls of each method, failed ones included.
    """

    def __init__(self) -> None:
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._actions: defaultdict[str, deque[Callable[[], object]]] = defaultdict(deque)
        self._lasting: dict[str, ChainError] = {}

    def fail(self, method: str, error: ChainError | None = None, times: int | None = 1) -> None:
        """Let the next `times` calls raise; None means until `heal`."""
        raised = error or NodeUnavailable(DOWN)
        if times is None:
            self._lasting[method] = raised
            return
        for _ in range(times):
            self.before(method, lambda: _raise(raised))

    def before(self, method: str, action: Callable[[], object]) -> None:
        """Run an action at the start of the next call: a reorganisation in the middle of a scan, say."""
        self._actions[method].append(action)

    def heal(self) -> None:
        """Forget every fault."""
        self._actions.clear()
        self._lasting.clear()

    def meet(self, method: str) -> None:
        """Do what is planned for this call of `method`."""
        self.calls[method] += 1
        for name in (method, "*"):
            if name in self._lasting:
                raise self._lasting[name]
            if self._actions[name]:
                self._actions[name].popleft()()


class FakeAdapter:
    """Watches a FakeChain. Several may watch one chain, each with its own `faults` and `lag`.

    `lag`: how many blocks this node is behind. `safe` and `finalized`: how far they lie below the head;
    None where the chain has none. Without a mempool it speaks for an account chain: `as_of` is the head's
    time. `endpoint` is the place of the node that answers. `pruned` heights and `unreadable` hashes cannot be
    read; `findable`: what is pruned can still be found by address.
    """

    def __init__(
        self,
        chain: FakeChain,
        name: str = "fake",
        *,
        has_mempool: bool = True,
        safe: int | None = None,
        finalized: int | None = None,
        fingerprint: str | None = "fake-key",
        span: int = 100,
        dust: int = 0,
        namespace: str | None = None,
    ) -> None:
        self.chain = chain
        self.name = name
        self.chain_id = "fake:1"
        self.contract_transfers = "none"
        self.clock_drift = timedelta(hours=2)
        self.span = span
        self.has_mempool = has_mempool
        self.namespace = namespace
        self.faults = Faults()
        self.pruned: set[int] = set()
        self.findable = False
        self.unreadable: set[str] = set()
        self.lag = 0
        self.opened = 0
        self.endpoint = 0
        self.distrusted: list[str] = []
        self._depths = (safe, finalized)
        self._fingerprint = fingerprint
        self._dust = dust

    async def open(self) -> None:
        self.faults.meet("open")
        self.opened += 1

    async def close(self) -> None:
        self.faults.calls["close"] += 1

    async def tip(self) -> Tip:
        self.faults.meet("tip")
        head = self._head()
        now = self.chain.clock()
        safe, finalized = (None if depth is None else max(0, head.height - depth) for depth in self._depths)
        as_of = now if self.has_mempool else min(head.time, now)
        return Tip(head, as_of, safe, finalized, self.endpoint)

    async def block(self, height: int) -> BlockRef | None:
        self.faults.meet("block")
        return self.chain.blocks[height].ref if 0 <= height <= self._head().height else None

    async def read(self, first: int, last: int, watched: Watched) -> Reading:
        self.faults.meet("read")
        if not 0 <= first <= last:
            raise ValueError(f"no range: {first} to {last}")
        if last > self._head().height:
            raise NodeUnavailable(f"block {last} is not there yet")
        self._refuse_holes(first, last)
        blocks = self.chain.blocks[first : last + 1]
        transfers = [
            transfer
            for block in blocks
            for transaction in block.transactions
            for transfer in _credits(transaction, watched, block.ref)
        ]
        spent = _spent((tx for block in blocks for tx in block.transactions), watched)
        return Reading(tuple(block.ref for block in blocks), tuple(transfers), spent, self.endpoint)

    async def recover(self, first: int, last: int, watched: Watched) -> Recovery:
        """Find by address what `findable` allows, as filters and the set of unspent outputs do."""
        self.faults.meet("recover")
        blocks = [block for block in self.chain.blocks[first : last + 1] if self.findable]
        found = [t for block in blocks for tx in block.transactions for t in _credits(tx, watched, block.ref)]
        return Recovery(tuple(found), tuple(block.ref for block in blocks))

    async def mempool(self, watched: Watched) -> Mempool:
        self.faults.meet("mempool")
        if not self.has_mempool:
            return Mempool()
        transfers = [t for tx in self.chain.pool.values() for t in _credits(tx, watched, None)]
        return Mempool(tuple(transfers), _spent(self.chain.pool.values(), watched), self.endpoint)

    async def check(self) -> tuple[Finding, ...]:
        try:
            self.faults.meet("check")
        except ChainError as error:
            return (Finding("reachable", ok=False, detail=str(error)),)
        return (Finding("reachable", ok=True, detail=f"height {self._head().height}"),)

    async def agree(self, block: BlockRef) -> None:
        del block
        self.faults.meet("agree")

    async def survey(self) -> None:
        self.faults.calls["survey"] += 1

    async def holdings(self, first: BlockRef, last: BlockRef, addresses: Sequence[str]) -> Sequence[Holding]:
        """Nothing is ever spent here: what the best chain up to each block pays is what is held."""
        self.faults.meet("holdings")
        return [
            Holding(
                address, asset, self._held(first, address, asset), self._held(last, address, asset), False
            )
            for address in addresses
            for asset in (COIN, TOKEN)
        ]

    def _held(self, block: BlockRef, address: str, asset: str) -> int:
        return sum(
            credit.amount
            for each in self.chain.blocks[: block.height + 1]
            for transaction in each.transactions
            for credit in transaction.credits
            if (credit.address, credit.asset) == (address, asset)
        )

    def distrust(self, reason: str) -> None:
        self.distrusted.append(reason)

    def health(self) -> tuple[EndpointHealth, ...]:
        return (EndpointHealth("fake://chain", "up", self._head().height),)

    def assets(self) -> tuple[Asset, ...]:
        return (
            Asset(COIN, f"{self.chain_id}/slip44:1", 8, dust=self._dust),
            Asset(TOKEN, f"{self.chain_id}/token:1", 6, "token"),
        )

    def canonical(self, address: str) -> str:
        """Accept "fake1" and eight digits in any case; another prefix stands for another network."""
        lower = address.lower()
        if not lower.startswith(PREFIX):
            raise AddressError(f"{address} is not an address of the fake chain: it would begin with {PREFIX}")
        if len(lower) != len(PREFIX) + _DIGITS or not lower[len(PREFIX) :].isdecimal():
            raise AddressError(f"{address} is broken: {_DIGITS} digits follow {PREFIX}")
        return lower

    def key(self, address: str) -> bytes:
        return address.encode()

    def derive(self, index: int) -> str:
        if self._fingerprint is None:
            raise AddressError(f"the chain {self.name} has no key to derive addresses from")
        return f"{PREFIX}{index:0{_DIGITS}}"

    def key_fingerprint(self) -> str | None:
        return self._fingerprint

    async def spending_cost(self, asset: str) -> int:
        self.faults.meet("spending_cost")
        return 1000 if asset == COIN else 0

    def transaction_id(self, txid: str) -> str:
        return fake_refund.transaction_id(txid)

    async def unsigned(self, coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
        self.faults.meet("unsigned")
        return fake_refund.unsigned(coins, address, asset, amount)

    async def locate(self, txid: str, address: str) -> Located | None:
        """Know the transactions of the best chain up to this node's head, and those of its mempool."""
        self.faults.meet("locate")
        txid = self.transaction_id(txid)
        watched = Watched({self.key(address)})
        for block in self.chain.blocks[: self._head().height + 1]:
            for transaction in block.transactions:
                if transaction.txid == txid:
                    return Located(block.ref, tuple(_credits(transaction, watched, block.ref)))
        pending = self.chain.pool.get(txid)
        if pending is None:
            return None
        return Located(None, tuple(_credits(pending, watched, None)) if self.has_mempool else None)

    def payment_uri(self, address: str, asset: str, amount: int) -> str:
        return f"fake:{address}?asset={asset}&amount={amount}"

    def _refuse_holes(self, first: int, last: int) -> None:
        asked = range(first, last + 1)
        for height in asked:
            if self.chain.blocks[height].ref.hash in self.unreadable:
                raise BlockUnreadable(f"block {height} cannot be parsed", height)
            if height in self.pruned:
                missing = [each for each in asked if each in self.pruned]
                raise BlocksMissing(f"block {height} is pruned", missing[0], missing[-1])

    def _head(self) -> BlockRef:
        blocks = self.chain.blocks
        return blocks[max(0, len(blocks) - 1 - self.lag)].ref


def _raise(error: ChainError) -> None:
    raise error


def _credits(transaction: FakeTx, watched: Watched, block: BlockRef | None) -> Iterator[Transfer]:
    """Yield the transaction's credits to watched addresses."""
    for number, credit in enumerate(transaction.credits):
        if credit.address.encode() in watched.scripts and credit.amount:
            yield Transfer(
                asset=credit.asset,
                txid=transaction.txid,
                slot=f"vout:{number}",
                address=credit.address,
                amount=credit.amount,
                block=block,
                spends=transaction.spends,
                maturity=transaction.maturity,
                seen_at=None if block else transaction.seen_at,
            )


def _spent(transactions: Iterable[FakeTx], watched: Watched) -> dict[str, str]:
    """Return who spends the watched outpoints."""
    return {spent: tx.txid for tx in transactions for spent in tx.spends if spent in watched.outpoints}
