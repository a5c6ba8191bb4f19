"""The daemon of `watcher run`, which also writes down when each look at the chain began and what it saw.

As a program it takes the configuration and the file to write, a line a look: monotonic seconds (that clock is
the same in all processes of a machine) and the height of the head.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from watcher import app as composition
from watcher import log
from watcher.settings import load

if TYPE_CHECKING:
    from chains.base import ChainAdapter, Tip


def observe(adapter: ChainAdapter, looks: TextIO) -> None:
    """Note each call of `tip`, with which every turn of the scanner begins."""
    tip = adapter.tip

    async def noted() -> Tip:
        began = time.monotonic()
        found = await tip()
        looks.write(f"{began} {found.head.height}\n")
        return found

    adapter.tip = noted  # type: ignore[method-assign]


async def main(config: Path, looks: TextIO) -> None:
    log.configure(level="warning")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = composition.build(load(config, {}))
    for adapter in app.chains.values():
        observe(adapter, looks)
    await composition.run(app, stop)


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", buffering=1) as written:
        asyncio.run(main(Path(sys.argv[1]), written))
