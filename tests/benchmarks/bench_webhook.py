"""From a block being available to the webhook's arrival, and how much of it is waiting for the next poll."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from bisect import bisect_left
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from anvil_daemon import anvil, chain, tether
from daemon import Daemon
from harness import Report, Unavailable, percentile
from shop import SECRET, Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp import web

    from harness import Scale
    from watcher.sandbox.anvil import Anvil

_POLL = 0.5
_GAP = (0.1, 0.4)
"""Seconds between two payments, of their own rhythm: the polls do not know of it."""
_ETHER = 10**18
_PROGRAM = Path(__file__).with_name("observed_daemon.py")
_PATIENCE = 60.0


class TimedShop(Shop):
    """A shop that notes when each event of an invoice arrived first."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: dict[tuple[str, str], float] = {}
        self._news = asyncio.Event()

    async def _receive(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        body = json.loads(await request.read())
        self.arrived.setdefault((body["type"], body["data"]["invoice"]["id"]), now)
        self._news.set()
        return await super()._receive(request)

    async def heard_of(self, type_: str, invoices: Sequence[str]) -> list[float]:
        """Wait until each invoice had such an event; return when they arrived."""
        async with asyncio.timeout(_PATIENCE):
            while any((type_, each) not in self.arrived for each in invoices):
                self._news.clear()
                await self._news.wait()
        return [self.arrived[type_, each] for each in invoices]


async def run(scale: Scale, folder: Path) -> Report:
    looks = folder / "looks"
    shop = TimedShop()
    await shop.start()
    with anvil(folder) as node:
        configured = Daemon(folder, chain(node, tether(node), _POLL), shop.url, SECRET)
        async with _running(configured, looks):
            invoices = await _invoices(configured, scale.payments)
            ids = [each["id"] for each in invoices]
            await shop.heard_of("invoice.created", ids)
            first = node.height + 1
            available = await _pay(node, [each["options"][0]["address"] for each in invoices])
            paid = await shop.heard_of("invoice.paid", ids)
            detected = await shop.heard_of("payment.detected", ids)
    await shop.stop()
    waits = _waits(looks.read_text(), first, available)
    return _report(available, waits, detected, paid)


@asynccontextmanager
async def _running(daemon: Daemon, looks: Path) -> AsyncIterator[None]:
    """Run the observed daemon in a process of its own, caught up."""
    made = daemon.command("key", "create", "bench", "--scope", "admin")
    if made.returncode:
        raise Unavailable(made.stderr.strip())
    daemon.key = made.stdout.splitlines()[0]
    daemon.process = _launch(daemon, looks)
    try:
        await _caught_up(daemon)
        yield
    finally:
        daemon.terminate()


def _launch(daemon: Daemon, looks: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(_PROGRAM), str(daemon.config), str(looks)]
    with daemon.log.open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


async def _caught_up(daemon: Daemon) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                return await daemon.ready()
            except aiohttp.ClientError:
                if daemon.process is None or daemon.process.poll() is not None:
                    raise RuntimeError(daemon.log.read_text()) from None
                await asyncio.sleep(0.05)


async def _invoices(daemon: Daemon, count: int) -> list[dict[str, object]]:
    return [await daemon.invoice(chain="dev", asset="ETH", amount="0.01") for _ in range(count)]


async def _pay(node: Anvil, addresses: Sequence[str]) -> list[float]:
    """Mine one payment a block; return the moments at which the blocks were there."""
    chance = random.Random(4)
    sender = node.accounts[1]
    available = []
    for address in addresses:
        await asyncio.to_thread(node.send, address, _ETHER // 100, sender=sender)
        await asyncio.to_thread(node.mine)
        available.append(time.monotonic())
        await asyncio.sleep(chance.uniform(*_GAP))
    return available


def _waits(looks: str, first: int, available: Sequence[float]) -> list[float]:
    """Return the seconds from each block (heights from `first` on) to the first look that saw it."""
    lines = [line.split() for line in looks.splitlines()]
    heights = [int(height) for _, height in lines]
    begun = [float(began) for began, _ in lines]
    return [
        max(0.0, begun[bisect_left(heights, height)] - moment)
        for height, moment in enumerate(available, first)
    ]


def _report(
    available: Sequence[float], waits: Sequence[float], detected: Sequence[float], paid: Sequence[float]
) -> Report:
    report = Report(f"From block to webhook: {len(paid)} payments on anvil, a poll every {_POLL} s")
    total = [there - moment for there, moment in zip(paid, available, strict=True)]
    first = [there - moment for there, moment in zip(detected, available, strict=True)]
    work = [each - wait for each, wait in zip(total, waits, strict=True)]
    _spread(report, "total", "block to invoice.paid", total)
    _spread(report, "wait", "  of it waiting for the next poll", waits)
    _spread(report, "work", "  the rest: read, decide, commit, send", work)
    _spread(report, "detected", "block to payment.detected", first)
    report.add("wait_share", "share of waiting in all", 100 * sum(waits) / sum(total), "%")
    report.notes.append(
        "The block is available when the node has answered the call that mined it; the wait ends when the "
        "scanner's turn that saw it asked for the head. invoice.paid is the third event of its payment: "
        "those of one invoice are sent in order, each after the answer to the one before."
    )
    return report


def _spread(report: Report, key: str, label: str, seconds: Sequence[float]) -> None:
    for percent in (50, 99):
        report.add(f"{key}_p{percent}_ms", f"{label}, p{percent}", percentile(seconds, percent) * 1000, "ms")
