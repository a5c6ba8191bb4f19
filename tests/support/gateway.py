"""A gateway that embeds the watcher, to be killed: makes orders, and writes down each event and its fate.

Arguments: the configuration, how many orders, the file for what happens. Nothing is buffered.
"""

from __future__ import annotations

import asyncio
import os
import sys

from watcher import Watcher


async def main(config: str, orders: int, diary: int) -> None:
    async with Watcher(config) as watcher, asyncio.TaskGroup() as tasks:
        await watcher.ready()
        tasks.create_task(make(watcher, orders))
        async for event in watcher.events("gateway", in_flight=8):
            os.write(diary, f"given {event.seq} {event.id}\n".encode())
            await event.ack()
            os.write(diary, f"done {event.seq} {event.id}\n".encode())


async def make(watcher: Watcher, orders: int) -> None:
    """Begin with the first order every time, as somebody does who does not know how far they came."""
    for number in range(orders):
        await watcher.create_invoice(chain="ethereum", asset="ETH", amount="1", idempotency_key=f"A-{number}")


if __name__ == "__main__":
    file = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), file))
