"""What the tests take from npm, pinned in tests/npm; npm holds it against the hashes there.

`make test` installs it by running this file. Without Node the tests that need it are skipped, but not in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PINS = ROOT / "tests" / "npm"
PLACE = ROOT / ".nodes" / "tests"
NAMES = ("package.json", "package-lock.json")


def node() -> str:
    """Return the program; without it skip the test, or fail where all has to run."""
    found = shutil.which("node")
    if found is None:
        missing = "node is missing; install it: apt-get install nodejs npm"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return found


def run(script: str, given: Any) -> Any:
    """Run a script of tests/npm with JSON as its input, and return the JSON that it writes."""
    program = node()
    _need()
    done = subprocess.run(
        [program, PINS / script],
        input=json.dumps(given),
        env={**os.environ, "NODE_PATH": str(PLACE / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read(file: str) -> bytes:
    """Return a file of a package: `read("axe-core/axe.min.js")`."""
    node()
    _need()
    return (PLACE / "node_modules" / file).read_bytes()


def install() -> int:
    """Install what is pinned, if it is not here yet; return npm's exit status."""
    npm = shutil.which("npm")
    if npm is None or _installed():
        return 0
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copyfile(PINS / name, PLACE / name)
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    return subprocess.run([npm, "ci", *flags, "--prefix", PLACE], check=False).returncode


def _need() -> None:
    if not _installed():
        pytest.fail(
            "npm's packages are missing; install them: make test, or python tests/support/npm_packages.py"
        )


def _installed() -> bool:
    """Whether the installed packages are those of the pins: npm writes its own list when all are there."""
    done = PLACE / "node_modules" / ".package-lock.json"
    return done.is_file() and all(
        (PLACE / name).is_file() and (PLACE / name).read_bytes() == (PINS / name).read_bytes()
        for name in NAMES
    )


if __name__ == "__main__":
    sys.exit(install())
