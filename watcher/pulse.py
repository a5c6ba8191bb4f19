"""Whether every loop still turns, and telling the supervisor so.

A loop says when it will be back at the latest; a supervisor is fed only while none is overdue (hazard 127).
A loop that waits for a dead node is known to be degraded and still turns; one that hangs does not.
"""

from __future__ import annotations

import asyncio
import os
import socket
from time import monotonic
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

ALLOWANCE = 300.0
"""Seconds that one turn of a loop may take: a long read from a slow node, every call within its own limit."""


class Pulse:
    """The loops of one process, each with the moment at which it is overdue."""

    def __init__(self, now: Callable[[], float] = monotonic, allowance: float = ALLOWANCE) -> None:
        """`now` is a monotonic clock in seconds."""
        self._now = now
        self._allowance = allowance
        self._due: dict[str, float] = {}

    def beat(self, loop: str, pause: float = 0.0) -> None:
        """Say that a loop turned, and is back after `pause` seconds and one turn."""
        self._due[loop] = self._now() + pause + self._allowance

    def overdue(self) -> list[str]:
        """Return the loops that should have turned again by now."""
        now = self._now()
        return sorted(loop for loop, due in self._due.items() if due < now)


def notify(state: str) -> bool:
    """Tell systemd, by the protocol of sd_notify(3); False where no supervisor listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)
    return True


def watchdog_interval() -> float | None:
    """Return how often systemd wants to be fed, in seconds: half its limit; None where it keeps no watch."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    if not limit.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(limit) / 2_000_000


async def feed(pulse: Pulse, interval: float) -> None:
    """Feed the supervisor while every loop turns; fall silent, and say why, when one does not."""
    while True:
        overdue = pulse.overdue()
        if overdue:
            log.error("watchdog.starved", loops=overdue)
        else:
            notify("WATCHDOG=1")
        await asyncio.sleep(interval)
