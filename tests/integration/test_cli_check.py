"""What a user finds out before the daemon runs: `init`, `check`, and databases that cannot be used."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from command_line import configure, watcher

if TYPE_CHECKING:
    from pathlib import Path

    from node_fixtures import AnvilFactory
    from watcher.sandbox.anvil import Anvil


def test_check_is_a_table_and_fails_on_a_node_that_is_not_there(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    good = watcher("check", cwd=tmp_path)
    configure(tmp_path)
    bad = watcher("check", "--json", cwd=tmp_path)

    assert 0 == good.returncode
    for what in ("database", "reachable", "chain id 31337", "anvil", "traces", "warning"):
        assert what in good.stdout
    assert (1, False, "") == (bad.returncode, json.loads(bad.stdout)["ok"], bad.stderr)


def test_check_fails_on_a_node_of_another_chain(tmp_path: Path, anvil_factory: AnvilFactory) -> None:
    configure(tmp_path, anvil_factory(chain_id=1))

    result = watcher("check", cwd=tmp_path)

    assert 1 == result.returncode
    assert "31337" in result.stdout


def test_a_database_of_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    configure(tmp_path)
    watcher("key", "list", cwd=tmp_path)
    with closing(sqlite3.connect(tmp_path / "watcher.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    for words in (("run",), ("key", "list")):
        result = watcher(*words, cwd=tmp_path)
        assert (1, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
        assert "newer version" in result.stderr
    assert "newer version" in watcher("check", cwd=tmp_path).stdout


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    configure(tmp_path)
    (tmp_path / "watcher.db").write_text("a letter to my aunt" * 100)

    for words in (("run",), ("key", "list")):
        result = watcher(*words, cwd=tmp_path)
        assert (1, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
    assert 1 == watcher("check", cwd=tmp_path).returncode


def test_init_writes_a_private_file_once_and_what_it_lacks_is_named(tmp_path: Path) -> None:
    words = ("init", "my.toml", "--chain", "bitcoin", "--chain", "ethereum")
    first, second = watcher(*words, cwd=tmp_path), watcher(*words, cwd=tmp_path)

    assert (0, 1) == (first.returncode, second.returncode)
    assert 0o600 == stat.S_IMODE((tmp_path / "my.toml").stat().st_mode)
    assert "[chains.ethereum]" in (tmp_path / "my.toml").read_text()
    lacking = watcher("--config", "my.toml", "check", cwd=tmp_path)
    assert (2, True) == (lacking.returncode, "my.toml: chains.bitcoin.xpub" in lacking.stderr)


def test_check_fails_where_no_chain_is_configured(tmp_path: Path) -> None:
    (tmp_path / "watcher.toml").write_text("[server]\nport = 0\n")

    result = watcher("check", cwd=tmp_path)

    assert 1 == result.returncode
    assert "FAILED" in result.stdout
    assert "no chain is configured; add one" in result.stdout


def test_the_database_of_another_program_is_a_failed_row_of_check(tmp_path: Path) -> None:
    configure(tmp_path)
    with closing(sqlite3.connect(tmp_path / "watcher.db")) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")

    assert "is the database of another program" in watcher("check", cwd=tmp_path).stdout


@pytest.mark.parametrize("blocked", ["watcher.db.lock", "watcher.db"])
def test_a_path_that_the_system_refuses_is_one_line_with_the_remedy(tmp_path: Path, blocked: str) -> None:
    configure(tmp_path)
    (tmp_path / blocked).mkdir()

    for words in (("run",), ("key", "list")):
        result = watcher(*words, cwd=tmp_path)
        assert (1, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
        assert f"{tmp_path / blocked} cannot be used (" in result.stderr
        assert "set [database] url" in result.stderr


def test_a_secret_in_a_folder_that_is_not_there_is_one_line_with_its_own_name(tmp_path: Path) -> None:
    configure(tmp_path)
    with (tmp_path / "watcher.toml").open("a") as file:
        file.write(
            '[[webhooks.endpoints]]\nurl = "https://shop.example"\nsecret = { file = "keys/hook.secret" }\n'
        )

    result = watcher("run", cwd=tmp_path)

    line = f"{tmp_path}/keys/hook.secret cannot be used (No such file or directory); make its folder, or name"
    assert (1, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
    assert line in result.stderr
