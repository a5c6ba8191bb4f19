"""One process owns a database: a lock file beside it, held by the operating system, freed by any death."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Locked(Exception):  # noqa: N818 - an answer for the user
    """Another process owns the database; the message says which."""


def lock_path(database: Path) -> Path:
    """Return where the lock of a database lies."""
    return database.with_name(database.name + ".lock")


def socket_path(database: Path) -> Path:
    """Return where the daemon that owns a database can be reached."""
    return database.with_name(database.name + ".sock")


@contextmanager
def own(database: Path) -> Iterator[None]:
    """Own a database for the duration; Locked names the process that has it already."""
    database.parent.mkdir(parents=True, exist_ok=True)
    path = lock_path(database)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise Locked(f"{database} is in use by the watcher with process id {holder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
