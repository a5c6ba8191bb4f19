"""How far a reader of events is, whatever the order in which it acknowledges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.embed_progress import Progress


def test_the_place_is_below_the_oldest_unacknowledged() -> None:
    progress = Progress(10)
    for seq in (11, 13, 14):
        assert progress.give(seq)

    places = [progress.place]
    for seq in (13, 11, 14):
        progress.acknowledge(seq)
        places.append(progress.place)

    assert [10, 10, 13, 14] == places


def test_what_is_not_wanted_is_passed_over_once_nothing_waits_before_it() -> None:
    progress = Progress(0)
    progress.give(3)
    progress.looked(9)
    before = progress.place
    progress.acknowledge(3)

    assert [2, 9] == [before, progress.place]


def test_an_acknowledgement_of_an_earlier_round_counts() -> None:
    """The event was given, its stream ended, and only then was it acknowledged."""
    progress = Progress(0)
    progress.give(1)
    progress.give(2)
    progress.rewind()
    progress.acknowledge(2)

    assert [True, False] == [progress.give(1), progress.give(2)]
    progress.acknowledge(1)
    assert (2, 0) == (progress.place, progress.ahead)


@given(st.lists(st.integers(1, 30), max_size=80), st.integers(0, 79))
def test_every_event_is_given_until_it_is_acknowledged_and_never_after(acks: list[int], cut: int) -> None:
    """Thirty events in two rounds; what was not acknowledged in the first comes in the second, in order."""
    progress, done = Progress(0), set(acks[:cut])
    given_first = [seq for seq in range(1, 31) if progress.give(seq)]
    for seq in acks[:cut]:
        progress.acknowledge(seq)
    lowest = min(set(range(1, 32)) - done)
    assert progress.place == lowest - 1
    progress.rewind()
    given_again = [seq for seq in range(progress.read + 1, 31) if progress.give(seq)]

    assert list(range(1, 31)) == given_first
    assert [seq for seq in range(1, 31) if seq not in done] == given_again
    for seq in given_again:
        progress.acknowledge(seq)
    assert (30, 0) == (progress.place, progress.ahead)
