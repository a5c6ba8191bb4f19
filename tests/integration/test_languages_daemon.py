"""A folder with words of more languages, as the installed command takes and refuses it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from command_line import configure, daemon, watcher
from daemon import free_port
from watcher.settings import load

if TYPE_CHECKING:
    from pathlib import Path

GERMAN = 'language_name = "Deutsch"\nproblem_not_found = "Hier ist nichts."\n'
BROKEN = "pay_to = '{shop.__class__}'"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Configure a daemon with a folder of words, named from the configuration's own folder."""
    file = configure(tmp_path, port=free_port())
    file.write_text(file.read_text() + '[checkout]\nlanguages = "words"\n')
    folder = tmp_path / "words"
    folder.mkdir()
    return folder / "de.toml"


def read(url: str, language: str) -> str:
    """Return a page of 404 as a browser of this language reads it."""
    asked = urllib.request.Request(url, headers={"Accept": "text/html", "Accept-Language": f"{language}, en"})
    with pytest.raises(urllib.error.HTTPError) as answer, urllib.request.urlopen(asked, timeout=20):
        pass
    with answer.value as page:
        return page.read().decode()


def test_a_file_in_the_folder_is_a_language_of_the_payers_pages(tmp_path: Path, words: Path) -> None:
    words.write_text(GERMAN)
    words.with_name("ar.toml").write_text('language_name = "العربية"')

    with daemon(tmp_path):
        url = f"http://127.0.0.1:{load(tmp_path / 'watcher.toml', {}).server.port}/pay/lnk_none"
        page, arabic = read(url, "de-CH"), read(url, "ar")
    rows = json.loads(watcher("check", "--json", cwd=tmp_path).stdout)["data"]

    assert '<html lang="de" dir="ltr">' in page
    assert '<html lang="ar" dir="rtl">' in arabic
    assert "Hier ist nichts." in page
    assert "This page cannot be shown" in page
    assert [(True, "ar, de, en, fr")] == [(r["ok"], r["detail"]) for r in rows if r["of"] == "checkout"]


def test_one_that_cannot_be_used_is_one_line_before_the_daemon_runs(tmp_path: Path, words: Path) -> None:
    words.write_text(BROKEN)

    ran = watcher("run", cwd=tmp_path)
    rows = json.loads(watcher("check", "--json", cwd=tmp_path).stdout)["data"]

    line = f"checkout.languages: {words}: pay_to: write no more than a name in braces"
    *log, said = ran.stderr.splitlines()
    assert (2, True) == (ran.returncode, line in said)
    assert all(json.loads(entry)["level"] in {"info", "warning"} for entry in log)
    assert [False] == [row["ok"] for row in rows if row["of"] == "checkout" and line in row["detail"]]
