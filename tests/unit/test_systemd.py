from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

from sample_settings import BITCOIN
from watcher.cli.main import app
from watcher.settings import load
from watcher.settings_source import SEARCHED

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "deposit-watcher.service"
ENVIRONMENT = FOLDER / "deposit-watcher.env"
MOST_EXPOSED = 15
"""In tenths: systemd calls up to 2.0 "OK", and what talks to nodes and shops cannot reach 0."""


def _settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed here")
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_the_unit_is_hardened() -> None:
    report = _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", UNIT)

    assert report.returncode == 0, report.stdout + report.stderr


def test_systemd_knows_every_key_of_the_unit(tmp_path: Path) -> None:
    """The program itself is not installed here, so another one stands in its place."""
    unit = tmp_path / UNIT.name
    (command,) = _settings()["ExecStart"]
    unit.write_text(UNIT.read_text().replace(command, "/bin/true"))
    report = _analyze("verify", unit)

    assert (0, "") == (report.returncode, report.stdout + report.stderr)


def test_the_unit_starts_the_daemon_with_the_configuration_that_is_searched_for() -> None:
    (command,) = _settings()["ExecStart"]
    program, *arguments = shlex.split(command)
    answer = CliRunner().invoke(app, [*arguments, "--help"])

    assert PurePosixPath("/opt/deposit-watcher/bin/watcher") == PurePosixPath(program)
    assert ["--config", str(SEARCHED[-1]), "run"] == arguments
    assert "watcher run" in answer.output
    assert answer.exit_code == 0


def test_the_daemon_is_watched_and_always_started_again() -> None:
    settings = _settings()
    wanted = {
        "Type": ["notify"],
        "NotifyAccess": ["main"],
        "WatchdogSec": ["60s"],
        "Restart": ["always"],
        "StateDirectory": ["deposit-watcher"],
        "WorkingDirectory": ["/var/lib/deposit-watcher"],
    }

    assert wanted == {key: settings.get(key) for key in wanted}


def test_what_the_environment_example_sets_is_understood(tmp_path: Path) -> None:
    """Comments included: each example is a variable that the settings know."""
    file = tmp_path / "watcher.toml"
    file.write_text(BITCOIN)
    environment = {}
    for line in ENVIRONMENT.read_text().splitlines():
        name, equals, value = line.removeprefix("#").partition("=")
        if equals and name.startswith("WATCHER_"):
            environment[name] = shlex.split(value)[0]
    settings = load(file, environment)

    found = (settings.server.public_url, settings.log.format, settings.chains["bitcoin"].rpc)
    expected = ("https://pay.shop.example", "json", ("http://user:password@127.0.0.1:8332",))
    assert expected == found
