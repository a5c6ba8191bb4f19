"""Finds the newest block that the ledger and the node share: what the next batch builds on.

A lower head is no reorganisation, another hash at a known height is (hazard 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from chains.base import BlockRef, ChainMoved, NodeMisbehaved, NodeUnavailable
from watcher import failpoint
from watcher.model import GapReason

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
        """`history` is how many blocks can be undone; the ledger keeps the one below them, too."""
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
        low = await self._standing([each for each in kept if each[0] <= tip.head.height])
        if low == 0:
            return await self._rebase(kept)
        base = await self._ledger.block(self._name, kept[low - 1][0])
        if base is None:
            raise ChainMoved(f"{self._name}: block {kept[low - 1][0]} was undone meanwhile")
        log.warning("chain.reorganised", chain=self._name, base=base.height, head=tip.head.height)
        failpoint.hit("scan.forked")
        return Shared(base)

    async def _standing(self, blocks: Sequence[tuple[int, str]]) -> int:
        """Return how many of these blocks, lowest first, are still on the node's chain."""
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if await self._stands(*blocks[middle]) else (low, middle)
        return low

    async def _stands(self, height: int, hash_: str) -> bool:
        there = await self._adapter.block(height)
        return there is not None and there.hash == hash_

    async def _rebase(self, kept: Sequence[tuple[int, str]]) -> Shared:
        """Build on a block below all that is kept; else halt.

        Either the operator asked for a rescan from there, or the chain is followed since so shortly that
        nothing was credited yet. It has to be a block that the old branch had, too, or that is older than
        every address: where exactly the branches part is not known any more, and what the new one pays
        above that place would be missed.
        """
        lowest = kept[0][0]
        credited = await self._ledger.credited(self._name)
        standing = await self._standing(credited)
        common = credited[standing - 1][0] if standing else await self._before_any_address(lowest)
        reach = max(1, min(lowest, common + 1))
        asked = [g.first for g in await self._ledger.gaps(self._name) if g.reason is GapReason.RESCAN]
        if asked and min(asked) <= reach:
            height = reach - 1  # what is credited below it stands; the rest of the wish stays a gap
        elif len(kept) <= self._history and not credited:
            height = min(lowest - self._history, reach - 1)
        else:
            raise TooDeep(
                f"reorganised below block {lowest}, deeper than the {self._history} blocks kept; check the "
                f"node, then: watcher rescan {self._name} --from HEIGHT, with a HEIGHT of {reach} or less"
            )
        base = await self.expect(max(0, height))
        log.warning("chain.rebased", chain=self._name, base=base.height)
        return Shared(base, kept=False)

    async def _before_any_address(self, lowest: int) -> int:
        """Return the newest block of the node's, below `lowest`, that is older than the first address."""
        made = await self._ledger.first_shown(self._name)
        if made is None:
            return lowest
        low, high = 0, lowest
        while low < high:
            middle = (low + high + 1) // 2
            block = await self.expect(middle)
            low, high = (middle, high) if block.time < made - self._adapter.clock_drift else (low, middle - 1)
        return low


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
