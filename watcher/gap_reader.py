"""Reads blocks again that a gap names: for new addresses, as an operator wished, or as nobody had them.

Never stands in the way of new blocks; what cannot be read rests, and is remarked on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from chains.base import BlocksMissing, BlockUnreadable, NodeUnavailable, Watched
from watcher import dust, failpoint
from watcher.deposits import Timing
from watcher.model import GapReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import ChainAdapter
    from watcher.ancestor import Ancestry
    from watcher.condition import Condition
    from watcher.ledger import Ledger
    from watcher.model import Clock, Gap

log = structlog.get_logger()

_RETRY = timedelta(seconds=30)
"""How long blocks that could not be read again are left alone: each try costs the node a failure."""
_RETRY_MISSING = timedelta(minutes=10)
"""The same for blocks that no endpoint has; doubled at each failure, as the search by address is long."""
_LONGEST = timedelta(hours=6)
_NEVER = datetime.max.replace(tzinfo=UTC)
_SEARCHED = 1000
"""Blocks searched by address at a time: what takes long is the same for many of them."""


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
        self._resting: dict[Gap, tuple[datetime, str]] = {}  # not by their ids, which are given again
        self._pauses: dict[Gap, timedelta] = {}
        self._passed: dict[Gap, int] = {}

    async def read(self, head: int, span: int) -> bool:
        """Read one piece of a gap, at most `span` blocks up to `head`; return whether there was one to read.

        One that cannot be read (a pruned node) stops neither the others nor the chain, and rests for a while.
        """
        gaps = await self._ledger.gaps(self._name)
        self._forget_all_but(gaps)
        quarantined = {g.first for g in gaps if g.reason is GapReason.QUARANTINED}
        for gap in gaps:
            retry_at, reason = self._resting.get(gap, (None, ""))
            first, end = self._passed.get(gap, gap.first - 1) + 1, min(head, gap.last)
            if retry_at is not None and self._clock() < retry_at:
                self._condition.remark(reason)
            elif first <= end and await self._can_read(gap, first, min(end, first + span - 1), quarantined):
                return True
        return False

    def _forget_all_but(self, gaps: Sequence[Gap]) -> None:
        standing = set(gaps)
        self._resting = {gap: each for gap, each in self._resting.items() if gap in standing}
        self._pauses = {gap: each for gap, each in self._pauses.items() if gap in standing}
        self._passed = {gap: each for gap, each in self._passed.items() if gap in standing}

    async def _can_read(self, gap: Gap, first: int, last: int, quarantined: set[int]) -> bool:
        try:
            await self._read_again(gap, first, last)
        except (BlockUnreadable, BlocksMissing) as error:
            stuck = _stretch(error)
            if stuck[0] > first:
                return await self._can_read(gap, first, stuck[0] - 1, quarantined)
            end = min(gap.last, max(last, min(stuck[1], first + _SEARCHED - 1)))
            if await self._go_round(gap, (first, end), error, quarantined):
                return True
            return self._pass_over(gap, stuck[1], error)
        except NodeUnavailable as error:
            return self._rest(gap, error)
        return True

    async def _go_round(
        self, gap: Gap, blocks: tuple[int, int], error: NodeUnavailable, quarantined: set[int]
    ) -> bool:
        """Find another way to what stands in these blocks; return whether the gap became smaller."""
        first, last = blocks
        if isinstance(error, BlocksMissing):
            return await self._recover(gap, first, last)
        if gap.reason is GapReason.QUARANTINED or first not in quarantined:
            return False
        await self._ledger.leave_out(gap, first)  # the quarantine's own gap keeps it
        return True

    def _pass_over(self, gap: Gap, last: int, error: NodeUnavailable) -> bool:
        """Rest, to go on behind blocks that cannot be read; where a gap ends with them, from its begin."""
        self._passed[gap] = last if last < gap.last else gap.first - 1
        return self._rest(gap, error)

    def _rest(self, gap: Gap, error: NodeUnavailable) -> bool:
        """Leave a gap alone for a while; the next time it may be another endpoint that is asked."""
        reason = f"blocks {gap.first} to {gap.last} have to be read again: {error}"
        log.warning("chain.gap_unavailable", chain=self._name, reason=reason)
        self._condition.remark(reason)
        self._resting[gap] = (self._retry_at(gap, error), reason)
        return False

    def _retry_at(self, gap: Gap, error: NodeUnavailable) -> datetime:
        if self._passed.get(gap, gap.first - 1) >= gap.first:
            return self._clock() + _RETRY
        if isinstance(error, BlockUnreadable) and gap.reason is GapReason.QUARANTINED:
            return _NEVER
        if not isinstance(error, BlocksMissing):
            return self._clock() + _RETRY
        pause = self._pauses.get(gap, _RETRY_MISSING)
        self._pauses[gap] = min(_LONGEST, 2 * pause)
        return self._clock() + pause

    async def _read_again(self, gap: Gap, first: int, last: int) -> None:
        """Read a piece of a gap and record what it says."""
        timing = Timing(self._clock(), drift=timedelta())
        watched = await self._watched(gap)
        reading = await self._adapter.read(first, last, watched)
        await self._ancestry.still(reading.blocks[0], reading.blocks[-1])
        transfers = dust.above(self._adapter, reading.transfers, watched)
        failpoint.hit("gap.answered")
        events = await self._ledger.absorb_again(gap, reading.blocks, transfers, timing)
        log.info("chain.read_again", chain=self._name, first=first, last=last, of=gap.last, events=events)

    async def _recover(self, gap: Gap, first: int, last: int) -> bool:
        """Look by address for what pruned blocks held; return whether the gap has become smaller by it."""
        timing = Timing(self._clock(), drift=timedelta())
        try:
            watched = await self._watched(gap)
            found = await self._adapter.recover(first, last, watched)
            ends = [*found.proven[:1], *found.proven[-1:], *(t.block for t in found.transfers if t.block)]
            await self._ancestry.still(*ends)
        except NodeUnavailable as error:
            log.warning("chain.recovery_failed", chain=self._name, first=first, reason=str(error))
            return False
        transfers = dust.above(self._adapter, found.transfers, watched)
        await self._ledger.absorb_recovered(gap, found.proven, transfers, timing)
        log.info(
            "chain.recovered_by_address",
            chain=self._name,
            first=first,
            last=last,
            transfers=len(transfers),
            proven=len(found.proven),
        )
        return bool(found.proven)

    async def _watched(self, gap: Gap) -> Watched:
        rows = await self._ledger.watched(self._name, gap.after, gap.upto)
        return Watched({row.script for row in rows}, payers={row.script for row in rows if row.payer})


def _stretch(error: BlockUnreadable | BlocksMissing) -> tuple[int, int]:
    """Return the first and last block that an error is about."""
    if isinstance(error, BlocksMissing):
        return error.first, error.last
    return error.height, error.height
