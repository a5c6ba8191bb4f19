"""Follows one chain: reads what is new as one consistent view and hands it to the ledger as a Batch.

Knows the adapter's protocol and the ledger; has never heard of invoices. Unknown is never taken for absent:
any trouble leaves the cursor where it is.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable
from watcher import failpoint
from watcher.ancestor import Ancestry
from watcher.batch_reader import BatchReader
from watcher.condition import Condition
from watcher.cross_check import CrossCheck
from watcher.gap_reader import GapReader
from watcher.lookout import Lookout
from watcher.model import Batch, GapReason, View
from watcher.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from chains.base import ChainAdapter, Tip
    from watcher.bus import Signal
    from watcher.ledger import Ledger
    from watcher.model import ChainStatus, Clock
    from watcher.pace import Pace

log = structlog.get_logger()

RESTLESS = 10
"""Reads in a row that the chain moved under before the scanner waits as if the node were down."""

HALTED_RETRY = 30.0
"""Seconds before a node that misbehaved is tried again; nothing is concluded from it meanwhile."""

FIRST_SPAN = 20
"""Blocks in the first read, before it is known how fast the node is."""

SLOW = 20.0
"""Seconds of one turn after which fewer blocks are asked for at a time."""

SURVEY = 30.0
"""Seconds between two looks at every endpoint of the chain."""

FLUSH = timedelta(seconds=10)
"""How often the passing of time alone is written down, when nothing else happens on a chain."""


class Scanner:
    """One chain's loop: sync, absorb, wait."""

    def __init__(  # noqa: PLR0913, PLR0917 - the composition root names each of them
        self,
        adapter: ChainAdapter,
        ledger: Ledger,
        clock: Clock,
        pace: Pace,
        wake: Signal,
        heartbeat: Callable[[float], None],
        trouble: Callable[[ChainStatus], None] = lambda _status: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` asks for a look before the next poll; `heartbeat` is told the coming pause, once a turn."""
        self.adapter = adapter
        self.name = adapter.name
        self._ledger = ledger
        self._clock = clock
        self._pace = pace
        self._wake = wake
        self._heartbeat = heartbeat
        self._monotonic = monotonic
        self._ancestry = Ancestry(adapter, ledger, pace.history)
        self._condition = Condition(adapter.name, ledger, clock, pace.stalled_after, trouble)
        self._lookout = Lookout(adapter, ledger)
        self._opened = self._shared = False
        self._span = min(adapter.span, FIRST_SPAN)
        self._failures = 0
        self._moved = 0
        self._last: Batch | None = None
        self._unread = Unread(len(adapter.health()), clock)
        self._surveyed_at = monotonic()
        self._reader = BatchReader(adapter, self._ancestry, self._lookout, self._unread, clock)
        self._check = CrossCheck(adapter, ledger.comparisons, pace.cross_check)
        self._gaps = GapReader(adapter, ledger, clock, self._ancestry, self._condition)

    def status(self) -> ChainStatus:
        """Return how well the chain is being followed."""
        return self._condition.status

    async def run(self) -> None:
        """Follow the chain until cancelled. Only what is no ChainError escapes."""
        while True:
            wake = self._wake.next()
            self._heartbeat(0.0)
            pause = await self.turn()
            self._heartbeat(pause)
            if pause:
                await self._wake.wait(pause, wake)

    async def turn(self) -> float:
        """Take one step, and return the seconds to wait before the next: 0 while there is more to read."""
        started = self._monotonic()
        try:
            more = await self._step()
        except ChainMoved as error:
            return await self._restless(error)
        except NodeMisbehaved as error:
            return await self._halt(error)
        except NodeUnavailable as error:
            return await self._unavailable(error)
        self._failures = self._moved = 0
        self._adapt(self._monotonic() - started)
        return 0.0 if more else self._pace.poll_interval

    def _adapt(self, seconds: float) -> None:
        """Ask for as many blocks as the node gives in good time: a turn must not look like a hang."""
        if seconds > SLOW:
            self._span = max(1, self._span // 2)
        elif seconds < SLOW / 4:
            self._span = min(self.adapter.span, self._span * 2)

    async def _step(self) -> bool:
        """Read and absorb what is next; return whether there is more to read at once."""
        await self._survey()
        await self._open()
        tip = await self.adapter.tip()
        view = await self._ledger.view(self.name)
        if view is None:
            view = await self._begin(tip)
        await self._share_accounts()
        shared = await self._ancestry.shared(view, tip)
        if shared.block.hash != view.head.hash:
            await self._prove()  # a node that was exchanged between two looks passes for a reorganisation
        await self._lookout.grow(shared.block)
        batch = await self._reader.batch(tip, view, shared, self._span)
        await self._absorb(batch)
        await self._condition.followed(tip, batch.view)
        if batch.view.head.height < tip.head.height:
            return True
        if await self._gaps.read(batch.view.head.height, self._span):
            return True
        await self._cross_check(batch.view)
        return False

    async def _cross_check(self, view: View) -> None:
        """Hold the balances against the deposits, unless blocks are left to read that may explain them.

        What nobody can read may stay so for ever, a rescan's blocks, too: only those are left out then.
        """
        waiting = [g for g in await self._ledger.gaps(self.name) if g.reason is GapReason.NEW_ADDRESS]
        remark = None if waiting else await self._check.after(view)
        if remark is not None:
            self._condition.remark(remark)

    async def _open(self) -> None:
        if self._opened:
            return
        await self.adapter.open()
        await self._prove()
        failpoint.hit("scan.opened")
        self._opened = True

    async def _share_accounts(self) -> None:
        """Once: watch the addresses that were shown for chains with the same accounts."""
        if not self._shared and self.adapter.namespace is not None:
            await self._ledger.share_accounts(self.name, self.adapter.namespace)
        self._shared = True

    async def _survey(self) -> None:
        """Now and then, look at the endpoints that are not in use, too."""
        if self._monotonic() - self._surveyed_at >= SURVEY:
            await self.adapter.survey()
            self._surveyed_at = self._monotonic()

    async def _prove(self) -> None:
        """Make sure that the node serves the chain that was absorbed under this name; else halt."""
        served = await self._identity()
        known = await self._ledger.identity(self.name)
        if known not in (None, served):
            self.adapter.distrust(f"it serves {_chain(served)}")
            raise NodeMisbehaved(
                f"the database holds {_chain(known)} under this name, the node serves {_chain(served)}; "
                "give the other network a name of its own"
            )

    async def _identity(self) -> tuple[str, str]:
        """Return which chain the node serves: its id, and its block 0, which no reorganisation changes."""
        return self.adapter.chain_id, (await self._ancestry.expect(0)).hash

    async def _begin(self, tip: Tip) -> View:
        """Start at the configured height, or at the head: no invoice is older than this."""
        start = tip.head
        if self._pace.start_height is not None and self._pace.start_height < tip.head.height:
            start = await self._ancestry.expect(self._pace.start_height)
        at_head = start.hash == tip.head.hash
        view = View(self.name, start, tip.as_of if at_head else start.time)
        batch = Batch(self.name, None, (start,), (), {}, None, view, self._clock(), 0)
        await self._ledger.begin(batch, *await self._identity())
        log.info("chain.begun", chain=self.name, height=start.height, hash=start.hash)
        return view

    async def _absorb(self, batch: Batch) -> None:
        """Write the batch down, unless it says nothing that is not known."""
        if self._is_news(batch) or await self._ledger.due(self.name, batch.view.as_of):
            failpoint.hit("scan.answered")
            events = await self._ledger.absorb(
                batch, drift=self.adapter.clock_drift, history=self._pace.history
            )
            self._last = batch
            if batch.hole:
                self._unread.forget(batch.hole)
            log.info(
                "chain.scanned",
                chain=self.name,
                height=batch.view.head.height,
                blocks=len(batch.blocks),
                transfers=len(batch.transfers),
                unconfirmed=len(batch.mempool.transfers) if batch.mempool else None,
                events=events,
            )

    def _is_news(self, batch: Batch) -> bool:
        old = self._last
        if old is None or batch.blocks or batch.spent or old.mempool != batch.mempool:
            return True
        same = replace(old.view, as_of=batch.view.as_of) == batch.view
        return not same or abs(batch.view.as_of - old.view.as_of) >= FLUSH

    async def _restless(self, error: ChainMoved) -> float:
        """Read again at once; a chain that never holds still counts as silent, and is given a pause."""
        self._moved += 1
        log.info("chain.moved", chain=self.name, reason=str(error))
        if self._moved < RESTLESS:
            return 0.0
        await self._condition.silent(str(error))
        return min(self._pace.poll_interval, 1.0)

    async def _unavailable(self, error: NodeUnavailable) -> float:
        """Wait with back-off: the state of the chain is unknown, so nothing is concluded."""
        self._opened = False
        self._failures += 1
        self._unread.note(error)
        self._span = max(1, self._span // 2)
        pause = error.retry_after or min(30.0, self._pace.poll_interval * 2 ** min(self._failures - 1, 8))
        log.warning("chain.unavailable", chain=self.name, reason=str(error), retry_in=pause)
        await self._condition.silent(str(error))
        return pause

    async def _halt(self, error: NodeMisbehaved) -> float:
        self._opened = False
        log.error("chain.halted", chain=self.name, reason=str(error))
        await self._condition.halted(str(error))
        return HALTED_RETRY


def _chain(identity: tuple[str, str] | None) -> str:
    chain_id, genesis = identity or ("", "")
    return f"{chain_id} with block 0 {genesis}"
