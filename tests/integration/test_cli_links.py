"""`watcher link` as people use it, without a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from command_line import configure, done, watcher

if TYPE_CHECKING:
    from pathlib import Path

CREATE = ("link", "create", "--chain", "bitcoin", "--asset", "BTC", "--amount")


def test_a_link_is_made_listed_shown_and_removed(tmp_path: Path) -> None:
    configure(tmp_path)
    made = done(*CREATE, "0.5-2", "--description", "Tea", "--max-uses", "3", cwd=tmp_path)
    id_ = made.split()[1]

    listed = done("link", "list", cwd=tmp_path)
    shown = done("link", "show", id_, cwd=tmp_path)
    as_json = json.loads(done("link", "show", id_, "--json", cwd=tmp_path))
    removed = done("link", "remove", id_, cwd=tmp_path)

    assert f"/pay/{id_}" in made
    for text in (listed, shown):
        assert {id_, "Tea", "0.5-2"} <= set(text.split())
    assert ({"min": "0.5", "max": "2"}, 3) == (as_json["template"]["amount"], as_json["max_uses"])
    assert f"{id_} is removed\n" == removed
    assert "no payment link\n" == done("link", "list", cwd=tmp_path)
    assert id_ in done("link", "list", "--removed", cwd=tmp_path)


def test_a_link_can_be_given_as_json(tmp_path: Path) -> None:
    configure(tmp_path)
    body = {"options": [{"chain": "bitcoin", "asset": "BTC", "amount": "1"}], "metadata": {"a": 1}}

    made = done("link", "create", "--body", "-", "--json", cwd=tmp_path, stdin=json.dumps(body))

    assert body == json.loads(made)["template"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        pytest.param((*CREATE, "5-2"), 2, "--amount: is above max, which is 2", id="limits"),
        pytest.param((*CREATE, "-5"), 2, "--amount: is neither an amount", id="negative"),
        pytest.param((*CREATE, "1", "--max-uses", "0"), 2, "--max-uses: ", id="no use"),
        pytest.param((*CREATE, "1", "--valid-until", "soon"), 2, "--valid-until: ", id="no time"),
        pytest.param(
            ("link", "create", "--option", "bitcoin:GOLD:5-100"),
            2,
            "--option bitcoin:GOLD:5-100: 'GOLD' is not known",
            id="one of several",
        ),
        pytest.param(("link", "show", "lnk_none"), 1, "there is no payment link lnk_none", id="unknown"),
        pytest.param(("link", "remove", "lnk_none"), 1, "there is no payment link", id="unknown to remove"),
    ],
)
def test_a_mistake_is_one_line_in_the_users_words(
    tmp_path: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    configure(tmp_path)

    result = watcher(*words, cwd=tmp_path)

    assert (status, 1) == (result.returncode, len(result.stderr.splitlines())), result.stderr
    assert told in result.stderr
