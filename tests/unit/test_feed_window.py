"""The newest events in memory: never a gap, never one twice, never more than there is room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher import feed_window
from watcher.feed_window import PIECE, Told, Window, piece


def told(first: int, *sizes: int) -> list[Told]:
    return [Told(seq, b"x" * size) for seq, size in enumerate(sizes, first)]


@pytest.mark.parametrize(
    ("seq", "expected"),
    [
        pytest.param(9, None, id="before the start"),
        pytest.param(10, [11, 12, 13], id="at the start"),
        pytest.param(12, [13], id="inside"),
        pytest.param(13, [], id="at the head"),
        pytest.param(99, [], id="beyond the head"),
    ],
)
def test_it_knows_what_comes_after_a_seq(seq: int, expected: list[int] | None) -> None:
    window = Window(10)
    window.add(told(11, 1, 1, 1))
    found = window.after(seq)

    assert expected == (None if found is None else [one.seq for one in found])


def test_an_empty_one_knows_that_nothing_came_after_its_start() -> None:
    window = Window(10)
    window.add([])

    assert (None, [], 10, 10) == (window.after(9), window.after(10), window.start, window.head)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([PIECE * 2, 1], 1, id="at least one"),
        pytest.param([PIECE - 1, 1, 1], 2, id="up to the limit"),
        pytest.param([1] * 9, 9, id="all"),
    ],
)
def test_a_piece_is_bounded_by_its_bytes(sizes: list[int], expected: int) -> None:
    assert expected == len(piece(told(1, *sizes)))


@given(
    start=st.integers(0, 3),
    pages=st.lists(st.lists(st.integers(1, 40), max_size=6), max_size=8),
    events=st.integers(1, 9),
    size=st.integers(1, 120),
)
def test_it_tells_all_that_follows_or_that_it_cannot(
    start: int, pages: list[list[int]], events: int, size: int
) -> None:
    window, all_of_it = Window(start, events, size), list[Told]()
    for sizes in pages:
        new = told(start + len(all_of_it) + 1, *sizes)
        all_of_it += new
        window.add(new)

        kept = [one for one in all_of_it if one.seq > window.start]
        assert window.head == start + len(all_of_it)
        assert len(kept) <= events
        assert sum(len(one.text) for one in kept) <= size
        for seq in range(window.head + 2):
            following = [one for one in all_of_it if one.seq > seq]
            assert window.after(seq) == (following if seq >= window.start else None)


def test_what_is_kept_by_default_is_a_few_megabytes() -> None:
    window = Window(0)
    window.add(told(1, *[20_000] * 1000))

    assert window.head - window.start <= feed_window.BYTES / 20_000
