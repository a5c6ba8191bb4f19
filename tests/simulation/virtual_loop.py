"""An event loop whose time passes only when nothing is left to do: hours in milliseconds, always the same."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKS = 400_000
"""Turns of the loop after which a run is stuck: an ordinary one takes a few thousand."""


class Stuck(AssertionError):  # noqa: N818 - the name says what is wrong
    """Nothing can ever happen again, or the same happens for ever."""


class _NoWaiting(selectors.SelectSelector):
    """Answers at once; the time that it was asked to wait has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.looks = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.looks += 1
        if timeout is None:
            raise Stuck("every task waits, and for nothing that could come")
        if self.looks > LOOKS:
            raise Stuck(f"no end after {LOOKS} turns of the event loop")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Threads do not exist in it: what would run in one runs at once, so that every run is the same."""

    def __init__(self) -> None:
        self._waiting = _NoWaiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.now

    def run_in_executor(self, _executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        done = self.create_future()
        done.set_result(func(*args))
        return done


class VirtualClock:
    """The wall clock of a loop: it goes with the loop's time, and may jump ahead of it."""

    def __init__(self, loop: VirtualLoop, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self._loop = loop
        self._start = start

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def advance(self, seconds: float) -> datetime:
        """Jump: a machine that was suspended, or whose clock was set."""
        self._start += timedelta(seconds=seconds)
        return self()
