"""Amounts: exact in both directions, and fees that always add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.money import fee, format_amount, gross_up, parse_amount, percent

LARGEST = 2**256 - 1
amounts = st.integers(min_value=0, max_value=LARGEST)
decimals = st.integers(min_value=0, max_value=77)
shares = st.fractions(min_value=0, max_value=Fraction(999_999, 1_000_000), max_denominator=10**12)


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        pytest.param("1", 8, 100_000_000, id="a whole coin"),
        pytest.param("0.29", 8, 29_000_000, id="the one that floats get wrong"),
        pytest.param("0.00000001", 8, 1, id="one satoshi"),
        pytest.param("25.50", 6, 25_500_000, id="trailing zeros"),
        pytest.param("007.5", 1, 75, id="leading zeros"),
        pytest.param("3", 0, 3, id="an asset without decimals"),
        pytest.param("0", 18, 0, id="nothing"),
        pytest.param(str(LARGEST), 0, LARGEST, id="the largest amount"),
    ],
)
def test_an_amount_is_read_exactly(text: str, places: int, expected: int) -> None:
    assert expected == parse_amount(text, places)


@pytest.mark.parametrize(
    ("text", "places", "message"),
    [
        pytest.param("+1", 8, "decimal number", id="a plus"),
        pytest.param("-1", 8, "decimal number", id="a minus"),
        pytest.param("1e3", 8, "decimal number", id="an exponent"),
        pytest.param("1 000", 8, "decimal number", id="a space"),
        pytest.param(" 1", 8, "decimal number", id="a space in front"),
        pytest.param("1\n", 8, "decimal number", id="a line end"),
        pytest.param("1,5", 8, "decimal number", id="a comma"),
        pytest.param("1_000", 8, "decimal number", id="an underscore"),
        pytest.param(".5", 8, "decimal number", id="no digit before the point"),
        pytest.param("5.", 8, "decimal number", id="no digit after the point"),
        pytest.param("", 8, "decimal number", id="nothing at all"),
        pytest.param("NaN", 8, "decimal number", id="not a number"),
        pytest.param("\u0661", 8, "decimal number", id="digits of another script"),
        pytest.param("0x10", 8, "decimal number", id="hexadecimal"),
        pytest.param("0.000000001", 8, "has 9 decimals; this asset has 8", id="below one satoshi"),
        pytest.param("1.0", 0, "has 1 decimals; this asset has 0", id="decimals where there are none"),
        pytest.param("9" * 79, 0, "too large", id="79 digits"),
        pytest.param("9" * 61, 18, "too large", id="79 digits with the decimals"),
        pytest.param("0" * 10_000, 0, "too long", id="ten thousand digits"),
    ],
)
def test_h102_what_an_asset_cannot_hold_is_refused_in_one_line(text: str, places: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_amount(text, places)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("units", "places", "expected"),
    [
        pytest.param(25_500_000, 6, "25.5", id="no trailing zeros"),
        pytest.param(100_000_000, 8, "1", id="no bare point"),
        pytest.param(1, 18, "0.000000000000000001", id="no exponent"),
        pytest.param(0, 18, "0", id="zero"),
        pytest.param(10, 0, "10", id="a zero of a whole number stays"),
        pytest.param(-150, 2, "-1.5", id="below zero"),
    ],
)
def test_an_amount_is_written_plainly(units: int, places: int, expected: str) -> None:
    assert expected == format_amount(units, places)


@given(units=amounts, places=decimals)
def test_h98_what_is_written_reads_back_the_same(units: int, places: int) -> None:
    assert units == parse_amount(format_amount(units, places), places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", Fraction(0), id="none"),
        pytest.param("0.1", Fraction(1, 1000), id="a tenth of a percent"),
        pytest.param("100", Fraction(1), id="all"),
        pytest.param("33.333", Fraction(33_333, 100_000), id="a third, nearly"),
    ],
)
def test_a_percentage_is_an_exact_share(text: str, expected: Fraction) -> None:
    assert expected == percent(text)


@pytest.mark.parametrize("text", ["100.0001", "101", "-1", "1%", "", "1e-3"])
def test_a_percentage_outside_0_to_100_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is above 100|decimal number"):
        percent(text)


@pytest.mark.parametrize(
    ("net", "share", "fixed", "expected"),
    [
        pytest.param(100, "0", 0, 100, id="no fee"),
        pytest.param(100, "0", 7, 107, id="fixed only"),
        pytest.param(99, "1", 0, 100, id="percent only"),
        pytest.param(100, "1", 0, 102, id="rounded up"),
        pytest.param(90, "1", 9, 100, id="both"),
        pytest.param(0, "1", 0, 0, id="nothing"),
    ],
)
def test_the_payer_is_asked_for_the_amount_and_its_fee(
    net: int, share: str, fixed: int, expected: int
) -> None:
    assert expected == gross_up(net, percent(share), fixed)


@given(net=st.integers(min_value=1, max_value=LARGEST), share=shares, fixed=amounts)
@example(net=LARGEST, share=Fraction(1, 3), fixed=LARGEST)
def test_the_amount_asked_for_is_the_smallest_that_leaves_the_net(
    net: int, share: Fraction, fixed: int
) -> None:
    gross = gross_up(net, share, fixed)

    assert gross - fee(gross, share, fixed) >= net
    assert gross - 1 - fee(gross - 1, share, fixed) < net


@given(gross=amounts, share=shares, fixed=amounts)
def test_a_fee_is_never_negative_nor_above_the_deposit(gross: int, share: Fraction, fixed: int) -> None:
    assert 0 <= fee(gross, share, fixed) <= gross


def test_a_fee_that_takes_everything_cannot_be_added_on_top() -> None:
    with pytest.raises(ValueError, match="below 100"):
        gross_up(1, Fraction(1), 0)
