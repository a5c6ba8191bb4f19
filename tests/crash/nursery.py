"""Forks daemons from a process that has imported the program: a start costs a fifth of the command's.

A program of its own. Reads lines of JSON, {"arguments", "environment", "log"}; writes the process id of the
daemon and, once that is dead, how it ended. One daemon at a time.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from typing import Any

NEEDED = (
    "aiosqlite",
    "alembic.ddl.sqlite",
    "chains.bitcoin",
    "chains.evm",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "structlog.dev",
    "watcher.app",
    "watcher.cli.daemon",
    "watcher.cli.signals",
)
_SET_PDEATHSIG = 1
"""prctl(2): whoever forks here dies with this process, as this process dies with the test's."""


def main() -> None:
    for name in NEEDED:
        importlib.import_module(name)
    say("ready")
    for line in sys.stdin:
        say(pid := fork(json.loads(line)))
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        become(order)
    return pid


def become(order: dict[str, Any]) -> None:
    """Be what the installed command is, from its first line on."""
    from watcher.cli.main import run  # noqa: PLC0415 - imported long ago

    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["environment"])
    status = 1
    try:
        status = run(order["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
