"""One private node as a child process: a free loopback port, its own handle, a log that is kept, a sure end.

Knows processes and ports; what a node's flags mean is said in the file of that node.
"""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
import socket
import subprocess
import time
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Self

from watcher.sandbox import rpc

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
_START_WITHIN = 60.0
_ATTEMPTS = 5
"""A free port can be taken by someone else before the node binds it: another one is tried then."""


class StartError(Exception):
    """A node did not start; the message has the end of its log."""


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


class Node(abc.ABC):
    """A node on loopback with everything it writes below `data_dir`, its home folder included.

    Start it from a thread that lives as long as the node is needed: where the system can (Linux with
    setpriv), the node is killed when its starting thread dies, so that a killed test run leaves nothing.
    """

    name: ClassVar[str]
    stop_within: ClassVar[float] = 30.0
    """Seconds from SIGTERM to SIGKILL."""

    def __init__(self, binary: Path, data_dir: Path) -> None:
        self.binary = binary
        self.data_dir = data_dir
        self.log = data_dir / f"{self.name}.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint, with its credentials if it has any; the same after a restart."""
        return f"http://{HOST}:{self.port}"

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the command line for the present port."""

    @abc.abstractmethod
    def ready(self) -> None:
        """Return when the node answers calls; OSError or CallError while it does not."""

    @abc.abstractmethod
    def opened(self) -> None:
        """Do what a node needs after each start, such as loading its wallet."""

    @abc.abstractmethod
    def closing(self) -> None:
        """Do what a node needs before it is stopped, such as writing what it holds in memory."""

    def rpc(self, method: str, *params: Any) -> Any:
        """Return the result of one blocking call; CallError, or OSError when the node is down."""
        return rpc.call(self.url, method, params)

    def start(self) -> Self:
        """Start and wait until calls are answered; a port once had is kept. StartError if it cannot be."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        fixed = self.port != 0
        for attempt in range(_ATTEMPTS):
            if not fixed:
                self.port = free_port()
            self._launch()
            if self._wait_until_ready():
                self.opened()
                return self
            self.kill()
            time.sleep(0.1 * attempt)
        raise StartError(f"{self.name} does not start; the end of {self.log}:\n{self._log_end()}")

    def stop(self) -> None:
        """End it as an operator would (SIGTERM), so that it writes its state."""
        if self.process is None:
            return
        with contextlib.suppress(OSError, rpc.CallError):
            self.closing()
        self.process.terminate()
        try:
            self.process.wait(self.stop_within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL): what it had not written is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Stop it and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - a binary that the caller chose, no shell
                [*_tied_to_parent(), *self.command()],
                cwd=self.data_dir,
                env={**os.environ, "HOME": str(self.data_dir)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        weakref.finalize(self, _end, self.process)

    def _wait_until_ready(self) -> bool:
        """Return False when the process ended, or is not ready in time."""
        deadline = time.monotonic() + _START_WITHIN
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ready()
            except (OSError, rpc.CallError):
                time.sleep(0.02)
            else:
                return self.process.poll() is None
        return False

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-2000:].strip() or "(nothing)"


def _tied_to_parent() -> list[str]:
    """Return the prefix with which the kernel ends the child when this process dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process whose handle is gone: at the latest when this interpreter exits."""
    if process.poll() is None:
        process.kill()
        process.wait()
