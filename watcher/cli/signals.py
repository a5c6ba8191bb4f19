"""The one place that knows signals: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, NoReturn

from watcher.cli.failure import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable


def listen(stop: asyncio.Event, at_once: Callable[[], None] = lambda: None) -> None:
    """Set `stop` at the first SIGTERM or SIGINT; at the second run `at_once` and leave. Needs a loop."""

    def heard() -> None:
        if stop.is_set():
            at_once()
            os._exit(FAILED)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard)


def leave() -> NoReturn:
    """End with status 0 at once, for a command that has nothing to finish; what was flushed stays said."""
    os._exit(0)


def leave_when_told() -> None:
    """Leave at the first SIGTERM or SIGINT, also from a write that nobody takes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave())


def leave_with_reader() -> None:
    """Leave as soon as nobody reads the pipe that is our standard output, not only at the next write.

    Needs a loop.
    """
    output = sys.stdout.fileno()
    if stat.S_ISFIFO(os.fstat(output).st_mode):
        asyncio.get_running_loop().add_reader(output, leave)  # the writing end is readable only when broken
