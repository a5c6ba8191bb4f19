"""Programs that embed the watcher, as processes: the README's, and one that is killed again and again."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chain_toml import anvil_chain
from source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from watcher.sandbox.anvil import Anvil

ETHER = 10**18
GATEWAY = Path(__file__).parents[1] / "support" / "gateway.py"
ORDERS = 24
KILLED_AFTER = (1, 6, 17)
"""Lines of its diary after which each of its lives ends."""


@pytest.fixture
def config(tmp_path: Path, anvil: Anvil) -> Path:
    file = tmp_path / "watcher.toml"
    file.write_text(anvil_chain(anvil, name="ethereum", poll=0.1))
    return file


@contextmanager
def program(output: Path, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("ab") as stream:
        line = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(line, stdout=stream, stderr=stream, cwd=output.parent)
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait(process: subprocess.Popen[bytes], output: Path, true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.01)


def test_the_program_of_the_readme_is_told_once_of_a_payment(
    tmp_path: Path, anvil: Anvil, config: Path
) -> None:
    """Killed after the payment and started again, it makes the same invoice, and hears nothing twice."""
    (text,) = re.findall(r"(?sm)^```py\n(.*?)^```", (ROOT / "README.md").read_text())
    script, output = tmp_path / "embedded.py", tmp_path / "output"
    script.write_text(text)
    with program(output, script, config) as process:
        wait(process, output, lambda: "pay to" in output.read_text())
        anvil.send(re.findall(r"pay to (\w+)", output.read_text())[0], ETHER // 2)
        anvil.mine()
        wait(process, output, lambda: "invoice.paid A-1001" in output.read_text())
        wait(process, output, lambda: _place(tmp_path) > 1)
    with program(output, script, config) as process:
        wait(process, output, lambda: output.read_text().count("pay to") == 2)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert 1 == len(set(re.findall(r"pay to (\w+)", output.read_text())))
    assert 1 == output.read_text().count("invoice.paid")
    assert not (tmp_path / "watcher.db.sock").exists(), "Ctrl-C ends it in order"


def _place(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder / 'watcher.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT seq FROM consumer").fetchall()
    connection.close()
    return max((seq for (seq,) in rows), default=0)


def test_h112_kills_lose_no_event_and_repeat_none_that_was_acknowledged(tmp_path: Path, config: Path) -> None:
    diary, output = tmp_path / "diary", tmp_path / "output"
    diary.touch()
    lives = []
    for lines in (*KILLED_AFTER, None):
        before = len(_lines(diary))
        with program(output, GATEWAY, config, ORDERS, diary) as process:
            if lines is None:
                wait(process, output, lambda: len(_told(tmp_path)) == ORDERS == _place(tmp_path))
            else:
                wait(process, output, lambda b=before, n=lines: len(_lines(diary)) >= b + n)
        lives.append(_lines(diary)[before:])

    told = _told(tmp_path)
    assert ORDERS == len(told), "each order once, although every life began with the first"
    _judge(lives, told)


def _judge(lives: list[list[str]], told: list[str]) -> None:
    """Hold each life's diary against what is in the database: "seq id", in order.

    A kill may come between an acknowledgement and its line in the diary: of one event, the last one given.
    """
    settled: list[str] = []
    unsure: list[str] = []
    for life in lives:
        given = [line.removeprefix("given ") for line in life if line.startswith("given ")]
        done = [line.removeprefix("done ") for line in life if line.startswith("done ")]
        if given and unsure and given[0] != unsure[0]:
            settled += unsure
        assert told[len(settled) :][: len(given)] == given, "in order, none left out, none again"
        assert given[: len(done)] == done
        settled += done
        unsure = given[len(done) :]
        assert len(unsure) <= 1
    assert told == settled + unsure


def _lines(diary: Path) -> list[str]:
    return diary.read_text().split("\n")[:-1]  # each is whole: one write


def _told(folder: Path) -> list[str]:
    with sqlite3.connect(f"file:{folder / 'watcher.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT seq, id FROM event ORDER BY seq").fetchall()
    connection.close()
    return [f"{seq} {id_}" for seq, id_ in rows]


LIGHT = """
import logging, signal, sys
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
import watcher
from watcher import Locked, Refused
heavy = {"aiohttp", "sqlalchemy", "pydantic", "alembic", "web3", "structlog", "chains"} & set(sys.modules)
assert not heavy, heavy
assert set(watcher.__all__) <= set(dir(watcher))
for name in watcher.__all__:
    assert getattr(watcher, name).__name__ == name, name
import structlog
assert not structlog.is_configured() and not logging.getLogger().handlers
assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
try:
    watcher.nothing
except AttributeError as error:
    print(error)
"""


def test_importing_it_is_light_and_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT], capture_output=True, text=True, check=False
    )

    assert ("module 'watcher' has no attribute 'nothing'\n", 0) == (done.stdout, done.returncode), done.stderr
