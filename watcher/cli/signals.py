"""The one place that knows signals: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

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
