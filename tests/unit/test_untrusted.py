from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.untrusted import one_line, readable


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"ok", "ok", id="plain"),
        pytest.param("größer → 漢".encode(), "größer → 漢", id="UTF-8"),
        pytest.param(b"a\r\nb\n\tc", "a\nb\n\tc", id="lines"),
        pytest.param(b"\x1b[2J\x07\x00", "\\x1b[2J\\x07\\x00", id="a terminal's orders"),
        pytest.param(b"a\rb", "a\\rb", id="back to the beginning of a line"),
        pytest.param("a\u202eb\u200bc".encode(), "a\\u202eb\\u200bc", id="text turned around or hidden"),
        pytest.param(b"\xff\xfe\x1f\x8b", "\\xff\\xfe\\x1f\\x8b", id="not UTF-8"),
        pytest.param("é".encode()[:1], "\\xc3", id="cut within a character"),
        pytest.param("\x9b1m\u2028".encode(), "\\x9b1m\\u2028", id="orders beyond ASCII"),
    ],
)
def test_h138_what_cannot_be_seen_is_shown_as_an_escape(raw: bytes, expected: str) -> None:
    assert expected == readable(raw)


@given(st.binary(max_size=200))
def test_whatever_comes_is_text_that_a_terminal_only_prints(raw: bytes) -> None:
    text = readable(raw)

    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert text.encode().decode() == text


@given(st.text(max_size=200), st.integers(min_value=1, max_value=50))
def test_one_line_is_one_line_and_no_longer_than_asked(text: str, length: int) -> None:
    line = one_line(text, length)

    assert (True, True) == (line.isprintable(), len(line) <= length)


def test_what_is_cut_shows_that_it_was() -> None:
    assert ("abcd…", "ab cd") == (one_line("abcdefgh", 5), one_line(" ab\n\tcd ", 5))
