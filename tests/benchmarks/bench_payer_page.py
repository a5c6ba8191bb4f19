"""The payer's page: how long the server takes to make it, and what open ones cost."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import aiohttp

from anvil_daemon import anvil, chain, tether
from daemon import Daemon
from harness import Report, percentile
from shop import SECRET
from watcher import descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Scale

_RENDERED = 200
"""Pages that are timed, at most."""
_AT_ONCE = 20
"""How many make invoices or open pages at the same time."""
_HEADERS = {"Accept": "text/html", "Accept-Encoding": "gzip, deflate"}


async def run(scale: Scale, folder: Path) -> Report:
    descriptors.allow_more()
    with anvil(folder) as node:
        daemon = Daemon(folder, chain(node, tether(node), 0.5), "http://127.0.0.1:9/", SECRET)
        daemon.environment = {"WATCHER_SERVER__RATE": "0", "WATCHER_SERVER__PUBLIC_RATE": "0"}
        await daemon.start()
        try:
            await daemon.ready()
            made = await _made(daemon, scale.pages)
            times, size = await _rendered(daemon, made[:_RENDERED], folder)
            memory = await _opened(daemon, made)
        finally:
            daemon.terminate()
    return _report(scale, times, size, memory)


async def _made(daemon: Daemon, count: int) -> list[str]:
    """Make invoices with two ways to pay; return their ids."""
    ways = [
        {"chain": "dev", "asset": "USDT", "amount": "25.50"},
        {"chain": "dev", "asset": "ETH", "amount": "0.01"},
    ]
    room = asyncio.Semaphore(_AT_ONCE)

    async def make() -> str:
        async with room:
            return str((await daemon.invoice(options=ways, description="Two cups", expires_in=86400))["id"])

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(make()) for _ in range(count)]
    return [task.result() for task in tasks]


async def _rendered(daemon: Daemon, ids: list[str], folder: Path) -> tuple[dict[str, list[float]], int]:
    """Return the seconds of pages made first and again, and of a static one, in turns; and a page's bytes."""
    found: dict[str, list[float]] = {"first": [], "again": [], "static": []}
    async with aiohttp.ClientSession(headers=_HEADERS, auto_decompress=False) as session:

        async def timed(url: str) -> tuple[float, bytes, str]:
            began = time.perf_counter()
            async with session.get(url) as answer:
                body = await answer.read()
                assert answer.status == 200, body
                return time.perf_counter() - began, body, answer.headers.get("Content-Encoding", "")

        _, body, encoding = await timed(_url(daemon, ids[0]))
        with _static(folder, body, encoding) as static:
            await timed(static)
            for id_ in ids[1:]:
                for name, url in (
                    ("first", _url(daemon, id_)),
                    ("static", static),
                    ("again", _url(daemon, id_)),
                ):
                    found[name].append((await timed(url))[0])
    return found, len(body)


@contextmanager
def _static(folder: Path, body: bytes, encoding: str) -> Iterator[str]:
    """Serve the same bytes from a process of their own."""
    file = folder / "page.html"
    file.write_bytes(body)
    program = [sys.executable, str(Path(__file__).with_name("static_page.py")), str(file), encoding]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


async def _opened(daemon: Daemon, ids: list[str]) -> tuple[float, float]:
    """Open the stream of every page; return the daemon's memory before and with them, in kB."""
    before = _resident(daemon)
    room = asyncio.Semaphore(_AT_ONCE)
    writers = []

    async def listen(id_: str) -> None:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port, limit=8192)
            writers.append(writer)
            writer.write(f"GET /i/{id_}/events HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            assert b" 200 " in await reader.readline()
            await reader.readuntil(b"\ndata: ")

    async with asyncio.TaskGroup() as group:
        for id_ in ids:
            group.create_task(listen(id_))
    after = _resident(daemon)
    for writer in writers:
        writer.close()
    return before, after


def _resident(daemon: Daemon) -> float:
    assert daemon.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert found
    return float(found[1])


def _url(daemon: Daemon, id_: str) -> str:
    return f"http://127.0.0.1:{daemon.port}/i/{id_}"


def _report(scale: Scale, times: dict[str, list[float]], size: int, memory: tuple[float, float]) -> Report:
    report = Report(f"The payer's page: two ways to pay, {scale.pages:,} of them open")
    first = times["first"]
    report.add("first_p50_ms", "made for the first time, p50", median(first) * 1000, "ms")
    report.add("first_p99_ms", "  p99", percentile(first, 99) * 1000, "ms", at_most=100)
    report.add("again_p50_ms", "made again, p50", median(times["again"]) * 1000, "ms")
    report.add(
        "static_p50_ms", "the same bytes from aiohttp alone, p50", median(times["static"]) * 1000, "ms"
    )
    report.add("ratio", "  the first time against it", median(first) / median(times["static"]), "times")
    report.add("page_bytes", "its bytes over the wire, files left out", size, "B")
    before, after = memory
    report.add("open_kb", "memory of an open page", (after - before) / scale.pages, "kB")
    report.add("daemon_mb", f"memory of the daemon with {scale.pages:,} of them", after / 1024, "MiB")
    report.notes.append(
        f"The installed daemon on anvil; {len(first):,} pages, each asked for once, the static one, and it "
        "again, one at a time over kept connections. The first time draws the QR code. Open pages are their "
        "streams, of as many invoices, from one address."
    )
    return report
