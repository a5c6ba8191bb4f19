"""`watcher run` as a process: what keeps it from starting, how it ends, and what it says on the way."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from command_line import configure, running, watcher

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    configure(tmp_path)
    with running("run", cwd=tmp_path) as daemon:
        daemon.wait_for("daemon.ready")
        daemon.wait_for("api.listening")

        assert 0 == daemon.end(number)

    assert "daemon.stopping" in daemon.text
    assert not (tmp_path / "watcher.db.sock").exists()


def test_its_log_is_json_line_by_line_and_says_where_the_api_is_and_that_a_key_is_lacking(
    tmp_path: Path,
) -> None:
    configure(tmp_path)
    with running("run", cwd=tmp_path) as daemon:
        lacking = json.loads(daemon.wait_for("api.no_key"))
        listening = json.loads(daemon.wait_for("api.listening"))
        daemon.end()

    assert "watcher key create NAME" in lacking["remedy"]
    assert listening["url"].startswith("http://127.0.0.1:")
    assert [] == [line for line in daemon.lines if not isinstance(json.loads(line), dict)]


def test_it_says_nothing_of_a_key_where_there_is_one(tmp_path: Path) -> None:
    configure(tmp_path)
    watcher("key", "create", "shop", cwd=tmp_path)
    with running("run", cwd=tmp_path) as daemon:
        daemon.wait_for("api.listening")
        watcher("key", "list", cwd=tmp_path)
        daemon.end()

    assert "api.no_key" not in daemon.text


def test_a_second_daemon_says_who_holds_the_lock(tmp_path: Path) -> None:
    configure(tmp_path)
    with running("run", cwd=tmp_path) as first:
        first.wait_for("daemon.ready")

        second = watcher("run", cwd=tmp_path)

        assert (1, 1) == (second.returncode, len(second.stderr.splitlines())), second.stderr
        assert f"process id {first.process.pid}" in second.stderr


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        configure(tmp_path, port=port)

        done = watcher("run", cwd=tmp_path)

    assert 1 == done.returncode
    assert f"server.port: cannot listen on 127.0.0.1 port {port} (address already in use)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_is_not_ours_is_named_by_its_key(tmp_path: Path) -> None:
    configure(tmp_path)

    done = watcher("run", cwd=tmp_path, env={"WATCHER_SERVER__HOST": "no.such.host.invalid"})

    assert 2 == done.returncode
    assert "server.host: no.such.host.invalid" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_nobody_expected_is_one_log_line_and_status_1(tmp_path: Path) -> None:
    configure(tmp_path)
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import watcher.scanner\n"
        "async def turn(self):\n"
        "    raise RuntimeError('a fault of ours')\n"
        "watcher.scanner.Scanner.turn = turn\n"
    )

    done = watcher("run", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})

    last = json.loads(done.stderr.splitlines()[-1])
    assert (1, "daemon.failed", "critical") == (done.returncode, last["event"], last["level"])
    assert "a fault of ours" in last["exception"]
    assert [] == [line for line in done.stderr.splitlines() if not line.startswith("{")]
