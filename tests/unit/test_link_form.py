"""What is typed into the form of a payment link: the draft that it becomes, and where a mistake is shown."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.errors import Refused
from watcher.pages.link_form import LinkForm, draft, in_the_form
from watcher.pages.period import complete

WAY = {"way_1": "fake/COIN", "amount_1": "1.5"}


def form(**fields: str) -> LinkForm:
    return LinkForm(once="x", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        pytest.param(WAY, [("fake", "COIN", "1.5")], id="a fixed amount"),
        pytest.param(
            {"way_1": "a/X", "min_1": " 5", "max_1": "7 "},
            [("a", "X", {"min": "5", "max": "7"})],
            id="limits",
        ),
        pytest.param(
            {**WAY, "way_3": "b/Y", "amount_3": "2"},
            [("fake", "COIN", "1.5"), ("b", "Y", "2")],
            id="a way left out",
        ),
    ],
)
def test_the_ways_that_are_filled_in_become_options(fields: dict[str, str], options: list[Any]) -> None:
    found = draft(form(**fields))["options"]

    assert options == [(one["chain"], one["asset"], one["amount"]) for one in found]


def test_times_and_terms_are_the_apis() -> None:
    found = draft(form(**WAY, minutes="30", max_uses=" 5 ", valid_until="2027-01-01T12:30", tolerance="1"))

    assert (1800, 5, "2027-01-01T12:30:00Z") == (
        found["expires_in"],
        found["max_uses"],
        found["valid_until"],
    )
    assert {"percent": "1"} == found["tolerance"]
    assert [None] * 3 == [found[name] for name in ("description", "order_id", "return_url")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({}, "way_1", id="nothing at all"),
        pytest.param({"amount_1": "1"}, "way_1", id="an amount of nothing"),
        pytest.param({"way_2": "fake/COIN"}, "amount_2", id="no amount"),
        pytest.param({"way_2": "fake/COIN", "min_2": "1"}, "max_2", id="no upper limit"),
        pytest.param({"way_2": "fake/COIN", "max_2": "1"}, "min_2", id="no lower limit"),
        pytest.param({**WAY, "min_1": "1"}, "amount_1", id="an amount beside a limit"),
        pytest.param({**WAY, "minutes": "soon"}, "minutes", id="a time in words"),
        pytest.param({**WAY, "minutes": "1.5"}, "minutes", id="half a minute"),
        pytest.param({**WAY, "max_uses": "²"}, "max_uses", id="a digit that is none"),
        pytest.param({**WAY, "max_uses": "9" * 5000}, "max_uses", id="far too many digits"),
    ],
)
def test_what_the_form_alone_can_tell_is_refused_at_its_field(fields: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        draft(form(**fields))

    assert field == refused.value.field


@pytest.mark.parametrize(
    ("said", "field"),
    [
        pytest.param("options.0.amount", "amount_1", id="the first way's amount"),
        pytest.param("options.1.amount.min", "min_3", id="a limit of the way that is second in use"),
        pytest.param("options.1.asset", "way_3", id="an asset"),
        pytest.param("options.7.chain", "way_1", id="a way that there is not"),
        pytest.param("options", "options", id="all ways"),
        pytest.param("expires_in", "minutes", id="a time"),
        pytest.param("tolerance.percent", "tolerance", id="a part of a field"),
        pytest.param(None, None, id="no field at all"),
    ],
)
def test_what_the_api_refuses_is_shown_at_the_field_that_was_typed(
    said: str | None, field: str | None
) -> None:
    typed = form(**WAY, way_3="fake/TOKEN", amount_3="1")
    found = in_the_form(Refused("invalid", "is wrong", field=said), typed)

    assert (field, "is wrong") == (found.field, found.message)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param("2026-01-01", "2026-01-01T00:00:00Z", id="a day"),
        pytest.param("2026-01-01T10:30", "2026-01-01T10:30:00Z", id="a minute"),
        pytest.param("2026-01-01T10:30:15", "2026-01-01T10:30:15Z", id="a second"),
        pytest.param("2026-01-01T10:30:15Z", "2026-01-01T10:30:15Z", id="as the API writes it"),
        pytest.param("soon", "soon", id="what is none"),
    ],
)
def test_moments_of_browsers_fields_are_in_utc(typed: str, expected: str) -> None:
    assert expected == complete(typed)
