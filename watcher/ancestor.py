"""Finds the newest block that the ledger and the node share: what the next batch builds on.

A lower head is no reorganisation, another hash at a known height is (hazard 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from chains.base import BlockRef, ChainMoved, NodeMisbehaved, NodeUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import ChainAdapter, Mempool, Reading, Tip
    from watcher.ledger import Ledger
    from watcher.model import View

log = structlog.get_logger()


class TooDeep(NodeMisbehaved):
    """The chain was reorganised deeper than the blocks that are kept."""


class Shared(NamedTuple):
    """What the next batch builds on. `kept`: the ledger has it; else it takes the place of all it has."""

    block: BlockRef
    kept: bool = True


class Ancestry:
    """One chain's branch as it was absorbed, held against the node's."""

    def __init__(self, adapter: ChainAdapter, ledger: Ledger, history: int) -> None:
        """`history` is the number of blocks that the ledger keeps."""
        self._adapter = adapter
        self._ledger = ledger
        self._history = history
        self._name = adapter.name

    async def shared(self, view: View, tip: Tip) -> Shared:
        """Return the newest shared block; NodeUnavailable if the node lags, TooDeep if there is none."""
        height = min(view.head.height, tip.head.height)
        here = view.head if height == view.head.height else await self._ledger.block(self._name, height)
        there = tip.head if height == tip.head.height else await self.expect(height)
        if here is not None and here.hash != there.hash:
            return await self._fork(tip)
        if here is None or height < view.head.height:
            behind = f"the node is at block {height}, behind {view.head.height} seen before"
            self._adapter.distrust(behind)
            raise NodeUnavailable(behind)
        return Shared(here)

    async def expect(self, height: int) -> BlockRef:
        """Return the node's block at a height below its head; ChainMoved if it is gone."""
        block = await self._adapter.block(height)
        if block is None:
            raise ChainMoved(f"{self._name}: block {height} is not there any more")
        return block

    async def still(self, *blocks: BlockRef) -> None:
        """Raise ChainMoved unless the node's chain still holds each of these (invariant 5)."""
        for block in dict.fromkeys(blocks):
            now = await self._adapter.block(block.height)
            if now is None or now.hash != block.hash:
                raise ChainMoved(f"{self._name}: block {block.height} changed during the read")

    async def _fork(self, tip: Tip) -> Shared:
        """Find the last kept block that is still on the node's chain, by bisection."""
        kept = await self._ledger.kept(self._name)
        low, high = 0, sum(height <= tip.head.height for height, _ in kept)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if await self._stands(*kept[middle]) else (low, middle)
        if low == 0:
            return await self._rebase(kept)
        base = await self._ledger.block(self._name, kept[low - 1][0])
        if base is None:
            raise ChainMoved(f"{self._name}: block {kept[low - 1][0]} was undone meanwhile")
        log.warning("chain.reorganised", chain=self._name, base=base.height, head=tip.head.height)
        return Shared(base)

    async def _stands(self, height: int, hash_: str) -> bool:
        there = await self._adapter.block(height)
        return there is not None and there.hash == hash_

    async def _rebase(self, kept: Sequence[tuple[int, str]]) -> Shared:
        """Build on a block below all that is kept; else halt.

        Either the operator asked for a rescan from there, or the chain is followed since so shortly that
        nothing was credited yet: then reading more takes nothing back.
        """
        lowest = kept[0][0]
        asked = [gap.first for gap in await self._ledger.gaps(self._name) if gap.first <= lowest]
        if asked:
            height = min(asked) - 1
        elif len(kept) < self._history and not await self._ledger.has_deposits(self._name):
            height = lowest - self._history
        else:
            raise TooDeep(
                f"reorganised below block {lowest}, deeper than the {self._history} blocks kept; check the "
                f"node, then: watcher rescan {self._name} --from HEIGHT, with a HEIGHT of {lowest} or less"
            )
        base = await self.expect(max(0, height))
        log.warning("chain.rebased", chain=self._name, base=base.height)
        return Shared(base, kept=False)


def check_links(name: str, base: BlockRef, last: int, reading: Reading) -> None:
    """Raise unless the blocks are exactly those asked for, each the child of the one before it."""
    heights = [b.height for b in reading.blocks]
    if heights != list(range(base.height + 1, last + 1)):
        raise NodeUnavailable(f"{name}: asked for blocks {base.height + 1} to {last}, got {heights[:3]}…")
    parent = base.hash
    for block in reading.blocks:
        if block.parent != parent:
            raise ChainMoved(f"{name}: block {block.height} does not follow block {block.height - 1}")
        parent = block.hash


def check_endpoint(tip: Tip, *answers: Tip | Reading | Mempool) -> None:
    """Raise ChainMoved unless one endpoint said it all.

    Blocks name their parents, but a mempool or a final height says nothing of the node that it came from:
    the head of one and the mempool of another would drop a payment, or prove a deadline that is not proven.
    """
    if any(each.endpoint != tip.endpoint for each in answers):
        raise ChainMoved("another endpoint took over during the read")
