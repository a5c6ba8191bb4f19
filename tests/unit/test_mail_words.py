"""Time left and deadlines in words, singular and plural as each language has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from watcher import mail_words

D, H, M = 86_400, 3600, 60


@pytest.mark.parametrize(
    ("seconds", "english", "french", "german"),
    [
        pytest.param(-5, "less than a minute", "moins d'une minute", "< 1 min", id="over"),
        pytest.param(59.9, "less than a minute", "moins d'une minute", "< 1 min", id="seconds"),
        pytest.param(M, "1 minute", "1 minute", "1 min", id="a minute"),
        pytest.param(2 * M + 59, "2 minutes", "2 minutes", "2 min", id="never more than there is"),
        pytest.param(H, "1 hour", "1 heure", "1 h", id="an hour"),
        pytest.param(H + M, "1 hour and 1 minute", "1 heure et 1 minute", "1 h 1 min", id="one of each"),
        pytest.param(
            23 * H + 59 * M, "23 hours and 59 minutes", "23 heures et 59 minutes", "23 h 59 min", id="several"
        ),
        pytest.param(D + H + M, "1 day and 1 hour", "1 jour et 1 heure", "1 d 1 h", id="two units at most"),
        pytest.param(2 * D + M, "2 days and 1 minute", "2 jours et 1 minute", "2 d 1 min", id="no hour"),
        pytest.param(30 * D, "30 days", "30 jours", "30 d", id="a month"),
    ],
)
def test_time_left_is_told_in_the_two_largest_units(
    seconds: float, english: str, french: str, german: str
) -> None:
    left = timedelta(seconds=seconds)

    told = [mail_words.time_left(left, language) for language in ("en", "fr", "de")]

    assert [english, french.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"), german] == told


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        pytest.param("en", 0, "0 hours", id="English nought is plural"),
        pytest.param("en", 1, "1 hour", id="English one"),
        pytest.param("fr", 0, "0 heure", id="French nought is singular"),
        pytest.param("fr", 1, "1 heure", id="French one"),
        pytest.param("fr", 2, "2 heures", id="French two"),
    ],
)
def test_each_language_has_its_own_rule_of_the_plural(language: str, number: int, expected: str) -> None:
    assert expected == mail_words._LANGUAGES[language].amount(number, 1)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        pytest.param("en", "1 August 2026, 23:05 UTC", id="English"),
        pytest.param("en-gb", "1 August 2026, 23:05 UTC", id="a family"),
        pytest.param("fr", "1er août 2026 à 23:05 UTC", id="French"),
        pytest.param("de", "2026-08-01 23:05 UTC", id="any other"),
    ],
)
def test_a_deadline_is_told_in_utc_to_the_minute_before_it(language: str, expected: str) -> None:
    east = timezone(timedelta(hours=9))

    assert expected == mail_words.date(datetime(2026, 8, 2, 8, 5, 59, tzinfo=east), language)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_month_has_a_name_of_its_own(language: str) -> None:
    moments = [datetime(2026, month, 2, tzinfo=UTC) for month in range(1, 13)]

    assert 12 == len({mail_words.date(moment, language) for moment in moments})
