"""What a decision says beside the status: each option's sums, each payment's rule, who is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from invoice_facts import (
    ACCEPTS_LATE,
    ASKED,
    BASE,
    BOTH,
    CUSTOMER,
    DROPPED,
    FEE,
    LARGEST,
    LATE,
    MONITORED,
    PAST,
    REORGANISED,
    REPLACED,
    Facts,
    accept,
    block,
    cancel,
    deposit,
    facts,
    gone,
    invoice,
    option,
    percent,
    token,
    two,
)
from watcher.model import Decision, Finality


def sums(decision: Decision) -> list[tuple[int, ...]]:
    return [(o.seen, o.confirmed, o.fees, o.net, o.missing, o.excess) for o in decision.options]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # each option: seen, confirmed, fees, net, missing and excess
        pytest.param(facts(), [(0, 0, 0, 0, 100, 0)], id="nothing: all is missing"),
        pytest.param(facts(deposit(99)), [(99, 99, 0, 99, 1, 0)], id="one unit missing"),
        pytest.param(facts(deposit(99, None)), [(99, 0, 0, 99, 1, 0)], id="seen is not confirmed"),
        pytest.param(facts(deposit(100)), [(100, 100, 0, 100, 0, 0)], id="exact"),
        pytest.param(facts(deposit(103)), [(103, 103, 0, 103, 0, 3)], id="the excess"),
        pytest.param(
            facts(deposit(98), of=invoice(option(minimum=98))),
            [(98, 98, 0, 98, 0, 0)],
            id="within tolerance, none missing",
        ),
        pytest.param(
            facts(deposit(97), of=invoice(option(minimum=98))),
            [(97, 97, 0, 97, 3, 0)],
            id="missing goes up to the amount, not to the minimum",
        ),
        pytest.param(
            facts(deposit(40), seen=PAST), [(40, 40, 0, 40, 60, 0)], id="underpaid: missing stays told"
        ),
        pytest.param(
            facts(resolutions=[accept(5)]), [(0, 0, 0, 0, 0, 0)], id="accepted without payment: none missing"
        ),
        pytest.param(facts(resolutions=[cancel(5)]), [(0, 0, 0, 0, 0, 0)], id="cancelled: none missing"),
        pytest.param(
            facts(deposit(100, arrived=LATE), seen=PAST), [(0, 0, 0, 0, 100, 0)], id="held money is in no sum"
        ),
        pytest.param(
            facts(deposit(100, asset="TOKEN")), [(0, 0, 0, 0, 100, 0)], id="another asset is in no sum"
        ),
        pytest.param(
            facts(deposit(100), of=invoice(option(**FEE))),
            [(100, 100, 10, 90, 0, 0)],
            id="the merchant bears 3 % and 7: gross counts, net reports",
        ),
        pytest.param(
            facts(deposit(50), of=invoice(option(**FEE))),
            [(50, 50, 9, 41, 50, 0)],
            id="the merchant bears the fees: missing is gross, the share is rounded up",
        ),
        pytest.param(
            facts(deposit(ASKED), of=invoice(option(**FEE), **CUSTOMER)),
            [(111, 111, 11, 100, 0, 0)],
            id="the customer bears the fees: what was asked leaves the amount",
        ),
        pytest.param(
            facts(of=invoice(option(**FEE), **CUSTOMER)),
            [(0, 0, 0, 0, 111, 0)],
            id="the customer: missing is what is asked",
        ),
        pytest.param(
            facts(deposit(ASKED - 1), of=invoice(option(**FEE), **CUSTOMER)),
            [(110, 110, 11, 99, 9, 0)],
            id="the customer, one unit short: the next deposit has its fixed fee again",
        ),
        pytest.param(
            facts(deposit(ASKED + 10), of=invoice(option(**FEE), **CUSTOMER)),
            [(121, 121, 11, 110, 0, 10)],
            id="the customer: the excess is net",
        ),
        pytest.param(
            facts(deposit(5), of=invoice(option(**FEE), **CUSTOMER)),
            [(5, 5, 5, 0, 111, 0)],
            id="a deposit below its fee is worth nothing, never less",
        ),
        pytest.param(
            facts(deposit(100), of=invoice(option(fee_percent=percent("0.5")))),
            [(100, 100, 1, 99, 0, 0)],
            id="a percentage alone, rounded up",
        ),
        pytest.param(
            facts(deposit(100), of=invoice(option(fee_fixed=7))),
            [(100, 100, 7, 93, 0, 0)],
            id="a fixed fee alone",
        ),
        pytest.param(
            facts(deposit(25), of=two(), seen=BOTH),
            [(25, 25, 0, 25, 75, 0), (0, 0, 0, 0, 225, 0)],
            id="two options: the rest may be sent in either",
        ),
        pytest.param(
            facts(deposit(33), of=two(), seen=BOTH),
            [(33, 33, 0, 33, 67, 0), (0, 0, 0, 0, 201, 0)],
            id="two options: what is missing is rounded up",
        ),
        pytest.param(
            facts(deposit(50), token(180, arrived=20), of=two(), seen=BOTH),
            [(50, 50, 0, 50, 0, 0), (180, 180, 0, 180, 0, 30)],
            id="two options: the excess stands where was paid last",
        ),
        pytest.param(
            facts(deposit(60, arrived=30), token(150, arrived=20), of=two(), seen=BOTH),
            [(60, 60, 0, 60, 0, 10), (150, 150, 0, 150, 0, 0)],
            id="two options: the other paid last",
        ),
        pytest.param(
            facts(*(deposit(LARGEST, name=n) for n in "pq"), of=invoice(option(amount=LARGEST))),
            [(2 * LARGEST, 2 * LARGEST, 0, 2 * LARGEST, 0, LARGEST)],
            id="exact beyond 256 bits",
        ),
    ],
)
def test_sums_are_named_numbers(given: Facts, expected: list[tuple[int, ...]]) -> None:
    assert expected == sums(given.decide())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(facts(deposit()), "confirmed in_time 2/2", id="counted"),
        pytest.param(facts(deposit(height=None)), "pending in_time 0/2", id="in the mempool"),
        pytest.param(facts(deposit(maturity=100)), "pending in_time 2/100", id="immature"),
        pytest.param(
            facts(deposit(), of=invoice(option(confirmations=Finality.FINALIZED))),
            "pending in_time 2/finalized",
            id="not final",
        ),
        pytest.param(facts(gone(DROPPED)), "replaced dropped 0/2", id="dropped"),
        pytest.param(facts(gone(REPLACED)), "replaced replaced 0/2", id="replaced"),
        pytest.param(facts(gone(REORGANISED)), "reverted reorganised 0/2", id="reorganised"),
        pytest.param(facts(deposit(asset="TOKEN")), "ignored wrong_asset 2/2", id="wrong asset"),
        pytest.param(facts(deposit(1), of=invoice(option(dust=2))), "ignored dust 2/2", id="dust"),
        pytest.param(facts(deposit(arrived=-1)), "ignored before_invoice 2/2", id="before the invoice"),
        pytest.param(facts(deposit(arrived=LATE)), "confirmed late_held 2/2", id="held"),
        pytest.param(
            facts(deposit(arrived=LATE), of=ACCEPTS_LATE), "confirmed late_accepted 2/2", id="late, accepted"
        ),
        pytest.param(
            facts(deposit(arrived=MONITORED + 1)), "confirmed after_monitoring 2/2", id="long closed"
        ),
        pytest.param(
            facts(deposit(), resolutions=[cancel(5)]), "confirmed after_cancelled 2/2", id="cancelled"
        ),
    ],
)
def test_each_payment_names_the_rule_that_judged_it(given: Facts, expected: str) -> None:
    (payment,) = given.decide().payments

    assert expected == f"{payment.status} {payment.rule} {payment.confirmations}/{payment.required}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(facts(), False, id="open"),
        pytest.param(facts(deposit(101)), False, id="overpaid: nothing has to be decided"),
        pytest.param(facts(seen=PAST), False, id="expired with nothing"),
        pytest.param(facts(deposit(1), seen=PAST), True, id="underpaid"),
        pytest.param(facts(deposit(arrived=LATE), seen=PAST), True, id="held late money"),
        pytest.param(
            facts(deposit(arrived=LATE), of=ACCEPTS_LATE, seen=PAST), False, id="late money by itself"
        ),
        pytest.param(facts(deposit(asset="TOKEN")), True, id="wrong asset"),
        pytest.param(facts(deposit(), resolutions=[cancel(5)]), True, id="money to a cancelled invoice"),
        pytest.param(facts(deposit(1), resolutions=[accept(LATE)], seen=PAST), False, id="accepted"),
        pytest.param(facts(gone(DROPPED, arrived=LATE), seen=PAST), False, id="late money that went away"),
    ],
)
def test_a_merchant_is_needed_only_where_something_has_to_be_decided(given: Facts, expected: bool) -> None:  # noqa: FBT001
    assert expected == given.decide().needs_action


def test_payments_are_listed_in_the_order_of_their_arrival() -> None:
    late, early = deposit(1, arrived=20, name="late"), deposit(1, arrived=10, name="early")

    decision = facts(late, early).decide()

    assert ["early", "late"] == [p.deposit.id for p in decision.payments]


def test_moving_to_another_block_of_the_same_height_changes_only_the_block() -> None:
    before = facts(deposit()).decide()
    moved = facts(deposit(block=block(BASE + 1, branch="b"))).decide()

    payments = tuple(replace(p, deposit=deposit()) for p in moved.payments)
    assert before == replace(moved, payments=payments)
