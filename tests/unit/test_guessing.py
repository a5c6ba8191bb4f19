"""Brute force: each address may be wrong a few times, forgets slowly, and fills no memory."""

from __future__ import annotations

import pytest

from watcher.api.guessing import FAILURES, Guessing

ADDRESS = "203.0.113.7"


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def failed(guessing: Guessing, address: str, times: int) -> list[int | None]:
    return [guessing.failed(address) for _ in range(times)]


def test_ten_failures_are_human_and_the_eleventh_has_to_wait(seconds: Seconds) -> None:
    found = failed(Guessing(seconds), ADDRESS, 12)

    assert [*[None] * FAILURES, 6, 6] == found


def test_who_waits_as_told_may_fail_once_more(seconds: Seconds) -> None:
    guessing = Guessing(seconds)
    failed(guessing, ADDRESS, 100)

    seconds.now += 5.5
    early = guessing.failed(ADDRESS)
    seconds.now += 0.5

    assert [1, None, 6] == [early, *failed(guessing, ADDRESS, 2)]


def test_a_minute_of_patience_forgets_all(seconds: Seconds) -> None:
    guessing = Guessing(seconds)
    failed(guessing, ADDRESS, 100)

    seconds.now += 60

    assert [None] * FAILURES == failed(guessing, ADDRESS, FAILURES)


@pytest.mark.parametrize(
    ("other", "slowed"),
    [
        pytest.param("203.0.113.8", False, id="a neighbour"),
        pytest.param("2001:db8::1", False, id="another network"),
        pytest.param("2001:db8:0:1:ffff::9", True, id="another address of the same one"),
    ],
)
def test_one_callers_failures_are_not_anothers(seconds: Seconds, other: str, slowed: bool) -> None:  # noqa: FBT001
    guessing = Guessing(seconds)
    failed(guessing, ADDRESS, 11)
    failed(guessing, "2001:db8:0:1::1", 11)

    assert slowed == (guessing.failed(other) is not None)


def test_who_takes_a_new_address_for_every_guess_fills_no_memory(seconds: Seconds) -> None:
    guessing = Guessing(seconds, most=100)
    failed(guessing, ADDRESS, 11)
    for n in range(250):
        guessing.failed(f"10.0.0.{n}")

    assert 100 == len(guessing._levels)
    assert guessing.failed(ADDRESS) is None
