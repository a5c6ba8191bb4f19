"""What a shop is told between two states of the facts: before, after, and the events in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from invoice_facts import (
    ACCEPTS_LATE,
    BASE,
    BOTH,
    CLOSED,
    DROPPED,
    LATE,
    NOTHING,
    ONE_DEEP,
    PAID,
    PARTLY,
    PAST,
    POOL,
    UNPLACED,
    Facts,
    accept,
    at,
    block,
    cancel,
    deposit,
    extend,
    facts,
    gone,
    invoice,
    option,
    token,
    told,
    two,
    view,
)
from watcher.happenings import events_for


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # step by step, and with steps skipped
        pytest.param(NOTHING, NOTHING, [], id="nothing, still nothing"),
        pytest.param(NOTHING, PARTLY, ["payment.detected p", "invoice.partially_paid"], id="a part is seen"),
        pytest.param(NOTHING, POOL, ["payment.detected p", "invoice.confirming"], id="all is seen"),
        pytest.param(POOL, ONE_DEEP, [], id="mined, not deep enough"),
        pytest.param(ONE_DEEP, PAID, ["payment.confirmed p", "invoice.paid"], id="deep enough"),
        pytest.param(POOL, PAID, ["payment.confirmed p", "invoice.paid"], id="mined and deep at once"),
        pytest.param(
            NOTHING,
            PAID,
            ["payment.detected p", "payment.confirmed p", "invoice.paid"],
            id="catch-up: skipped steps send no status event, the payment sends its own",
        ),
        pytest.param(
            PARTLY,
            facts(deposit(40), deposit(60, name="q", arrived=20)),
            ["payment.confirmed p", "payment.detected q", "payment.confirmed q", "invoice.paid"],
            id="two payments, in the order of their arrival",
        ),
        pytest.param(
            facts(deposit(40)),
            facts(deposit(40), seen=view(BASE + 9)),
            [],
            id="deeper: confirmed is told once",
        ),
        pytest.param(
            PARTLY,
            facts(deposit(40, None), deposit(10, None, name="q")),
            ["payment.detected q"],
            id="partial stays partial",
        ),
        # deadlines
        pytest.param(NOTHING, facts(seen=PAST), ["invoice.expired"], id="the deadline passes with nothing"),
        pytest.param(PARTLY, CLOSED, ["invoice.underpaid"], id="the deadline passes with a part"),
        pytest.param(
            NOTHING,
            CLOSED,
            ["payment.detected p", "invoice.underpaid"],
            id="a part and the deadline in one step",
        ),
        pytest.param(
            NOTHING,
            facts(deposit(), seen=PAST),
            ["payment.detected p", "payment.confirmed p", "invoice.paid"],
            id="paid before the deadline, seen after it: never expired",
        ),
        # another block
        pytest.param(
            PAID,
            facts(deposit(block=block(BASE + 1, branch="b"))),
            [],
            id="moved to another block, as deep as before",
        ),
        pytest.param(ONE_DEEP, POOL, [], id="back to the mempool, status the same"),
        pytest.param(ONE_DEEP, facts(gone(UNPLACED)), [], id="between two branches, status the same"),
        # too much
        pytest.param(
            ONE_DEEP,
            facts(deposit(), deposit(5, None, name="q", arrived=20)),
            ["payment.confirmed p", "payment.detected q", "invoice.paid", "invoice.overpaid"],
            id="paid and overpaid at once",
        ),
        pytest.param(
            PAID,
            facts(deposit(), deposit(5, None, name="q", arrived=20)),
            ["payment.detected q", "invoice.overpaid"],
            id="more money to a paid invoice",
        ),
        pytest.param(
            facts(deposit(), deposit(5, None, name="q", arrived=20)),
            facts(deposit(), deposit(5, name="q", arrived=20)),
            ["payment.confirmed q"],
            id="the excess confirms: overpaid is told once",
        ),
        pytest.param(
            facts(deposit(105)),
            facts(deposit(105), deposit(5, name="q", arrived=20)),
            ["payment.detected q", "payment.confirmed q", "invoice.overpaid"],
            id="still more money is told again",
        ),
        pytest.param(
            facts(deposit(), deposit(5, None, name="q", arrived=20)),
            facts(deposit(), gone(DROPPED, 5, name="q", arrived=20)),
            ["payment.replaced q dropped"],
            id="the excess goes away: still paid",
        ),
        pytest.param(
            facts(deposit(105, height=BASE + 2)),
            facts(deposit(105, height=BASE + 2), deposit(1, None, name="q", arrived=20)),
            ["payment.detected q"],
            id="too much is told only once it is paid",
        ),
        pytest.param(
            facts(deposit(110), of=two(amount=3), seen=BOTH),
            facts(deposit(110), token(1, arrived=20), of=two(amount=3), seen=BOTH),
            ["payment.detected t", "payment.confirmed t", "invoice.overpaid"],
            id="more in a coin with larger units is more all the same",
        ),
        # late
        pytest.param(
            facts(seen=PAST),
            facts(deposit(height=None, arrived=LATE), seen=PAST),
            ["payment.detected p", "invoice.late_payment p"],
            id="late money",
        ),
        pytest.param(
            facts(deposit(height=None, arrived=LATE), seen=PAST),
            facts(deposit(arrived=LATE), seen=PAST),
            ["payment.confirmed p"],
            id="late money confirms: late is told once",
        ),
        pytest.param(
            facts(seen=PAST),
            facts(deposit(arrived=LATE), seen=PAST),
            ["payment.detected p", "payment.confirmed p", "invoice.late_payment p"],
            id="late money, seen when it is deep",
        ),
        pytest.param(
            facts(of=ACCEPTS_LATE, seen=PAST),
            facts(deposit(arrived=LATE), of=ACCEPTS_LATE, seen=PAST),
            ["payment.detected p", "payment.confirmed p", "invoice.paid"],
            id="late money that counts by itself",
        ),
        pytest.param(
            facts(deposit(arrived=LATE), seen=PAST),
            facts(deposit(arrived=LATE), seen=PAST, resolutions=[accept(LATE + 5)]),
            ["invoice.paid"],
            id="late money, accepted by the merchant",
        ),
        pytest.param(
            facts(deposit(arrived=LATE), seen=PAST),
            facts(deposit(arrived=LATE), seen=PAST, resolutions=[extend(LATE, LATE + 60)]),
            ["invoice.extended", "invoice.paid"],
            id="late money, in time after an extension",
        ),
        pytest.param(
            facts(seen=PAST),
            facts(seen=PAST, resolutions=[extend(LATE, LATE + 60)]),
            ["invoice.extended"],
            id="open again by an extension",
        ),
        pytest.param(
            facts(deposit(), seen=PAST),
            facts(deposit(), deposit(5, None, name="q", arrived=LATE), seen=PAST),
            ["payment.detected q", "invoice.overpaid"],
            id="late money to a paid invoice is too much, not late",
        ),
        pytest.param(
            facts(resolutions=[cancel(5)]),
            facts(deposit(height=None), resolutions=[cancel(5)]),
            ["payment.detected p", "invoice.late_payment p"],
            id="money to a cancelled invoice",
        ),
        # what does not count
        pytest.param(
            NOTHING, facts(deposit(asset="TOKEN", height=None)), ["deposit.wrong_asset p"], id="another asset"
        ),
        pytest.param(
            facts(deposit(asset="TOKEN", height=None)),
            facts(deposit(asset="TOKEN")),
            [],
            id="another asset confirms",
        ),
        pytest.param(
            facts(deposit(asset="TOKEN", height=None)),
            facts(gone(DROPPED, asset="TOKEN")),
            [],
            id="another asset goes away",
        ),
        pytest.param(
            facts(of=invoice(option(dust=9))),
            facts(deposit(8), of=invoice(option(dust=9))),
            [],
            id="dust is silent",
        ),
        pytest.param(NOTHING, facts(deposit(arrived=-1)), [], id="money before the invoice is silent"),
        # a merchant's word
        pytest.param(
            NOTHING, facts(resolutions=[accept(5)]), ["invoice.paid"], id="accepted without payment"
        ),
        pytest.param(
            CLOSED, replace(CLOSED, resolutions=[accept(LATE)]), ["invoice.paid"], id="underpaid, accepted"
        ),
        pytest.param(NOTHING, facts(resolutions=[cancel(5)]), ["invoice.cancelled"], id="cancelled"),
    ],
)
def test_events_follow_from_what_changed(before: Facts, after: Facts, expected: list[str]) -> None:
    assert expected == told(events_for(before.decide(), after.decide()))


def test_every_payment_of_an_invoice_is_told_even_when_many_come_at_once() -> None:
    many = facts(*(deposit(1, arrived=n, name=f"p{n}") for n in range(1, 51)))

    events = told(events_for(NOTHING.decide(), many.decide()))

    assert [f"payment.{what} p{n}" for n in range(1, 51) for what in ("detected", "confirmed")] == events[:-1]
    assert "invoice.partially_paid" == events[-1]
    assert at(1) == many.decide().payments[0].deposit.arrived_at
