"""`watcher webhook`: which keys and secrets it takes, and what it shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from command_line import configure, watcher
from watcher import signing
from watcher.secret import new_secret

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

URL = "https://shop.example/hooks"


def asked(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return watcher("webhook", *words, cwd=folder, stdin=stdin)


def test_of_a_key_pair_the_public_key_alone_is_shown(tmp_path: Path) -> None:
    configure(tmp_path)
    added = asked(tmp_path, "add", URL, "--signature", "ed25519").stdout
    id_, public = (line.split()[1] for line in added.splitlines() if line.split()[0] in ("id", "public_key"))
    shown = asked(tmp_path, "show", id_).stdout
    listed = asked(tmp_path, "list").stdout
    own = new_secret("ed25519")
    rotated = asked(tmp_path, "rotate", id_, "--secret", "-", stdin=f"{own}\n").stdout

    assert [True, True] == [public in text for text in (shown, listed)]
    assert [signing.shown(own)["public_key"]] == rotated.splitlines()
    for text in (added, shown, listed, rotated):
        assert "whsk_" not in text


def test_a_way_to_sign_that_does_not_fit_is_named_as_it_was_typed(tmp_path: Path) -> None:
    configure(tmp_path)
    result = asked(tmp_path, "add", URL, "--signature", "ed25519", "--secret", new_secret())

    assert (2, 1) == (result.returncode, len(result.stderr.splitlines()))
    assert ("--signature" in result.stderr, "whsec_" in result.stderr) == (True, False)
