"""What a shop is told when money goes away again, and when it comes back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from invoice_facts import (
    BASE,
    CLOSED,
    DEADLINE,
    DROPPED,
    NOTHING,
    PAID,
    PARTLY,
    PAST,
    POOL,
    REORGANISED,
    REPLACED,
    UNPLACED,
    Facts,
    cancel,
    deposit,
    facts,
    gone,
    told,
    view,
)
from watcher.happenings import events_for, fell


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # money goes away
        pytest.param(
            PAID,
            facts(gone(REORGANISED)),
            ["payment.reverted p reorganised", "invoice.reverted reorganised"],
            id="reorganised away",
        ),
        pytest.param(
            PAID,
            POOL,
            ["payment.reverted p reorganised", "invoice.reverted reorganised"],
            id="reorganised back to the mempool",
        ),
        pytest.param(
            PAID,
            facts(deposit(height=BASE + 2)),
            ["payment.reverted p reorganised", "invoice.reverted reorganised"],
            id="reorganised into a younger block",
        ),
        pytest.param(
            PAID,
            facts(gone(UNPLACED)),
            ["payment.reverted p reorganised", "invoice.reverted reorganised"],
            id="reorganised, and not known where to",
        ),
        pytest.param(
            facts(gone(UNPLACED)),
            facts(gone(REORGANISED)),
            ["payment.reverted p reorganised", "invoice.reverted reorganised"],
            id="known to be gone",
        ),
        pytest.param(
            POOL,
            facts(gone(REPLACED)),
            ["payment.replaced p replaced", "invoice.reverted replaced"],
            id="replaced by a transaction that pays us nothing",
        ),
        pytest.param(
            POOL,
            facts(gone(REPLACED), deposit(40, None, name="q", arrived=20)),
            ["payment.replaced p replaced", "payment.detected q", "invoice.reverted replaced"],
            id="replaced by one that pays less",
        ),
        pytest.param(
            POOL,
            facts(gone(REPLACED), deposit(100, None, name="q", arrived=20)),
            ["payment.replaced p replaced", "payment.detected q"],
            id="a fee bump: the status stays",
        ),
        pytest.param(
            POOL,
            facts(gone(DROPPED)),
            ["payment.replaced p dropped", "invoice.reverted dropped"],
            id="dropped from the mempool",
        ),
        pytest.param(
            facts(deposit(60, None), deposit(40, None, name="q", arrived=20)),
            facts(deposit(60), gone(DROPPED, 40, name="q", arrived=20)),
            ["payment.confirmed p", "payment.replaced q dropped", "invoice.reverted dropped"],
            id="the reason is that of the payment that went away, not of one that moved up",
        ),
        pytest.param(
            PARTLY,
            facts(gone(DROPPED, 40), seen=PAST),
            ["payment.replaced p dropped", "invoice.reverted dropped", "invoice.expired"],
            id="dropped, and the deadline has passed: expired",
        ),
        pytest.param(
            PAID,
            facts(gone(REORGANISED), seen=PAST),
            ["payment.reverted p reorganised", "invoice.reverted reorganised", "invoice.expired"],
            id="paid, reorganised away, past the deadline",
        ),
        pytest.param(
            facts(deposit(60), deposit(40, name="q", arrived=20), seen=view(as_of=DEADLINE)),
            facts(deposit(60), gone(REORGANISED, 40, name="q", arrived=20), seen=view(as_of=DEADLINE)),
            ["payment.reverted q reorganised", "invoice.reverted reorganised", "invoice.underpaid"],
            id="paid, a part reorganised away, past the deadline",
        ),
        # and comes again
        pytest.param(
            facts(gone(DROPPED)),
            POOL,
            ["invoice.confirming"],
            id="returned to the mempool: detected was told",
        ),
        pytest.param(
            facts(gone(REORGANISED)),
            PAID,
            ["payment.confirmed p", "invoice.paid"],
            id="paid again after a reversal",
        ),
    ],
)
def test_what_went_away_is_told_with_its_reason(before: Facts, after: Facts, expected: list[str]) -> None:
    assert expected == told(events_for(before.decide(), after.decide()))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(PAID, POOL, True, id="paid, then confirming"),
        pytest.param(POOL, PARTLY, True, id="confirming, then partial"),
        pytest.param(PARTLY, NOTHING, True, id="partial, then pending"),
        pytest.param(CLOSED, facts(seen=PAST), True, id="underpaid, then expired"),
        pytest.param(PARTLY, CLOSED, False, id="partial, then underpaid: no money went away"),
        pytest.param(NOTHING, facts(seen=PAST), False, id="pending, then expired"),
        pytest.param(facts(seen=PAST), NOTHING, False, id="expired, then extended"),
        pytest.param(NOTHING, PAID, False, id="pending, then paid"),
        pytest.param(NOTHING, facts(resolutions=[cancel(5)]), False, id="cancelled"),
    ],
)
def test_a_status_falls_only_when_money_went_away(before: Facts, after: Facts, expected: bool) -> None:  # noqa: FBT001
    assert expected == fell(before.decide(), after.decide())


def test_h104_a_reorganisation_storm_tells_paid_and_reverted_in_turns() -> None:
    history = [NOTHING, PAID, POOL, PAID, facts(gone(REORGANISED)), PAID]

    steps = [events_for(a.decide(), b.decide()) for a, b in pairwise(history)]

    expected = ["paid", "reverted", "paid", "reverted", "paid"]
    assert expected == [h.type.value.removeprefix("invoice.") for s in steps for h in s if h.payment is None]
