"""Wake-ups inside one process. Only a hint to look sooner: whoever misses one finds the work by polling."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


class Signal:
    """Wakes everyone who waits at the moment it is set."""

    def __init__(self) -> None:
        """Start unset."""
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Return the event of the next wake-up: taken before looking for work, none is missed."""
        return self._event

    async def wait(self, timeout: float | None, event: asyncio.Event | None = None) -> bool:  # noqa: ASYNC109
        """Wait at most `timeout` seconds for a wake-up (of `event`, if taken before); True if it came."""
        try:
            async with asyncio.timeout(timeout):
                await (event or self._event).wait()
        except TimeoutError:
            return False
        return True


async def first_of(events: Iterable[asyncio.Event], timeout: float) -> None:  # noqa: ASYNC109
    """Wait at most `timeout` seconds for any of some wake-ups, each taken before looking for work."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@dataclass(slots=True)
class Bus:
    """What there is to wake for.

    `outbox`: deliveries were written. `events`: an event was. `scan`: a chain has something to do. `chains`:
    one was looked at. `on_decided`: who hears of decisions, also of those that no event tells of.
    """

    outbox: Signal = field(default_factory=Signal)
    events: Signal = field(default_factory=Signal)
    chains: Signal = field(default_factory=Signal)
    scan: defaultdict[str, Signal] = field(default_factory=lambda: defaultdict(Signal))
    on_decided: list[Callable[[Collection[str], int], None]] = field(default_factory=list)

    def published(self) -> None:
        """Tell the notifier and every listener; call it after the commit."""
        self.outbox.set()
        self.events.set()

    def decided(self, subjects: Collection[str], events: int) -> None:
        """Tell of invoices and standing addresses whose facts changed; call it after the commit.

        `events`: how many tell of it. A refund's new address has none, a wrong payment's end neither.
        """
        if subjects:
            for hear in self.on_decided:
                hear(subjects, events)
