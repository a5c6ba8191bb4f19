"""How far a refund is by the facts, what of the money is left, and what came after it was given back."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from invoice_facts import BASE, LATE, at, deposit, invoice, option, refund, token, two, view, views
from watcher.matcher import decide
from watcher.model import LatePolicy, RefundState, Standing, Status
from watcher.refunds import Purse, judged, purses

if TYPE_CHECKING:
    from watcher.model import Decision, Deposit, Invoice, Refund, View

DAY = 86400.0
SENT = {"txid": "tx back", "sent_at": at(60)}
DEEP, SHALLOW = view(BASE + 10, 100), view(BASE + 5, 100)


def back(amount: int = 100, height: int | None = BASE + 5, **fields: Any) -> Deposit:
    """What a refund's transaction was seen to pay."""
    return deposit(amount, height, **{"name": "back", "address": "the payer", **fields})


@pytest.mark.parametrize(
    ("fields", "seen", "look", "expected"),
    [
        pytest.param({}, [], DEEP, "requested", id="not sent"),
        pytest.param(SENT, [], DEEP, "sent", id="sent, and not seen yet"),
        pytest.param(SENT, [], None, "sent", id="on a chain of which nothing is known"),
        pytest.param(SENT, [], view(as_of=60 + DAY - 1), "sent", id="not seen for nearly a day"),
        pytest.param(SENT, [], view(as_of=60 + DAY), "requested", id="not seen for a day"),
        pytest.param(SENT, [back(height=None)], DEEP, "sent", id="in the mempool"),
        pytest.param(SENT, [back(height=None)], view(as_of=9 * DAY), "sent", id="for days in the mempool"),
        pytest.param(SENT, [back()], SHALLOW, "sent", id="one block deep"),
        pytest.param(SENT, [back()], DEEP, "confirmed", id="deep enough"),
        pytest.param(SENT, [back(99)], DEEP, "requested", id="one unit too little"),
        pytest.param(SENT, [back(60), back(40, name="b")], DEEP, "confirmed", id="in two outputs"),
        pytest.param(SENT, [back(60), back(40, None, name="b")], DEEP, "sent", id="one of them unconfirmed"),
        pytest.param(SENT, [back(height=None, standing=Standing.UNPLACED)], DEEP, "sent", id="unplaced"),
        pytest.param(SENT, [back(height=None, standing=Standing.DROPPED)], DEEP, "requested", id="dropped"),
        pytest.param(SENT, [back(height=None, standing=Standing.REPLACED)], DEEP, "requested", id="replaced"),
        pytest.param(
            SENT, [back(height=None, standing=Standing.REORGANISED)], DEEP, "requested", id="reorganised away"
        ),
        pytest.param(SENT, [back(txid="another")], DEEP, "sent", id="another transaction"),
        pytest.param(SENT, [back(address="another")], DEEP, "sent", id="another address"),
        pytest.param(SENT, [back(asset="TOKEN")], DEEP, "sent", id="another asset"),
        pytest.param(SENT, [back(chain="two")], DEEP, "sent", id="another chain"),
        pytest.param({**SENT, "cancelled_at": at(70)}, [], DEEP, "cancelled", id="withdrawn and never seen"),
        pytest.param({**SENT, "cancelled_at": at(70)}, [back()], DEEP, "confirmed", id="withdrawn and sent"),
        pytest.param(
            {**SENT, "cancelled_at": at(70)},
            [back(height=None, standing=Standing.DROPPED)],
            DEEP,
            "cancelled",
            id="withdrawn and dropped",
        ),
        pytest.param({**SENT, "confirmations": 0}, [back(height=None)], DEEP, "sent", id="0 needs a block"),
    ],
)
def test_a_refund_is_as_far_as_the_chain_says(
    fields: dict[str, Any], seen: list[Deposit], look: View | None, expected: str
) -> None:
    fields = {"txid": None, **fields}
    seen = [replace(d, txid="tx back") if d.txid != "another" else d for d in seen]
    confirmations = fields.pop("confirmations", 2)

    assert expected == judged(replace(refund(**fields), confirmations=confirmations), seen, look).state.value


def judge(given: list[Deposit], *refunds: Refund, of: Invoice | None = None, as_of: float = 3000) -> Decision:
    look = views(view(BASE + 99, as_of), view(BASE + 99, as_of, chain="two"))
    return decide(of or invoice(), given, (), look, refunds)


def purse(decision: Decision, of: Invoice | None = None) -> Purse:
    return purses(of or invoice(), decision.payments, decision.options, decision.refunds)["one", "COIN"]


FIRST, MORE = deposit(100), deposit(30, name="q", arrived=20)
LATER = deposit(20, name="late", arrived=LATE + 90_000)
EXCESS = {"settles": False, "covers": frozenset({"p", "q"})}


