"""Work beside the task that started it: when it ends unasked, that task is interrupted, and told why.

Knows asyncio alone. The host's task is cancelled as by `asyncio.timeout`: the cancellation never leaves the
block that it belongs to.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class WatcherFailed(Exception):  # noqa: N818 - it failed, and says of what
    """Something inside died that nobody expected, and the watcher with it; `__cause__` is what it died of."""


class Beside:
    """One coroutine in a task of its own."""

    def __init__(self, work: Coroutine[Any, Any, None], begun: asyncio.Future[None], name: str) -> None:
        """`begun` is set by the work once it runs; what keeps it from that is raised by `start`."""
        self._begun = begun
        self._host: asyncio.Task[Any] | None = None
        self._interrupted = self._leaving = False
        self._task = asyncio.create_task(work, name=name)
        self._task.add_done_callback(self._ended)

    async def start(self) -> None:
        """Wait until the work runs; raises what keeps it from running."""
        await self._begun
        if failed := self.failure():  # between the two
            raise failed
        self._host = asyncio.current_task()

    @property
    def cause(self) -> BaseException | None:
        """What the work died of, None while it lives or after it ended as it was told to."""
        if not self._task.done():
            return None
        if self._task.cancelled():
            return None if self._leaving else asyncio.CancelledError("somebody cancelled its task")
        return self._task.exception()

    def failure(self) -> WatcherFailed | None:
        """Return what to raise because the work died, None if it did not."""
        if self.cause is None:
            return None
        failed = WatcherFailed(f"the watcher ended: {_leaf(self.cause)!r}")
        failed.__cause__ = self.cause
        return failed

    async def end(self) -> None:
        """Wait until the work, which was told to, has ended; cancelled meanwhile, end it at once."""
        self._leaving = True
        if self._interrupted:
            await self._absorb()
        try:
            await asyncio.wait({self._task})
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait({self._task})
            raise

    def _ended(self, _: asyncio.Task[None]) -> None:
        cause = self.cause
        if not self._begun.done():
            self._begun.set_exception(cause or RuntimeError("the watcher ended before it began"))
        elif self._host is not None and not self._leaving:
            self._interrupted = True
            self._host.cancel("the watcher ended")

    async def _absorb(self) -> None:
        """Take back the cancellation of the host, whether it reached the block or is still to come."""
        with suppress(asyncio.CancelledError):  # ours
            await asyncio.sleep(0)
        if self._host is not None:
            self._host.uncancel()


def _leaf(error: BaseException) -> BaseException:
    """Return the first error inside of groups: the one that began it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
