"""`watcher reconcile` used wrongly, and where there is nothing to compare: one line and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from command_line import configure, watcher

if TYPE_CHECKING:
    from pathlib import Path

WRONG = [
    pytest.param(
        ["--chain", "bitcoln"], "--chain: there is no chain 'bitcoln'; configured are: bitcoin", id="name"
    ),
    pytest.param(["--from", "5", "--to", "4"], "--to: must not be below --from", id="order"),
    pytest.param(["--from", "-1"], "greater than or equal to 0", id="below 0"),
    pytest.param(["--from", "one"], "a valid integer", id="no number"),
    pytest.param(["bitcoin"], "bitcoin", id="an argument"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_wrong_usage_is_one_line_and_exit_status_2(tmp_path: Path, words: list[str], said: str) -> None:
    configure(tmp_path)

    result = watcher("reconcile", *words, cwd=tmp_path)

    assert (2, 1, "") == (result.returncode, len(result.stderr.splitlines()), result.stdout), result.stderr
    assert said in result.stderr


def test_heights_need_the_name_of_their_chain(tmp_path: Path) -> None:
    text = configure(tmp_path).read_text()
    chain = text[text.index("[chains.bitcoin]") :]
    (tmp_path / "watcher.toml").write_text(text + chain.replace("chains.bitcoin", "chains.second"))

    result = watcher("reconcile", "--from", "5", cwd=tmp_path)

    assert (2, True) == (result.returncode, "name it with --chain" in result.stderr)


def test_a_chain_that_was_never_reached_is_not_called_equal(tmp_path: Path) -> None:
    configure(tmp_path)

    result = watcher("reconcile", cwd=tmp_path)

    assert (1, "") == (result.returncode, result.stderr)
    assert "bitcoin: nothing compared: bitcoin was never reached yet\n" == result.stdout
