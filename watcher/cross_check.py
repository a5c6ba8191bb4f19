"""Holds the balances of watched addresses against the deposits, every so many blocks, a portion each time.

Whatever way a chain is read in, money that no reading told of is noticed here at the latest. It never stands
in the way of new blocks: what cannot be compared is left out, with a remark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from chains.base import BlocksMissing, ChainError
from watcher.ledger_balances import Disagreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import BlockRef, ChainAdapter, Holding
    from watcher.ledger_balances import Comparisons, Key
    from watcher.model import View

log = structlog.get_logger()

TRIES = 10
"""How often an endpoint that cannot answer is asked, at most, within the blocks between two comparisons."""
PORTION = 1000
"""Addresses compared at a time: more take turns, so that many cost no more than these."""


class CrossCheck:
    """One chain's comparisons."""

    def __init__(self, adapter: ChainAdapter, comparisons: Comparisons, every: int) -> None:
        """`every`: blocks between two comparisons; 0 never compares."""
        self._adapter = adapter
        self._name = adapter.name
        self._comparisons = comparisons
        self._every = every
        self._after = 0
        self._failed: tuple[int, str] | None = None
        self._floors = {asset.symbol: asset.dust for asset in adapter.assets()}

    async def after(self, view: View) -> str | None:
        """Compare if it is time to; return why it could not be done, None if it was or need not be."""
        first = await self._first(view) if self._every else None
        if first is None:
            return None
        if self._failed is not None and 0 <= view.head.height - self._failed[0] < self._every / TRIES:
            return self._failed[1]
        self._failed = None
        try:
            await self._compare((first, view.head))
        except BlocksMissing as error:
            await self._comparisons.begin(self._name, view.head)
            return self._skipped(first, view.head, error)
        except ChainError as error:
            self._failed = view.head.height, self._skipped(first, view.head, error)
            return self._failed[1]
        return None

    async def _first(self, view: View) -> BlockRef | None:
        """Return the block to compare from, None if it is not time to.

        It is the last one compared, or one below it if that left the chain: what was recorded there did, too.
        """
        head, begun = view.head, await self._comparisons.anchor(self._name)
        if begun is not None and 0 <= head.height - begun[0] < self._every:
            return None
        block = await self._still(begun, head.height) if begun is not None else None
        if block is None or block.height >= head.height:
            await self._comparisons.begin(self._name, head)
            return None
        return block

    async def _still(self, begun: tuple[int, str], head: int) -> BlockRef | None:
        height, hash_ = begun
        block = await self._comparisons.kept(self._name, height)
        if block is not None and block.hash == hash_:
            return block
        return await self._comparisons.kept(self._name, max(0, min(height, head) - self._every))

    async def _compare(self, window: tuple[BlockRef, BlockRef]) -> None:
        portion = await self._comparisons.portion(self._name, window, self._after, PORTION)
        holdings: Sequence[Holding] = ()
        if portion.addresses:
            holdings = await self._adapter.holdings(*window, portion.addresses)
        credited = await self._comparisons.credited(self._name, window, portion.addresses)
        found = [_compared(each, credited) for each in holdings]
        wrong = [each for each, held in zip(found, holdings, strict=True) if self._is_wrong(each, held)]
        await self._comparisons.conclude(self._name, window, wrong, [x for x in found if x not in wrong])
        self._after = portion.upto or 0
        log.info(
            "chain.cross_checked",
            chain=self._name,
            first=window[0].height,
            last=window[1].height,
            addresses=len(portion.addresses) if holdings else 0,
            disagreements=len(wrong),
        )

    def _is_wrong(self, found: Disagreement, held: Holding) -> bool:
        """Tell whether a balance contradicts the deposits; what is below the floor was left out."""
        excess = found.growth - found.credited
        if excess > 0:
            return excess >= self._floors.get(found.asset, 0)
        return excess < 0 and not held.moved

    def _skipped(self, first: BlockRef, last: BlockRef, error: ChainError) -> str:
        reason = f"the balances were not compared over blocks {first.height} to {last.height}: {error}"
        log.warning("chain.not_cross_checked", chain=self._name, reason=reason)
        return reason


def _compared(held: Holding, credited: dict[Key, int]) -> Disagreement:
    growth = held.after - held.before
    return Disagreement(held.address, held.asset, growth, credited.get((held.address, held.asset), 0))
