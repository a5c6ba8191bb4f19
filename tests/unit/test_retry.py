from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.retry import DELAYS, longest_hold, next_attempt, parse_retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIDDLE = 0.5
"""The randomness that leaves a wait as it is."""


def test_there_are_eleven_attempts_at_the_waits_of_the_contract() -> None:
    waits = [next_attempt(n, NOW, MIDDLE, None) for n in range(1, 12)]

    seconds = [None if at is None else round((at - NOW).total_seconds()) for at in waits]
    expected = [5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    assert expected == seconds


@pytest.mark.parametrize("attempts", range(1, 11))
def test_jitter_stays_within_a_tenth_to_each_side(attempts: int) -> None:
    delay = DELAYS[attempts - 1]
    least, most = (next_attempt(attempts, NOW, random, None) for random in (0.0, 1.0))

    assert (NOW + delay * 0.9, NOW + delay * 1.1) == (least, most)


@pytest.mark.parametrize(
    ("attempts", "asked", "expected"),
    [
        pytest.param(1, timedelta(seconds=90), 90, id="longer than the schedule"),
        pytest.param(3, timedelta(seconds=1), 300, id="shorter than the schedule"),
        pytest.param(1, timedelta(days=3), 86_400, id="cut at a day"),
        pytest.param(1, timedelta(0), 5, id="zero"),
    ],
)
def test_retry_after_lengthens_and_never_shortens(attempts: int, asked: timedelta, expected: int) -> None:
    assert NOW + timedelta(seconds=expected) == next_attempt(attempts, NOW, MIDDLE, asked)


def test_retry_after_does_not_bring_back_a_dead_delivery() -> None:
    assert next_attempt(11, NOW, MIDDLE, timedelta(seconds=1)) is None


def test_an_event_holds_its_successors_no_longer_than_its_first_three_attempts_take() -> None:
    seconds = [longest_hold(attempts).total_seconds() for attempts in (1, 2, 3)]

    assert [35 * 1.1, 30 * 1.1, 0] == seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("120", 120, id="seconds"),
        pytest.param(" 120 ", 120, id="with blanks"),
        pytest.param("Sun, 22 Nov 2026 12:02:00 GMT", 120, id="date"),
        pytest.param("Sun, 22 Nov 2026 11:00:00 GMT", 0, id="date in the past"),
        pytest.param("Sun, 22 Nov 2026 12:02:00 -0000", 120, id="date without a zone"),
        pytest.param("9" * 4000, 86_400, id="absurdly long"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("soon", None, id="words"),
        pytest.param("Sun, 99 Nov 2026 12:02:00 GMT", None, id="no such day"),
        pytest.param("٣", None, id="another script's digits"),
        pytest.param("Sun, 22 Nov 99999999999999 12:00:00 GMT", None, id="a year that no clock has"),
        pytest.param("Sun, 22 Nov 2026 12:00:99999999999999999999 GMT", None, id="so many seconds"),
        pytest.param("Sun, 22 Nov 2026 12:00:00 +99999999999999999", None, id="a place that far east"),
    ],
)
def test_the_header_is_read_as_seconds_or_a_date(value: str | None, expected: int | None) -> None:
    wanted = None if expected is None else timedelta(seconds=expected)

    assert wanted == parse_retry_after(value, NOW)
