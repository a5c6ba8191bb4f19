"""What `watcher stats --by` prints of the series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.cli.stats import _by_time

if TYPE_CHECKING:
    import pytest

NONE = {"created": 0, "open": 0, "paid": 0, "underpaid": 0, "expired": 0, "refunded": 0, "cancelled": 0}


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip() and "─" not in line]


def test_each_bucket_is_a_line_and_each_asset_one_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    days = [f"2026-01-{day}T00:00:00Z" for day in ("05", "12")]
    points = [{"start": day, "amount": "1.5", "invoices": "1", "addresses": "0.5"} for day in days]
    _by_time(
        {
            "bucket": "week",
            "invoices": [{**NONE, "start": day, "created": 3, "paid": 3, "late": 1} for day in days],
            "volume": [
                {"chain": "right", "asset": "COIN", "amount": "3", "points": points},
                {"chain": "left", "asset": "COIN", "amount": "1.5", "points": points[1:]},
            ],
        }
    )

    assert [
        ["week", "created", "open", "paid", "underpaid", "expired", "refunded", "cancelled", "late"],
        ["2026-01-05", "3", "0", "3", "0", "0", "0", "0", "1"],
        ["2026-01-12", "3", "0", "3", "0", "0", "0", "0", "1"],
        ["week", "asset", "received", "by", "invoices", "by", "standing", "addresses"],
        ["2026-01-05", "COIN", "on", "right", "1.5", "1", "0.5"],
        ["2026-01-12", "COIN", "on", "left", "1.5", "1", "0.5"],
        ["2026-01-12", "COIN", "on", "right", "1.5", "1", "0.5"],
    ] == rows(capsys.readouterr().out)


def test_where_nothing_happened_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _by_time({"bucket": "day", "invoices": [], "volume": []})

    assert ["no invoice", "", "no money"] == capsys.readouterr().out.splitlines()
