"""The installed `watcher` command as a process: runs it to its end, or keeps it running for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from chain_toml import anvil_chain
from public_keys import account

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.sandbox.anvil import Anvil

PROGRAM = Path(sys.executable).with_name("watcher")
_WITHIN = 60.0
_UNREACHABLE = f"""
[chains.bitcoin]
preset = "bitcoin-regtest"
rpc = ["http://user:password@127.0.0.1:1"]
xpub = "{account("84'/1'/0'", test=True)}"
"""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without a developer's settings; bytecode is kept, as users keep it."""
    own = {
        n: v for n, v in os.environ.items() if not n.startswith("WATCHER_") and n != "PYTHONDONTWRITEBYTECODE"
    }
    return own | {"PYTHONUNBUFFERED": "1", **(extra or {})}


def watcher(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [PROGRAM, *words],
        cwd=cwd,
        env=environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=False,
    )


def done(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    quiet: bool = True,
) -> str:
    """Run a command that has to succeed, and return what it printed; `quiet`: nothing but that."""
    result = watcher(*words, cwd=cwd, env=env, stdin=stdin)
    assert (0, "") == (result.returncode, result.stderr if quiet else ""), result.stderr
    return result.stdout


def as_json(*words: str, cwd: Path) -> Any:
    """Run a command that has to succeed with --json, and return what it printed."""
    return json.loads(done(*words, "--json", cwd=cwd))


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a person would who copied it."""
    return subprocess.run(
        line,
        shell=True,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=False,
    )


class Running:
    """A command that runs until it is told to stop; its lines are collected as they come."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.lines: list[str] = []
        assert process.stdout is not None
        self._reader = threading.Thread(target=self._collect, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _collect(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, words: str, within: float = _WITHIN) -> str:
        """Return the first line with these words in it; fail with everything said if it does not come."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            found = next((line for line in list(self.lines) if words in line), None)
            if found is not None:
                return found
            assert not ended, f"it ended with {self.process.returncode}:\n{self.text}"
            time.sleep(0.05)
        raise AssertionError(f"no line with {words!r} within {within} s:\n{self.text}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(_WITHIN)
        self._reader.join(_WITHIN)
        return status


@contextmanager
def running(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a command, and end it at the latest when the block does."""
    process = subprocess.Popen(
        [PROGRAM, *words],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield Running(process, cwd)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def daemon(folder: Path) -> Iterator[Running]:
    with running("run", cwd=folder) as process:
        process.wait_for("daemon.ready")
        yield process


@contextmanager
def nobody(folder: Path) -> Iterator[None]:
    assert folder.exists()
    yield


BOTH = pytest.mark.parametrize("beside", [daemon, nobody], ids=["beside the daemon", "without a daemon"])


def children(pid: int) -> set[int]:
    """Return the processes that a process started and that still live."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(word) for file in listed for word in file.read_text().split()}


def alive(pid: int) -> bool:
    """Whether a process lives: one that ended and was not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def configure(folder: Path, node: Anvil | None = None, *, port: int = 0) -> Path:
    """Write a configuration for a chain on anvil, or for one whose node is not there; return its file."""
    file = folder / "watcher.toml"
    chain = anvil_chain(node, name="ethereum") if node else _UNREACHABLE
    file.write_text(f'[server]\nport = {port}\n[webhooks]\nallow_private = ["127.0.0.0/8"]\n{chain}')
    return file
