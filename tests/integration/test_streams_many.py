"""Thousands of idle listeners on one daemon: each hears of an event, and the API answers beside them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quiet_daemon import quiet, running, tell
from watcher import descriptors

if TYPE_CHECKING:
    from daemon import Daemon

LISTENERS = 2200
JOINING = 50
"""How many join at the same time."""
KILOBYTES = 60
"""What one may cost the daemon; some 22 are what aiohttp needs for a connection and its request."""


class Listener:
    """A bare connection: a client that costs this process little."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def join(cls, daemon: Daemon) -> Listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port, limit=4096)
        head = f"GET /v1/events/stream HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {daemon.key}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        one = cls(reader, writer)
        assert 0 == await one.seq()
        return one

    async def seq(self) -> int:
        """Return the next id that is sent."""
        while True:
            line = await self._reader.readline()
            assert line, "the stream ended"
            if line.startswith(b"id: "):
                return int(line[4:])


async def _join(daemon: Daemon, number: int) -> list[Listener]:
    joining = asyncio.Semaphore(JOINING)

    async def join() -> Listener:
        async with joining:
            return await Listener.join(daemon)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(join()) for _ in range(number)]
    return [task.result() for task in tasks]


def _resident(daemon: Daemon) -> int:
    """Return the daemon's memory in kB."""
    assert daemon.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found
    return int(found[1])


@pytest.fixture
async def daemon(tmp_path: Path) -> Daemon:
    descriptors.allow_more()
    return await quiet(tmp_path)


async def test_thousands_listen_to_one_daemon_each_at_little_cost(daemon: Daemon) -> None:
    async with asyncio.timeout(120), running(daemon):
        before = _resident(daemon)
        listeners = await _join(daemon, LISTENERS)
        cost = (_resident(daemon) - before) / LISTENERS
        for seq in (1, 2):
            await tell(daemon)
            assert [seq] * LISTENERS == [await one.seq() for one in listeners]
            (item,) = (await daemon.call("GET", f"/v1/events?after={seq - 1}"))["data"]
            assert seq == item["seq"]
        for one in listeners:
            one.writer.close()

    assert cost < KILOBYTES
