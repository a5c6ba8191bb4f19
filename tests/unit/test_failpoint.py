"""The registry of places where the crash test lets the daemon die."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import watcher
from watcher import failpoint

SOURCES = {
    str(file.relative_to(Path(watcher.__file__).parent)): file.read_text()
    for file in Path(watcher.__file__).parent.rglob("*.py")
}
UNNAMED = {
    "embed_consumer.py": (2, "only in a program that embeds the daemon: test_embed_process.py kills one"),
    "ledger.py": (1, "alarm: most of the time it finds that nothing has changed, and passes its own points"),
    "pages/dispatch.py": (1, "that a session was used: where it is lost, the session ends earlier"),
    "pages/sign_in.py": (2, "a session's beginning and end: where one is lost, people sign in again, or out"),
    "notifier.py": (1, "a turn, which passes points of its own where it claimed or recorded something"),
}
"""Writes without a name, and why."""


def test_every_write_has_a_name_so_that_the_crash_test_kills_before_and_after_its_commit() -> None:
    unnamed = {name: text.count(".write() as ") for name, text in SOURCES.items() if ".write() as " in text}
    named = {word for text in SOURCES.values() for word in re.findall(r'\.write\("(\w+)"\) as ', text)}

    assert {name: count for name, (count, _) in UNNAMED.items()} == unnamed
    assert set() == named - set(failpoint.WRITES)


def test_every_point_of_the_registry_stands_in_the_code_and_no_other() -> None:
    hits = {word for text in SOURCES.values() for word in re.findall(r'failpoint\.hit\("([\w.]+)"\)', text)}
    named = {word for text in SOURCES.values() for word in re.findall(r'\.write\("(\w+)"\) as ', text)}
    passed = hits | {f"{write}.{moment}" for write in named for moment in ("written", "committed")}

    assert set(failpoint.POINTS) == passed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "batch.writen", "there is no failpoint 'batch.writen'; one of: accounts.committed, ", id="name"
        ),
        pytest.param("batch.written@0", "write batch.written@3 for the third time", id="zero"),
        pytest.param("batch.written@x", "write batch.written@3 for the third time", id="no number"),
    ],
)
def test_a_failpoint_that_cannot_be_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        failpoint.arm(text)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("armed", "passes", "status"),
    [
        pytest.param("", 5, 0, id="nothing armed"),
        pytest.param("claim.written", 5, 0, id="another place"),
        pytest.param("batch.written", 1, -signal.SIGKILL, id="the first time"),
        pytest.param("batch.written@3", 3, -signal.SIGKILL, id="the third time"),
        pytest.param("batch.written@3", 2, 0, id="not yet"),
    ],
)
def test_the_process_dies_where_it_was_asked_to_and_nowhere_else(
    armed: str, passes: int, status: int
) -> None:
    program = f"from watcher import failpoint\nfailpoint.arm({armed!r})\n" + (
        "failpoint.hit('batch.written')\n" * passes
    )

    assert status == subprocess.run([sys.executable, "-c", program], check=False).returncode