@pytest.mark.parametrize(
    ("given", "refunds", "expected"),
    [
        # left, spare, idle, excess
        pytest.param([FIRST], [], (100, 0, 0, 0), id="exactly paid"),
        pytest.param([FIRST, MORE], [], (130, 30, 0, 30), id="too much"),
        pytest.param(
            [FIRST, replace(MORE, standing=Standing.MEMPOOL, block=None)], [], (100, 0, 0, 0), id="seen"
        ),
        pytest.param([FIRST, MORE], [refund(30, **EXCESS)], (100, 0, 0, 0), id="the excess given back"),
        pytest.param([FIRST, MORE], [refund(10, **EXCESS)], (120, 20, 0, 20), id="a part of it"),
        pytest.param(
            [FIRST, MORE], [refund(130, covers=frozenset({"p", "q"}))], (0, 0, 0, 0), id="all of it"
        ),
        pytest.param([FIRST, LATER], [], (120, 20, 20, 0), id="what came far too late is spare, no excess"),
        pytest.param([FIRST, MORE, LATER], [], (150, 50, 20, 30), id="both"),
        pytest.param(
            [FIRST, MORE, LATER], [refund(30, **EXCESS)], (120, 20, 20, 0), id="both, the excess given back"
        ),
        pytest.param(
            [FIRST, MORE, LATER],
            [refund(20, settles=False, covers=frozenset({"late"}))],
            (130, 30, 0, 30),
            id="both, the late money given back",
        ),
        pytest.param([], [refund(100)], (0, 0, 0, 0), id="given back, and gone"),
    ],
)
def test_what_is_left_to_give_back(
    given: list[Deposit], refunds: list[Refund], expected: tuple[int, ...]
) -> None:
    one = purse(judge(given, *refunds))

    assert expected == (one.left, one.spare, one.idle, one.excess)


def test_an_unconfirmed_part_that_was_accepted_does_not_take_the_late_money() -> None:
    """What is of no use to the invoice can always be spared: not all that came, by mistake."""
    given = [deposit(50), deposit(50, None, name="q"), LATER]

    assert 20 == purse(judge(given)).spare


BACK = refund(at_=100, covers=frozenset({"p"}))


@pytest.mark.parametrize(
    ("extra", "refunds", "rule", "status"),
    [
        pytest.param(deposit(name="n", arrived=200), [BACK], "after_refunded", "refunding", id="after it"),
        pytest.param(
            deposit(name="n", arrived=20), [BACK], "after_refunded", "refunding", id="seen after it"
        ),
        pytest.param(
            deposit(name="n", arrived=LATE), [BACK], "after_refunded", "refunding", id="after the deadline"
        ),
        pytest.param(
            deposit(name="n", arrived=200),
            [BACK, refund(name="s", at_=300, covers=frozenset({"p", "n"}))],
            "after_refunded",
            "refunding",
            id="given back as well: it never paid the invoice",
        ),
        pytest.param(
            deposit(name="n", arrived=200),
            [replace(BACK, state=RefundState.CANCELLED)],
            "in_time",
            "paid",
            id="that was withdrawn",
        ),
        pytest.param(
            deposit(name="n", arrived=200), [replace(BACK, settles=False)], "in_time", "paid", id="the excess"
        ),
        pytest.param(
            token(300, name="n", arrived=200), [BACK], "after_refunded", "refunding", id="elsewhere"
        ),
        pytest.param(token(300, name="n", arrived=90), [BACK], "in_time", "paid", id="elsewhere, before it"),
    ],
)
def test_what_comes_after_a_refund_does_not_pay(
    extra: Deposit, refunds: list[Refund], rule: str, status: str
) -> None:
    decision = judge([FIRST, extra], *refunds, of=two())

    (payment,) = [p for p in decision.payments if p.deposit.id == "n"]
    assert (rule, status) == (payment.rule, decision.status.value)


def test_late_money_that_goes_back_does_not_stand_in_for_what_is_in_time() -> None:
    terms = invoice(late=LatePolicy.REFUND)
    given = [deposit(height=None), deposit(name="late", arrived=LATE)]

    assert Status.CONFIRMING is judge(given, of=terms).status


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param(10, "paid", id="the late money went back, and so much of the payment as may lack"),
        pytest.param(9, "refunding", id="more went back than the late money"),
    ],
)
def test_what_goes_back_of_held_money_is_not_taken_from_what_counts(late: int, expected: str) -> None:
    terms = invoice(options=(option(minimum=99),))
    given = [deposit(100), deposit(late, name="late", arrived=LATE)]
    refunds = [
        refund(10, name="a", covers=frozenset({"late"}), settles=False, at_=LATE + 1),
        refund(1, name="b", covers=frozenset({"p"}), at_=LATE + 2),
    ]

    assert expected == judge(given, *refunds, of=terms).status.value


def test_the_excess_stands_with_what_was_paid_last_but_never_more_than_that() -> None:
    """Twice the amount in COIN, then a tenth in TOKEN: each can be given back where it came."""
    decision = judge([deposit(200), token(30, arrived=20)], of=two())

    assert [100, 30] == [sums.excess for sums in decision.options]


def test_ten_thousand_payments_and_a_withdrawn_refund_are_decided_within_seconds() -> None:
    """The work grows with the payments, not with their square."""
    given = [deposit(1, name=f"p{n}", arrived=LATE + n) for n in range(10_000)]
    names = frozenset(d.id for d in given)
    tried = refund(10_000, covers=names, state=RefundState.CANCELLED, cancelled_at=at(60))
    terms = invoice(option(amount=100_000), late=LatePolicy.REFUND)

    start = time.process_time()
    decision = judge(given, tried, of=terms, as_of=LATE + 10_000)

    assert (Status.EXPIRED, True) == (decision.status, decision.needs_action)
    assert time.process_time() - start < 5
