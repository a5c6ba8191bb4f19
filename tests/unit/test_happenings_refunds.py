"""What a shop is told of refunds, and of the invoice that they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from invoice_facts import BASE, at, deposit, facts, gone, refund, told, view, views
from watcher.happenings import events_for, fell
from watcher.matcher import decide
from watcher.model import Decision, Deposit, Refund, RefundState, Standing

PAYMENT = deposit(name="p")
ALL = {"covers": frozenset({"p"})}


def judge(*refunds: Refund, given: tuple[Deposit, ...] = (PAYMENT,), as_of: float = 3000) -> Decision:
    return decide(facts().invoice, given, (), views(view(BASE + 9, as_of)), refunds)


def one(state: str, txid: str | None = None, **fields: Any) -> Refund:
    return refund(state=RefundState(state), txid=txid, **{**ALL, **fields})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [one("requested")], ["refund.requested", "invoice.refunding"], id="requested"),
        pytest.param(
            [],
            [one("sent", "t")],
            ["refund.requested", "refund.sent", "invoice.refunding"],
            id="and sent at once",
        ),
        pytest.param(
            [], [one("cancelled")], ["refund.requested", "refund.cancelled"], id="and withdrawn at once"
        ),
        pytest.param([], [one("requested", settles=False)], ["refund.requested"], id="of the excess"),
        pytest.param([one("requested")], [one("sent", "t")], ["refund.sent"], id="sent"),
        pytest.param([one("sent", "t")], [one("sent", "t")], [], id="told twice"),
        pytest.param([one("sent", "t")], [one("sent", "u")], ["refund.sent"], id="by another transaction"),
        pytest.param(
            [one("sent", "t")],
            [one("confirmed", "t")],
            ["refund.confirmed", "invoice.refunded"],
            id="confirmed",
        ),
        pytest.param([one("sent", "t")], [one("requested", "t")], ["refund.reverted"], id="dropped"),
        pytest.param(
            [one("confirmed", "t")],
            [one("sent", "t")],
            ["refund.reverted", "invoice.refunding"],
            id="less deep than it was",
        ),
        pytest.param(
            [one("confirmed", "t")],
            [one("requested", "t")],
            ["refund.reverted", "invoice.refunding"],
            id="reorganised away",
        ),
        pytest.param(
            [one("requested")], [one("cancelled")], ["refund.cancelled"], id="withdrawn: paid was told before"
        ),
        pytest.param(
            [one("cancelled", "t")],
            [one("sent", "t")],
            ["refund.sent", "invoice.refunding"],
            id="withdrawn, and seen nevertheless",
        ),
        pytest.param(
            [one("confirmed", "t")],
            [one("confirmed", "t"), one("requested", name="s")],
            ["refund.requested", "invoice.refunding"],
            id="another one",
        ),
    ],
)
def test_each_step_of_a_refund_is_told_once(
    before: list[Refund], after: list[Refund], expected: list[str]
) -> None:
    assert expected == told(events_for(judge(*before), judge(*after)))


def test_an_excess_is_not_told_again_when_a_refund_is_withdrawn() -> None:
    given = (PAYMENT, deposit(30, name="q", arrived=20))
    asked = one("requested", covers=frozenset({"p", "q"}))

    before, after = judge(asked, given=given), judge(replace(asked, state=RefundState.CANCELLED), given=given)

    assert ("refunding", "paid") == (before.status.value, after.status.value)
    assert ["refund.cancelled"] == told(events_for(before, after))


def test_a_payment_that_goes_away_while_it_is_given_back_is_a_fall() -> None:
    before = judge(one("requested"))
    after = judge(one("requested"), given=(gone(Standing.REORGANISED, name="p"),))

    assert ("refunding", "pending") == (before.status.value, after.status.value)
    assert fell(before, after)
    assert ["payment.reverted p reorganised", "invoice.reverted reorganised"] == told(
        events_for(before, after)
    )


def test_money_after_a_refund_is_told_as_late() -> None:
    before = judge(one("confirmed", "t"))
    after = judge(one("confirmed", "t"), given=(PAYMENT, deposit(name="n", arrived=200)))

    assert ("refunded", True) == (after.status.value, after.needs_action)
    events = told(events_for(before, after))
    assert ["payment.detected n", "payment.confirmed n", "invoice.late_payment n"] == events
    assert at(200) == after.payments[1].deposit.arrived_at
