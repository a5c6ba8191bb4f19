"""The fake chain's adapter with every await a point, two nodes that differ, and blocks that are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chains.base import Mempool, Reading, Recovery, Tip, Transfer, Watched
from fake_adapter import FakeAdapter, _credits, _spent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from chains.base import BlockRef, Coin, Holding, Located, Unsigned
    from points import Points


class ShakyAdapter(FakeAdapter):
    """`points` are those of the process that uses it. Node 1 lags; whatever went wrong, node 0 is well."""

    points: Points

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.promised: dict[str, datetime] = {}
        """Until when the node said that its chain up to this head is all there is, by the head's hash."""
        self.after_tip: Callable[[], None] | None = None
        """What happens right after the next answer about the head."""

    def heal(self) -> None:
        self.faults.heal()
        self.lag = self.endpoint = 0
        self.pruned.clear()
        self.unreadable.clear()

    def distrust(self, reason: str) -> None:
        super().distrust(reason)
        self.endpoint = self.lag = 0

    async def open(self) -> None:
        await self.points.meet("open")
        await super().open()
        await self.points.meet("open")

    async def tip(self) -> Tip:
        await self.points.meet("tip")
        answer = await super().tip()
        if self.lag and answer.as_of - answer.head.time > self.clock_drift:
            answer = replace(answer, as_of=answer.head.time)  # as every adapter does where the head is stale
        self.promised[answer.head.hash] = answer.as_of
        happens, self.after_tip = self.after_tip, None
        if happens is not None:
            happens()
        await self.points.meet("tip")
        return answer

    async def block(self, height: int) -> BlockRef | None:
        await self.points.meet("block")
        answer = await super().block(height)
        await self.points.meet("block")
        return answer

    async def read(self, first: int, last: int, watched: Watched) -> Reading:
        await self.points.meet("read")
        answer = await super().read(first, last, watched)
        await self.points.meet("read")
        return answer

    async def mempool(self, watched: Watched) -> Mempool:
        """A node that lags still has unconfirmed what others have seen in its next blocks."""
        await self.points.meet("mempool")
        answer = await super().mempool(watched)
        if self.has_mempool and self.lag:
            hidden = [
                tx for block in self.chain.blocks[self._head().height + 1 :] for tx in block.transactions
            ]
            behind = [tx for tx in hidden if not tx.maturity]
            more = tuple(t for tx in behind for t in _credits(tx, watched, None))
            answer = Mempool(
                answer.transfers + more, {**answer.spent, **_spent(behind, watched)}, self.endpoint
            )
        await self.points.meet("mempool")
        return replace(answer, transfers=tuple(map(self._judged, answer.transfers)))

    def _judged(self, transfer: Transfer) -> Transfer:
        """Say of an unconfirmed transfer whether it spends what is unconfirmed itself."""
        parents = {outpoint.rpartition(":")[0] for outpoint in transfer.spends}
        return (
            transfer if parents.isdisjoint(self.chain.pool) else replace(transfer, risk="unconfirmed_parent")
        )

    async def recover(self, first: int, last: int, watched: Watched) -> Recovery:
        await self.points.meet("recover")
        answer = await super().recover(first, last, watched)
        await self.points.meet("recover")
        return answer

    async def agree(self, block: BlockRef) -> None:
        await self.points.meet("agree")
        await super().agree(block)

    async def holdings(self, first: BlockRef, last: BlockRef, addresses: Sequence[str]) -> Sequence[Holding]:
        await self.points.meet("holdings")
        return await super().holdings(first, last, addresses)

    async def unsigned(self, coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
        await self.points.meet("unsigned")
        return await super().unsigned(coins, address, asset, amount)

    async def locate(self, txid: str, address: str) -> Located | None:
        await self.points.meet("locate")
        return await super().locate(txid, address)
