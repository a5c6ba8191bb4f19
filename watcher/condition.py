"""How well a chain is being followed, and telling the shop once when that changes for the worse or better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.model import ChainState, ChainStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from chains.base import Tip
    from watcher.ledger import Ledger
    from watcher.model import Clock, View

LIVE_WITHIN = 2
"""Blocks behind the node's head at which a chain still counts as followed live (CONTRACT, HTTP)."""


class Condition:
    """One chain's state. `stalled_after` is in seconds; 0 raises no alarm over mere silence."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        clock: Clock,
        stalled_after: float,
        trouble: Callable[[ChainStatus], None],
    ) -> None:
        """`trouble` hears of every look at the chain, good or bad."""
        self.status = ChainStatus(ChainState.CATCHING_UP, None, None, None, None)
        self._name = name
        self._ledger = ledger
        self._clock = clock
        self._stalled_after = stalled_after
        self._trouble = trouble
        self._good_at = clock()
        self._alarmed: bool | None = None

    async def followed(self, tip: Tip, view: View) -> None:
        """Note that the chain was read, and how far behind its head and the present."""
        now = self._clock()
        behind = max(0, tip.head.height - view.head.height)
        lag = max(0.0, (now - tip.as_of).total_seconds())
        if self._too_long(lag):
            reason = f"the newest block is {int(lag)} s old"
            self._set(ChainStatus(ChainState.STALLED, tip.head, view.head, behind, lag, reason))
            await self._alarm(reason)
            return
        self._good_at = now
        state = ChainState.LIVE if behind <= LIVE_WITHIN else ChainState.CATCHING_UP
        self._set(ChainStatus(state, tip.head, view.head, behind, lag))
        await self._alarm(None)

    async def silent(self, reason: str) -> None:
        """Note that nothing is known at the moment; the shop is told once this lasts."""
        lag = self._lost(ChainState.STALLED, reason)
        if self._too_long(lag):
            await self._alarm(reason)

    async def halted(self, reason: str) -> None:
        """Note that the chain is not followed until an operator has looked; the shop is told at once."""
        self._lost(ChainState.HALTED, reason)
        await self._alarm(reason)

    def remark(self, reason: str) -> None:
        """Add to the present state what else is wrong."""
        old = self.status
        lags = (old.lag_blocks, old.lag_seconds)
        self._set(ChainStatus(old.state, old.head, old.scanned, *lags, reason))

    def _lost(self, state: ChainState, reason: str) -> float:
        old = self.status
        lag = (self._clock() - self._good_at).total_seconds()
        self._set(ChainStatus(state, old.head, old.scanned, old.lag_blocks, lag, reason))
        return lag

    def _set(self, status: ChainStatus) -> None:
        self.status = status
        self._trouble(status)

    def _too_long(self, seconds: float) -> bool:
        return 0 < self._stalled_after < seconds

    async def _alarm(self, reason: str | None) -> None:
        alarm = reason is not None
        if alarm is not self._alarmed:
            await self._ledger.alarm(self._name, reason)
            self._alarmed = alarm
