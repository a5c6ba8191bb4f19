from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from watcher.lock import Locked, lock_path, own, socket_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_HOLDER = """
import sys
from pathlib import Path
from watcher.lock import own
with own(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "watcher.db"


def test_the_lock_and_the_socket_lie_beside_the_database(database: Path) -> None:
    folder = database.parent

    assert [folder / "watcher.db.lock", folder / "watcher.db.sock"] == [
        lock_path(database),
        socket_path(database),
    ]


def test_the_owner_is_written_down_for_its_own_user_alone(database: Path) -> None:
    with own(database):
        path = lock_path(database)

        assert f"{os.getpid()}\n" == path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_lock_is_free_again_after_its_owner(database: Path) -> None:
    for _ in range(2):
        with own(database):
            pass


def test_the_lock_is_free_again_after_an_error_of_its_owner(database: Path) -> None:
    with pytest.raises(ZeroDivisionError), own(database):
        raise ZeroDivisionError

    with own(database):
        pass


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(subprocess.Popen.terminate, id="stopped"),
        pytest.param(subprocess.Popen.kill, id="killed"),
    ],
)
def test_h121_a_second_process_is_told_who_holds_the_database_until_it_dies(
    database: Path, end: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked) as refusal, own(database):
            pass
        end(holder)

    message = f"{database} is in use by the watcher with process id {holder.pid}"
    assert message == str(refusal.value)
    with own(database):
        pass
