"""What follows from a merchant's decision, in sentences: each kind of invoice, with its own numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from watcher.pages import actions_consequences as consequences

ALTHOUGH = "The invoice becomes paid although"
NO_MATTER = ": it does not count, and waits for no decision any more."
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def title(chain: str) -> str:
    return chain.capitalize()


def option(**numbers: str) -> dict[str, Any]:
    known = {
        "chain": "bitcoin",
        "asset": "BTC",
        "expected": "1",
        "seen": "0",
        "confirmed": "0",
        "missing": "1",
    }
    return {**known, **numbers}


def invoice(status: str, *options: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "options": options or (option(),), "expires_at": "2026-01-01T13:00:00Z"}


def came(rule: str) -> dict[str, Any]:
    return {"chain": "bitcoin", "asset": "BTC", "amount": "0.5", "rule": rule}


PART = option(seen="0.4", confirmed="0.4", missing="0.6")
DOLLARS = option(chain="ethereum", asset="USDT", expected="9")
SOME_DOLLARS = {**DOLLARS, "expected": "25.5", "seen": "20", "confirmed": "20", "missing": "5.5"}


@pytest.mark.parametrize(
    ("one", "payments", "expected"),
    [
        pytest.param(
            invoice("pending", option(), DOLLARS),
            [],
            [f"{ALTHOUGH} nothing that counts has come: 1 BTC on Bitcoin or 9 USDT on Ethereum is missing."],
            id="nothing of two ways",
        ),
        pytest.param(
            invoice("underpaid", option(), SOME_DOLLARS),
            [],
            [f"{ALTHOUGH} 5.5 of 25.5 USDT on Ethereum is missing."],
            id="a part of one of two ways",
        ),
        pytest.param(
            invoice("partial", PART, SOME_DOLLARS),
            [],
            [f"{ALTHOUGH} not enough came: 0.4 of 1 BTC on Bitcoin, 20 of 25.5 USDT on Ethereum."],
            id="a part of both ways",
        ),
        pytest.param(
            invoice("underpaid", {**PART, "confirmed": "0.1"}),
            [came("late_held")],
            [
                f"{ALTHOUGH} 0.6 of 1 BTC on Bitcoin is missing.",
                "Of the 0.4 BTC on Bitcoin that was seen, 0.1 is confirmed; the rest may vanish.",
                "0.5 BTC on Bitcoin that came late counts from then on.",
            ],
            id="a part, some of it unconfirmed, and late money",
        ),
        pytest.param(
            invoice("expired"),
            [came("after_monitoring"), came("unattributed"), came("in_time")],
            [
                "The invoice over 1 BTC on Bitcoin becomes paid by what came late.",
                "0.5 BTC on Bitcoin that came late counts from then on.",
                f"0.5 BTC on Bitcoin came without a transfer{NO_MATTER}",
            ],
            id="late money",
        ),
    ],
)
def test_accepting_names_what_is_missing_and_what_becomes_of_what_came(
    one: dict[str, Any], payments: list[dict[str, Any]], expected: list[str]
) -> None:
    *told, shop, back = consequences.accept(one, payments, title)

    assert expected == told
    assert "The shop is told invoice.paid: it may deliver." == shop
    assert "This cannot be undone. What came can still be given back by a refund." == back


def test_accepting_what_is_too_much_of_a_paid_invoice_tells_the_shop_nothing() -> None:
    told = consequences.accept(invoice("paid", option(seen="2", confirmed="2")), [came("wrong_asset")], title)

    assert "The invoice stays paid." == told[0]
    assert "The shop is told nothing new." in told


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        pytest.param(NOON, 14, id="after the deadline"),
        pytest.param(NOON.replace(hour=18), 19, id="after now"),
    ],
)
def test_a_deadline_moves_from_itself_or_from_now(now: datetime, hour: int) -> None:
    spans = consequences.spans(invoice("pending"), now)

    assert NOON.replace(hour=hour) == next(span.until for span in spans if span.words == "1 hour")
    assert all(60 <= span.seconds <= 60 * consequences.MOST_MINUTES == 2_592_000 for span in spans)


@pytest.mark.parametrize(
    ("status", "settles", "expected"),
    [
        pytest.param("paid", False, "stays paid. The shop is told refund.requested.", id="excess"),
        pytest.param("refunding", True, "The invoice stays refunding.", id="one more"),
        pytest.param("refunded", True, "The invoice becomes refunding once more.", id="once more"),
        pytest.param("paid", True, "The shop is told refund.requested and invoice.refunding.", id="all"),
    ],
)
def test_a_refund_says_what_becomes_of_the_invoice(status: str, settles: object, expected: str) -> None:
    planned = {"chain": "bitcoin", "asset": "BTC", "amount": "1", "arrives": "0.9", "address": "bc1"}
    told = " ".join(consequences.refund(invoice(status), {**planned, "settles": settles}, title))

    assert expected in told
    assert "1 BTC on Bitcoin is to go to bc1. 0.9 BTC of it arrives" in told
