"""Reads what is new on a chain as one consistent view: a Batch, or an error that leaves the cursor alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import ChainMoved, Mempool, Reading
from watcher import dust
from watcher.ancestor import check_endpoint, check_links
from watcher.model import Batch, View

if TYPE_CHECKING:
    from datetime import datetime

    from chains.base import BlockRef, ChainAdapter, Tip
    from watcher.ancestor import Ancestry, Shared
    from watcher.lookout import Lookout
    from watcher.model import Clock, Hole
    from watcher.unread import Unread


class BatchReader:
    """One chain's reader of batches."""

    def __init__(
        self, adapter: ChainAdapter, ancestry: Ancestry, lookout: Lookout, unread: Unread, clock: Clock
    ) -> None:
        """Share the scanner's own eyes: its branch, what it looks for, and what could not be read."""
        self._adapter = adapter
        self._name = adapter.name
        self._ancestry = ancestry
        self._lookout = lookout
        self._unread = unread
        self._clock = clock

    async def batch(self, tip: Tip, view: View, shared: Shared, span: int) -> Batch:
        """Read everything above the shared block, up to the head or the span, as one consistent view."""
        observed_at, base = self._clock(), shared.block
        reading, hole = await self._read(tip, base, _last_height(tip, view, base, span))
        head = reading.blocks[-1] if reading.blocks else base
        mempool = await self._mempool(tip, head, moved=base.hash != view.head.hash)
        await self._ancestry.still(base, head)
        await self._adapter.agree(head)  # an old head too: no deadline passes by the word of one alone
        return Batch(
            chain=self._name,
            base=base,
            blocks=reading.blocks,
            transfers=dust.above(self._adapter, reading.transfers, self._lookout.watched),
            spent=reading.spent,
            mempool=mempool,
            view=View(
                self._name,
                head,
                tip.as_of if mempool is not None else _known_until(tip, view, base, head),
                _below(tip.safe, head),
                _below(tip.finalized, head),
            ),
            observed_at=observed_at,
            watched_to=self._lookout.upto,
            rebased=not shared.kept,
            hole=hole,
        )

    async def _read(self, tip: Tip, base: BlockRef, last: int) -> tuple[Reading, Hole | None]:
        """Read the blocks above `base`, or no more than the headers of those that nobody can give."""
        first = base.height + 1
        hole = self._unread.at(first, min(tip.head.height, base.height + self._adapter.span))
        last = hole.last if hole else self._unread.last_before(first, last)
        if last < first:
            return Reading((), ()), None
        if hole:
            headers = [await self._ancestry.expect(height) for height in range(first, last + 1)]
            reading = Reading(tuple(headers), (), endpoint=tip.endpoint)
        else:
            reading = await self._adapter.read(first, last, self._lookout.watched)
        check_endpoint(tip, reading)
        check_links(self._name, base, last, reading)
        if last == tip.head.height and reading.blocks[-1].hash != tip.head.hash:
            raise ChainMoved(f"{self._name}: the head changed while it was read")
        return reading, hole

    async def _mempool(self, tip: Tip, head: BlockRef, *, moved: bool) -> Mempool | None:
        """Return the mempool if it belongs to the head: else a transaction just mined would look dropped.

        `moved`: blocks are undone by this batch, and what was in them may have gone back to the mempool:
        without it, money would seem to be gone.
        """
        if head.hash != tip.head.hash:
            return None
        if not self._adapter.has_mempool:
            return Mempool()
        pool = await self._adapter.mempool(self._lookout.watched)
        after = await self._adapter.tip()
        check_endpoint(tip, pool, after)
        if after.head.hash == tip.head.hash:
            transfers = dust.above(self._adapter, pool.transfers, self._lookout.watched)
            return Mempool(transfers, pool.spent, missed=pool.missed)
        if moved:
            raise ChainMoved(f"{self._name}: the head changed after a reorganisation")
        return None


def _last_height(tip: Tip, view: View, base: BlockRef, span: int) -> int:
    """Read a reorganisation in one piece, so that no payment seems gone while it is only moved."""
    replaced = view.head.height - base.height
    return min(tip.head.height, base.height + max(span, replaced + 1))


def _known_until(tip: Tip, view: View, base: BlockRef, head: BlockRef) -> datetime:
    """Return until when a reading proves everything that does not reach the head."""
    known = min(view.as_of, tip.as_of)
    return known if base.hash == view.head.hash else min(known, head.time)


def _below(height: int | None, head: BlockRef) -> int | None:
    return None if height is None else min(height, head.height)
