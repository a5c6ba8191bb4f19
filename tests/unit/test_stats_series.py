"""Statistics over time: buckets, the distribution of times, volume, and what the charts draw of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.buckets import Bucket
from watcher.pages import statistics_charts as charts
from watcher.stats_tally import BOUNDS, Tally, caught, distribution
from watcher.stats_volume import Volume

SECOND = 1_000_000
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds UTC
SPANS = st.lists(st.integers(0, 4_000_000 * SECOND), max_size=60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("bucket", "moment", "start", "following"),
    [
        pytest.param(
            "day", "2026-02-28T23:59:59.999999", "2026-02-28", "2026-03-01", id="the last moment of a day"
        ),
        pytest.param("day", "2026-03-01T00:00", "2026-03-01", "2026-03-02", id="the first moment of a day"),
        pytest.param("week", "2026-01-04T12:00", "2025-12-29", "2026-01-05", id="a Sunday, over the year"),
        pytest.param("week", "2026-01-05T00:00", "2026-01-05", "2026-01-12", id="a Monday begins a week"),
        pytest.param("month", "2026-12-31T23:59", "2026-12-01", "2027-01-01", id="December"),
        pytest.param("month", "2024-02-29T12:00", "2024-02-01", "2024-03-01", id="a leap day"),
    ],
)
def test_a_moment_lies_in_the_bucket_of_its_day_in_utc(
    bucket: str, moment: str, start: str, following: str
) -> None:
    found = Bucket(bucket).start(at(moment))

    assert at(start) == found
    assert at(following) == Bucket(bucket).following(found)


@given(MOMENTS, st.sampled_from(Bucket))
def test_every_moment_lies_in_one_bucket_that_begins_at_midnight(moment: datetime, bucket: Bucket) -> None:
    start = bucket.start(moment)

    assert start <= moment < bucket.following(start)
    assert start == bucket.start(start)
    assert timedelta() == timedelta(hours=start.hour, minutes=start.minute, seconds=start.second)
    assert bucket.start(bucket.following(start)) == bucket.following(start)


@given(SPANS)
def test_the_distribution_counts_everyone_once_and_adds_up_to_what_each_deadline_catches(
    spans: list[int],
) -> None:
    found = distribution(spans)
    edges = [0, *BOUNDS]

    assert len(spans) == sum(one["count"] for one in found)
    assert [*BOUNDS, None] == [one["up_to"] for one in found]
    for place, bound in enumerate(BOUNDS):
        naive = [
            span for span in spans if edges[place] * SECOND < span <= bound * SECOND or place == span == 0
        ]
        assert len(naive) == found[place]["count"]
        assert caught(spans, bound)["share"] == found[place]["share"]


@pytest.mark.parametrize(
    ("span", "bound"),
    [
        pytest.param(0, 15, id="at once"),
        pytest.param(60 * SECOND, 60, id="at the bound itself"),
        pytest.param(60 * SECOND + 1, 120, id="a microsecond later"),
        pytest.param(2_592_000 * SECOND + 1, None, id="longer than any deadline may be"),
    ],
)
def test_a_time_belongs_to_the_first_bound_that_it_does_not_exceed(span: int, bound: int | None) -> None:
    assert [bound] == [one["up_to"] for one in distribution([span]) if one["count"]]


def test_of_nobody_the_distribution_has_no_shares() -> None:
    assert {(0, None)} == {(one["count"], one["share"]) for one in distribution([])}


PAYMENT = st.tuples(
    st.sampled_from([("left", "COIN"), ("right", "COIN"), ("right", "TOKEN")]),
    st.sampled_from([0, 6, 8, 18]),
    st.integers(0, 2**256 - 1),
    MOMENTS,
    st.sampled_from(["invoices", "addresses"]),
)


@given(st.lists(PAYMENT, max_size=30), st.sampled_from(Bucket))
def test_volume_is_what_a_naive_sum_of_exact_decimals_says(payments: list[Any], bucket: Bucket) -> None:
    """Decimals of an asset may have changed: the sums are exact all the same."""
    volume = Volume(bucket)
    naive: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    for (chain, asset), decimals, amount, moment, source in payments:
        volume.add((chain, asset, decimals), amount, moment, source)
        start = f"{bucket.start(moment):%Y-%m-%dT%H:%M:%SZ}"
        naive[chain, asset, start, source] += amount * 10 ** (18 - decimals)

    def units(text: str) -> int:
        whole, _, fraction = text.partition(".")
        assert "E" not in text
        return int(whole + fraction.ljust(18, "0"))

    shown = volume.shown()
    found = {
        (one["chain"], one["asset"], point["start"], source): units(point[source])
        for one in shown
        for point in one["points"]
        for source in ("invoices", "addresses")
    }

    assert {key: units for key, units in naive.items() if units} == {k: u for k, u in found.items() if u}
    for one in shown:
        assert units(one["amount"]) == sum(units(point["amount"]) for point in one["points"])
        assert all(units(p["amount"]) == units(p["invoices"]) + units(p["addresses"]) for p in one["points"])
        starts = [point["start"] for point in one["points"]]
        assert sorted(set(starts)) == starts


# --- what is drawn


def tally(*spans: int) -> dict[str, Any]:
    found = Tally()
    for span in spans:
        found.add("paid", late=False, first=span * SECOND, full=span * SECOND)
    return found.shown(3600)


def test_a_chart_of_times_shows_the_spans_in_use_with_the_deadlines_among_them() -> None:
    drawn = charts.times(tally(20, *[70] * 19, 200))
    assert drawn is not None

    assert ["15 s", "30 s", "1 min", "2 min", "5 min", "10 min", "15 min", "30 min", "1 h", "2 h"] == (
        drawn["edges"]
    )
    assert [1, 0, 19, 1, 0, 0, 0, 0, 0] == drawn["counts"]
    assert ["4.76", "4.76", "95.24", "100"] == drawn["shares"][:4]
    assert ["suggested: 3 min 20 s", "default: 1 h"] == [mark["label"] for mark in drawn["marks"]]


@pytest.mark.parametrize(
    ("seconds", "place"),
    [
        pytest.param(60, 3, id="at an edge"),
        pytest.param(90, pytest.approx(3.585, abs=0.001), id="between two edges, by the logarithm"),
        pytest.param(1, 0, id="before all of them"),
        pytest.param(2_592_000, 16, id="the longest deadline"),
    ],
)
def test_a_deadline_lies_between_the_edges_by_its_logarithm(seconds: int, place: float) -> None:
    assert place == charts._at(seconds, BOUNDS)


def test_while_nobody_has_paid_there_is_nothing_to_draw() -> None:
    assert charts.times(tally()) is None
    assert charts.outcomes({"bucket": "day", "invoices": [], "volume": []}) is None
    assert [] == charts.volume({"bucket": "day", "invoices": [], "volume": []}, {})


def test_a_bucket_in_which_nothing_happened_is_drawn_as_nothing() -> None:
    counts = dict.fromkeys(charts.ENDINGS, 0)
    days = [{**counts, "start": f"2026-01-0{day}T00:00:00Z", "paid": day} for day in (1, 4)]
    drawn = charts.outcomes({"bucket": "day", "invoices": days})
    assert drawn is not None

    assert [86_400] * 3 == [b - a for a, b in zip(drawn["starts"], drawn["starts"][1:], strict=False)]
    assert {"name": "paid", "values": [1, 0, 0, 4]} == drawn["series"][0]


def test_amounts_stay_text_up_to_the_script() -> None:
    amount = "123456789012345678901234567890.000000000000000001"
    point = {"start": "2026-01-01T00:00:00Z", "amount": amount, "invoices": amount, "addresses": "0"}
    asset = {"chain": "left", "asset": "COIN", "amount": amount, "points": [point]}
    (drawn,) = charts.volume({"bucket": "week", "volume": [asset]}, {"left": "The Left"})

    assert ("COIN on The Left", [amount]) == (drawn["name"], drawn["values"])
    assert Decimal(amount) == Decimal(drawn["values"][0])


def test_however_long_the_time_a_chart_shows_its_newest_part() -> None:
    point = {"amount": "1", "invoices": "1", "addresses": "0"}
    starts = ("1999-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    asset = {"chain": "c", "asset": "A", "amount": "2", "points": [{**point, "start": one} for one in starts]}
    (drawn,) = charts.volume({"bucket": "day", "volume": [asset]}, {})

    assert charts.CHARTED == len(drawn["starts"]) == len(drawn["values"])
    assert int(at("2026-01-01").timestamp()) == drawn["starts"][-1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(0, "0 s", id="none"),
        pytest.param(90, "1 min 30 s", id="minutes and seconds"),
        pytest.param(3600, "1 h", id="an hour"),
        pytest.param(93_784, "1 d 2 h 3 min 4 s", id="all of them"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds: int, words: str) -> None:
    assert words == charts.span(seconds)
