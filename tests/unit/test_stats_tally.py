"""Percentiles, shares and the suggested deadline: exact, and by a second opinion."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.model import Status
from watcher.stats_tally import (
    CAUGHT,
    ENDINGS,
    ENOUGH,
    LONGEST,
    PERCENTILES,
    Tally,
    caught,
    nearest,
    percentiles,
    seconds,
    shares,
    suggestion,
)

SECOND = 1_000_000
SPANS = st.lists(st.integers(0, 10**13), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        pytest.param(20, 15, id="a fifth of five is the first, to the rank exactly"),
        pytest.param(21, 20, id="a little more needs the second"),
        pytest.param(50, 35, id="p50 of five is the third"),
        pytest.param(75, 40, id="p75 of five is the fourth"),
        pytest.param(90, 50, id="p90 of five is the last"),
        pytest.param(99, 50, id="p99 of five is the last"),
    ],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(percent: int, expected: int) -> None:
    assert expected == nearest([15, 20, 35, 40, 50], percent)


@given(SPANS, st.sampled_from(PERCENTILES))
def test_at_least_so_many_percent_do_not_exceed_it_and_no_smaller_value_would_do(
    spans: list[int], percent: int
) -> None:
    found = nearest(sorted(spans), percent)

    def covers(value: int) -> bool:
        return 100 * sum(span <= value for span in spans) >= percent * len(spans)

    assert found in spans
    assert covers(found)
    assert not any(covers(span) for span in spans if span < found)


def test_percentiles_say_on_how_many_they_rest_and_round_seconds_up() -> None:
    expected = {"of": 2, "p50": 1, "p75": 2, "p90": 2, "p95": 2, "p99": 2}

    assert expected == percentiles([SECOND + 1, SECOND])


def test_of_nobody_nothing_is_told() -> None:
    assert {"of": 0, "p50": None, "p75": None, "p90": None, "p95": None, "p99": None} == percentiles([])


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_shares_add_up_to_exactly_100_and_none_is_off_by_a_hundredth(counts: list[int]) -> None:
    named = {str(place): count for place, count in enumerate(counts)}
    found = {name: Decimal(text) for name, text in shares(named).items()}

    assert 100 == sum(found.values())
    assert all(
        abs(found[n] * sum(counts) - 100 * c) < Decimal("0.01") * sum(counts) for n, c in named.items()
    )


def test_three_thirds_are_a_hundred_percent() -> None:
    assert {"a": "33.34", "b": "33.33", "c": "33.33"} == shares({"a": 7, "b": 7, "c": 7})


def test_without_invoices_every_share_is_nothing() -> None:
    assert {"a": "0", "b": "0"} == shares({"a": 0, "b": 0})


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([SECOND] * (ENOUGH - 1), None, id="one too few"),
        pytest.param([SECOND] * ENOUGH, 60, id="never shorter than allowed"),
        pytest.param([100 * SECOND] * 99 + [9000 * SECOND], 100, id="the slowest of a hundred is given up"),
        pytest.param([100 * SECOND] * 98 + [9000 * SECOND] * 2, 9000, id="the two slowest are not"),
        pytest.param([100 * SECOND + 1] * ENOUGH, 101, id="rounded up to a whole second"),
        pytest.param([(LONGEST + 1) * SECOND] * ENOUGH, None, id="longer than allowed"),
    ],
)
def test_the_shortest_deadline_that_catches_99_percent_is_suggested(
    spans: list[int], expected: int | None
) -> None:
    found, reason = suggestion(spans)

    assert expected == found
    assert (expected is None) is (reason is not None)


@given(st.lists(st.integers(0, LONGEST * SECOND), min_size=ENOUGH, max_size=250))
def test_what_is_suggested_catches_99_percent_and_a_second_less_does_not(spans: list[int]) -> None:
    found, _ = suggestion(spans)
    assert found is not None

    assert 100 * caught(spans, found)["caught"] >= CAUGHT * len(spans)
    assert found == 60 or 100 * caught(spans, found - 1)["caught"] < CAUGHT * len(spans)


def test_a_payment_at_the_deadline_itself_is_caught_and_one_after_it_is_not() -> None:
    expected = {"seconds": 3600, "caught": 1, "of": 2, "share": "50"}

    assert expected == caught([3600 * SECOND, 3600 * SECOND + 1], 3600)
    assert 3601 == seconds(3600 * SECOND + 1)


def test_every_status_is_one_of_the_endings_so_that_they_add_up_to_all() -> None:
    tally = Tally()
    for status in Status:
        tally.add(status.value, late=False, first=None, full=None)
    shown = tally.shown(3600)

    assert len(Status) == shown["created"] == sum(shown[name] for name in ENDINGS)


def test_the_total_is_what_its_groups_counted() -> None:
    first, second = Tally(), Tally()
    first.add("paid", late=True, first=5, full=7)
    second.add("expired", late=False, first=None, full=None)
    first.merge(second)

    assert (2, 1, 1, 1) == tuple(first.shown(60)[name] for name in ("created", "paid", "expired", "late"))
    assert [7] == first.full
