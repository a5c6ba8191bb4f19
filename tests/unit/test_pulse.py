from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from watcher import pulse
from watcher.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWANCE = 10.0
INTERVAL = 0.01


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Supervisor:
    """The end of the notification socket that systemd holds."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Return what was said since the last time."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(4096).decode())
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "an abstract name"])
def supervisor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Supervisor]:
    name = str(tmp_path / "notify")[-90:] if request.param == "an abstract name" else str(tmp_path / "n")
    listening = Supervisor(f"\0{name}" if request.param == "an abstract name" else name)
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if request.param == "an abstract name" else name)
    yield listening
    listening.close()


def test_a_loop_is_overdue_only_after_its_pause_and_one_turn() -> None:
    now = Seconds()
    subject = Pulse(now, ALLOWANCE)
    subject.beat("scan", pause=30)

    found = []
    for moment in (0.0, 30.0, 40.0, 40.1):
        now.now = moment
        found.append(subject.overdue())

    assert [[], [], [], ["scan"]] == found


def test_every_overdue_loop_is_named_and_a_beat_clears_it() -> None:
    now = Seconds()
    subject = Pulse(now, ALLOWANCE)
    for loop in ("scan b", "notifier", "scan a"):
        subject.beat(loop)
    now.now = ALLOWANCE + 1
    subject.beat("notifier")

    assert ["scan a", "scan b"] == subject.overdue()


def test_a_supervisor_reads_what_was_said(supervisor: Supervisor) -> None:
    assert pulse.notify("READY=1")
    assert pulse.notify("STOPPING=1")

    assert ["READY=1", "STOPPING=1"] == supervisor.heard()


def test_without_a_supervisor_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    assert not pulse.notify("READY=1")


@pytest.mark.parametrize(
    ("limit", "process", "expected"),
    [
        pytest.param("60000000", None, 30.0, id="half of the limit"),
        pytest.param("60000000", str(os.getpid()), 30.0, id="meant for this process"),
        pytest.param("60000000", "1", None, id="meant for another process"),
        pytest.param(None, None, None, id="no watch is kept"),
        pytest.param("soon", None, None, id="no number"),
        pytest.param("0", None, 0.0, id="zero switches it off"),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_limit(
    limit: str | None, process: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", limit), ("WATCHDOG_PID", process)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    assert expected == pulse.watchdog_interval()


async def test_h127_the_supervisor_is_fed_while_all_loops_turn_and_starved_when_one_hangs(
    supervisor: Supervisor,
) -> None:
    now = Seconds()
    subject = Pulse(now, ALLOWANCE)
    subject.beat("notifier")
    subject.beat("scan")
    feeding = asyncio.create_task(pulse.feed(subject, INTERVAL))
    heard = []
    for moment in (ALLOWANCE / 2, ALLOWANCE + 1, ALLOWANCE + 2):
        now.now = moment
        await asyncio.sleep(INTERVAL)  # whatever was about to be said before the clock moved
        supervisor.heard()
        await asyncio.sleep(5 * INTERVAL)
        heard.append(set(supervisor.heard()))
        subject.beat("notifier")
        if moment > ALLOWANCE + 1:
            subject.beat("scan")
    await asyncio.sleep(5 * INTERVAL)
    heard.append(set(supervisor.heard()))
    feeding.cancel()

    assert [{"WATCHDOG=1"}, set(), set(), {"WATCHDOG=1"}] == heard
