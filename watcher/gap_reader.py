"""Reads blocks again that a gap names: addresses that were made meanwhile, or an operator's wish.

Never stands in the way of new blocks; what cannot be read rests, and is remarked on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from chains.base import NodeUnavailable, Watched
from watcher import dust
from watcher.deposits import Timing

if TYPE_CHECKING:
    from datetime import datetime

    from chains.base import ChainAdapter
    from watcher.ancestor import Ancestry
    from watcher.condition import Condition
    from watcher.ledger import Ledger
    from watcher.model import Clock, Gap

log = structlog.get_logger()

GAP_RETRY = timedelta(seconds=30)
"""How long blocks that could not be read again are left alone: each try costs the node a failure."""


class GapReader:
    """One chain's gaps, a piece at a time."""

    def __init__(
        self, adapter: ChainAdapter, ledger: Ledger, clock: Clock, ancestry: Ancestry, condition: Condition
    ) -> None:
        """Share the scanner's own eyes: its branch, and what it says of the chain's condition."""
        self._adapter = adapter
        self._name = adapter.name
        self._ledger = ledger
        self._clock = clock
        self._ancestry = ancestry
        self._condition = condition
        self._resting: dict[int, tuple[datetime, str]] = {}

    async def read(self, head: int, span: int) -> bool:
        """Read one piece of a gap, at most `span` blocks up to `head`; return whether there was one to read.

        One that cannot be read (a pruned node) stops neither the others nor the chain, and rests for a while.
        """
        for gap in await self._ledger.gaps(self._name):
            retry_at, reason = self._resting.get(gap.id, (None, ""))
            if retry_at is not None and self._clock() < retry_at:
                self._condition.remark(reason)
            elif gap.first <= head and await self._can_read(gap, min(head, gap.first + span - 1)):
                return True
        return False

    async def _can_read(self, gap: Gap, last: int) -> bool:
        try:
            await self._read_again(gap, min(last, gap.last))
        except NodeUnavailable as error:
            reason = f"blocks {gap.first} to {gap.last} have to be read again: {error}"
            log.warning("chain.gap_unavailable", chain=self._name, reason=reason)
            self._condition.remark(reason)
            self._resting[gap.id] = (self._clock() + GAP_RETRY, reason)
            return False
        self._resting.pop(gap.id, None)
        return True

    async def _read_again(self, gap: Gap, last: int) -> None:
        """Read the first piece of a gap and record what it says."""
        timing = Timing(self._clock(), drift=timedelta())
        reading = await self._adapter.read(gap.first, last, await self._watched(gap))
        await self._ancestry.still(reading.blocks[0], reading.blocks[-1])
        transfers = dust.above(self._adapter, reading.transfers)
        events = await self._ledger.absorb_again(gap, reading.blocks, transfers, timing)
        log.info("chain.read_again", chain=self._name, first=gap.first, last=last, of=gap.last, events=events)

    async def _watched(self, gap: Gap) -> Watched:
        rows = await self._ledger.watched(self._name, gap.after, gap.upto)
        return Watched({row.script for row in rows})
