"""`watcher events`: one event a line, with a daemon or without; followed over anything that happens to it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from command_line import PROGRAM, environment
from quiet_daemon import fill, quiet, running, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from daemon import Daemon

WITHIN = 30.0


@pytest.fixture
async def daemon(tmp_path: Path) -> Daemon:
    return await quiet(tmp_path)


def seqs(text: str) -> list[int]:
    return [json.loads(line)["seq"] for line in text.splitlines()]


def piped(daemon: Daemon, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, of which every part has to succeed, where the configuration is."""
    command = ["timeout", "60", "bash", "-o", "pipefail", "-c", line]
    folder = daemon.config.parent
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


class Follower:
    """`watcher events --follow` as a process."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self._folder = process, folder

    @property
    def text(self) -> str:
        return (self._folder / "events").read_text()

    @property
    def seqs(self) -> list[int]:
        return seqs(self.text)

    @property
    def complaints(self) -> list[str]:
        return (self._folder / "complaints").read_text().splitlines()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not true():
                assert self.process.poll() is None, self.complaints
                await asyncio.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(WITHIN)


@contextmanager
def following(daemon: Daemon, *words: str) -> Iterator[Follower]:
    folder = daemon.config.parent
    with (folder / "events").open("wb") as out, (folder / "complaints").open("wb") as err:
        line = [PROGRAM, "events", "--follow", *words]
        process = subprocess.Popen(line, cwd=folder, env=environment(), stdout=out, stderr=err)
    with process:
        try:
            yield Follower(process, folder)
        finally:
            process.kill()


def test_all_is_printed_without_a_daemon_and_a_reader_that_wants_one_line_is_no_failure(
    daemon: Daemon,
) -> None:
    nothing = daemon.command("events")
    fill(daemon, 450, 1000)
    whole, some = daemon.command("events"), daemon.command("events", "--after", "7", "--limit", "201")
    first = piped(daemon, f"{PROGRAM} events | head -n 1")

    assert (0, "", "") == (nothing.returncode, nothing.stdout, nothing.stderr)
    assert [*range(1, 451)] == seqs(whole.stdout)
    assert [*range(8, 209)] == seqs(some.stdout)
    assert (0, [1], "") == (first.returncode, seqs(first.stdout), first.stderr)
    assert ["seq", "id", "type", "data"] == list(json.loads(whole.stdout.splitlines()[0]))


async def test_a_follower_misses_and_repeats_nothing_while_the_daemon_is_killed_again_and_again(
    daemon: Daemon,
) -> None:
    fill(daemon, 1)
    with following(daemon, "--after", "0") as follower:
        await follower.until(lambda: bool(follower.complaints))
        for number in (1, 4):
            async with running(daemon):
                await tell(daemon)
                await follower.until(lambda n=number: len(follower.seqs) > n)  # type: ignore[misc]
                await tell(daemon)  # killed now, perhaps before the follower heard of it
            fill(daemon, 1)
        async with running(daemon):
            await follower.until(lambda: len(follower.seqs) >= 7)
            listed = await asyncio.to_thread(daemon.command, "events", "--json")

            assert 0 == follower.end(signal.SIGINT)

    assert [1, 2, 3, 4, 5, 6, 7] == follower.seqs
    assert listed.stdout == follower.text
    assert {"the daemon is not running; waiting for it"} == set(follower.complaints)
    assert len(follower.complaints) <= 3


async def test_it_starts_now_and_from_then_on_misses_nothing_that_is_told_while_it_is_cut_off(
    daemon: Daemon,
) -> None:
    fill(daemon, 1)
    async with running(daemon):
        with following(daemon) as follower:
            await _until_somebody_listens(daemon)
            assert 0 == await asyncio.to_thread(daemon.terminate)
            fill(daemon, 1)
            await daemon.start()
            await follower.until(lambda: bool(follower.seqs))

            assert 0 == follower.end(signal.SIGTERM)

    assert [2] == follower.seqs


async def _until_somebody_listens(daemon: Daemon) -> None:
    async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{daemon.port}/metrics") as answer:
                if "watcher_event_streams 1.0" in await answer.text():
                    return
            await asyncio.sleep(0.1)


async def test_it_ends_when_its_reader_does_or_at_its_limit_or_where_waiting_will_not_help(
    daemon: Daemon,
) -> None:
    fill(daemon, 1)
    async with running(daemon):
        lines = (
            f"{PROGRAM} events --follow --after 0 | head -n 1",
            f"{PROGRAM} events -f --after 0 --limit 1",
            f"{PROGRAM} events --follow --after 7",
        )
        read, limited, refused = await asyncio.gather(*(asyncio.to_thread(piped, daemon, x) for x in lines))

    assert (0, [1], "") == (read.returncode, seqs(read.stdout), read.stderr)
    assert (0, [1], "") == (limited.returncode, seqs(limited.stdout), limited.stderr)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert refused.stderr.startswith("--after: no event has this seq yet: the newest is 1")
    assert 1 == len(refused.stderr.splitlines())


async def test_a_signal_ends_it_also_while_nobody_takes_what_it_writes(daemon: Daemon) -> None:
    fill(daemon, 50, 18_000)
    async with running(daemon):
        assert 0 == await asyncio.to_thread(_stopped_while_it_writes, daemon)


def _stopped_while_it_writes(daemon: Daemon) -> int:
    """Take a byte of 900 kB; a pipe holds 64 KiB more."""
    line = [PROGRAM, "events", "--follow", "--after", "0"]
    folder = daemon.config.parent
    with subprocess.Popen(line, cwd=folder, env=environment(), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert b"{" == process.stdout.read(1)
            process.send_signal(signal.SIGTERM)
            return process.wait(WITHIN)
        finally:
            process.kill()


@pytest.mark.parametrize("value", ["-1", str(2**63)])
def test_what_is_no_seq_is_wrong_usage(daemon: Daemon, value: str) -> None:
    refused = daemon.command("events", f"--after={value}")

    assert (2, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert "--after" in refused.stderr
