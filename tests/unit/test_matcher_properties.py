"""Laws of the matcher over any facts: what may not matter does not, and more money never counts for less."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from invoice_facts import BASE, DEADLINE, LARGEST, MONITORED, at, block, deposit, invoice, option, view, views
from watcher.facts import decode_decision, encode_decision
from watcher.happenings import events_for
from watcher.matcher import decide
from watcher.model import EventType, FeePayer, Finality, LatePolicy, Standing, Status
from watcher.money import gross_up

if TYPE_CHECKING:
    import random

    from watcher.model import Decision, Deposit, Invoice

AMOUNT = 1000
HEAD = BASE + 20
RANK = {
    Status.PENDING: 0,
    Status.EXPIRED: 0,
    Status.PARTIAL: 1,
    Status.UNDERPAID: 1,
    Status.CONFIRMING: 2,
    Status.PAID: 3,
}

percents = st.fractions(min_value=0, max_value=Fraction(99, 100), max_denominator=1000)
positions = st.integers(min_value=0, max_value=2)
minimums = st.integers(min_value=1, max_value=AMOUNT)
confirmations = st.one_of(st.integers(min_value=0, max_value=8), st.sampled_from(Finality))


@st.composite
def invoices(draw: st.DrawFn, *, fixed: bool = True) -> Invoice:
    """Up to three options on two chains; each has an asset and address of its own."""
    options = tuple(
        option(
            n,
            chain="one" if n % 2 else "two",
            asset=f"C{n}",
            amount=AMOUNT * (n + 1),
            minimum=draw(minimums) * (n + 1),
            confirmations=draw(confirmations),
            fee_percent=draw(percents),
            fee_fixed=draw(st.integers(0, 50)) if fixed else 0,
            dust=draw(st.sampled_from([0, 3])) if fixed else 0,
        )
        for n in range(draw(st.integers(1, 3)))
    )
    return invoice(
        *options, fee_payer=draw(st.sampled_from(FeePayer)), late=draw(st.sampled_from(LatePolicy))
    )


@st.composite
def deposits(draw: st.DrawFn, smallest: int = 1) -> Deposit:
    position = draw(positions)
    standing = draw(st.sampled_from(Standing))
    height = draw(st.integers(BASE + 1, HEAD))
    return deposit(
        draw(st.integers(smallest, 2 * AMOUNT)),
        name=draw(st.uuids()).hex,
        chain="one" if position % 2 else "two",
        asset=draw(st.sampled_from([f"C{position}", f"C{position}", f"C{position}", "OTHER"])),
        address=f"address {position}",
        standing=standing,
        block=block(height) if standing is Standing.MINED else None,
        arrived=draw(st.sampled_from([-1.0, 0.0, 10.0, DEADLINE, DEADLINE + 1, MONITORED + 1])),
        maturity=draw(st.sampled_from([0, 0, 15])),
    )


heads = st.integers(BASE, HEAD + 5)
many = st.lists(deposits(), max_size=6)
moments = st.sampled_from([20.0, DEADLINE - 1, DEADLINE, MONITORED + 5])


def look(head: int, as_of: float) -> dict[str, object]:
    final = head - 3
    both = (view(head, as_of, chain=c, safe=head - 1, finalized=final) for c in ("one", "two"))
    return dict(views(*both))


def judge(invoice: Invoice, given: list[Deposit], head: int = HEAD, as_of: float = 20.0) -> Decision:
    return decide(invoice, given, (), look(head, as_of))  # type: ignore[arg-type]


@given(invoices(), many, heads, moments, st.randoms(use_true_random=False))
def test_h110_the_order_of_transfers_changes_nothing(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float, chance: random.Random
) -> None:
    shuffled = chance.sample(given, len(given))

    assert judge(invoice, given, head, as_of) == judge(invoice, shuffled, head, as_of)


@given(invoices(), many, heads, moments)
def test_repeating_a_transfer_changes_nothing(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float
) -> None:
    assert judge(invoice, given, head, as_of) == judge(invoice, given + given[:3], head, as_of)


@given(invoices(), many, heads, moments)
def test_the_same_facts_decide_the_same_and_tell_nothing(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float
) -> None:
    first, second = judge(invoice, given, head, as_of), judge(invoice, given, head, as_of)

    assert first == second
    assert [] == events_for(first, second)


@given(invoices(), many, heads, moments)
def test_a_decision_is_read_back_as_it_was_written(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float
) -> None:
    decision = judge(invoice, given, head, as_of)

    assert decision == decode_decision(encode_decision(decision))


@given(st.data(), many, heads, moments)
def test_splitting_a_transfer_into_many_changes_no_sum(
    data: st.DataObject, given: list[Deposit], head: int, as_of: float
) -> None:
    """The merchant bears the fees, no fixed fee and no dust floor: those are meant for each deposit alone."""
    invoice = replace(data.draw(invoices(fixed=False)), fee_payer=FeePayer.MERCHANT)
    whole = data.draw(deposits(smallest=3))
    cut = data.draw(st.integers(1, whole.amount - 1))
    parts = [
        replace(whole, amount=cut),
        replace(whole, amount=whole.amount - cut, id=f"{whole.id}b", slot="vout:1"),
    ]

    one, two = judge(invoice, [*given, whole], head, as_of), judge(invoice, [*given, *parts], head, as_of)

    assert (one.status, one.exceptions, one.needs_action) == (two.status, two.exceptions, two.needs_action)
    numbers = [[(o.seen, o.confirmed, o.missing, o.excess) for o in d.options] for d in (one, two)]
    assert numbers[0] == numbers[1]


@given(invoices(), many, heads, st.integers(1, 10), moments)
def test_more_confirmations_never_lower_a_status(
    invoice: Invoice, given: list[Deposit], head: int, more: int, as_of: float
) -> None:
    before, after = judge(invoice, given, head, as_of), judge(invoice, given, head + more, as_of)

    assert RANK[before.status] <= RANK[after.status]


@given(invoices(), many, deposits(), heads, moments)
def test_more_money_never_lowers_a_status(
    invoice: Invoice, given: list[Deposit], extra: Deposit, head: int, as_of: float
) -> None:
    before, after = judge(invoice, given, head, as_of), judge(invoice, [*given, extra], head, as_of)

    assert RANK[before.status] <= RANK[after.status]


@given(invoices(), many, heads, moments)
def test_paid_means_that_confirmed_credits_reach_the_loosest_minimum(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float
) -> None:
    decision = judge(invoice, given, head, as_of)

    def credit(position: int, net: int, gross: int) -> Fraction:
        return Fraction(
            net if invoice.fee_payer is FeePayer.CUSTOMER else gross, invoice.options[position].amount
        )

    confirmed = [p for p in decision.payments if p.counted and p.status == "confirmed"]
    share = sum((credit(p.option or 0, p.net, p.deposit.amount) for p in confirmed), Fraction(0))
    loosest = min(Fraction(o.minimum, o.amount) for o in invoice.options)
    if share < loosest:
        assert Status.PAID is not decision.status


@given(st.integers(1, LARGEST), st.data())
def test_h100_one_option_is_paid_from_its_minimum_on_and_never_below(
    amount: int, data: st.DataObject
) -> None:
    minimum = data.draw(st.integers(1, amount))
    terms = invoice(option(amount=amount, minimum=minimum, confirmations=1))
    paid = data.draw(st.one_of(st.sampled_from([minimum, max(1, minimum - 1)]), st.integers(1, amount)))
    state = {"one": view(HEAD)}

    expected = Status.PAID if paid >= minimum else Status.PARTIAL
    assert expected is decide(terms, [deposit(paid)], (), state).status


@given(st.integers(1, LARGEST), percents, st.integers(0, 10**30))
def test_what_the_customer_is_asked_for_pays_and_one_unit_less_does_not(
    amount: int, share: Fraction, fixed: int
) -> None:
    asked = gross_up(amount, share, fixed)
    fees = {"fee_percent": share, "fee_fixed": fixed}
    terms = invoice(
        option(amount=amount, expected=asked, confirmations=1, **fees), fee_payer=FeePayer.CUSTOMER
    )
    state = {"one": view(HEAD)}

    exact = decide(terms, [deposit(asked)], (), state)
    assert (Status.PAID, (), amount) == (exact.status, exact.exceptions, exact.options[0].net)
    if asked > 1:
        assert Status.PARTIAL is decide(terms, [deposit(asked - 1)], (), state).status


@given(invoices(), many, heads, moments)
def test_the_sums_add_up(invoice: Invoice, given: list[Deposit], head: int, as_of: float) -> None:
    decision = judge(invoice, given, head, as_of)

    for position, sums in enumerate(decision.options):
        mine = [p for p in decision.payments if p.counted and p.option == position]
        assert sum(p.deposit.amount for p in mine) == sums.seen
        assert sums.seen == sums.net + sums.fees
        assert 0 <= sums.confirmed <= sums.seen
        assert 0 == sums.missing * sums.excess


@given(invoices(), many, heads)
def test_sending_what_is_missing_in_any_option_pays(
    invoice: Invoice, given: list[Deposit], head: int
) -> None:
    before = judge(invoice, given, head)
    for sums, way in zip(before.options, invoice.options, strict=True):
        if sums.missing <= way.dust:
            continue
        place = {"chain": way.chain, "asset": way.asset, "address": way.address}
        rest = deposit(sums.missing, BASE + 1, name="rest", **place)  # type: ignore[arg-type]
        assert judge(invoice, [*given, rest], head).status in (Status.CONFIRMING, Status.PAID)


@given(invoices(), many, heads, st.floats(0, DEADLINE - 1))
def test_nothing_ends_before_the_deadline_is_proven(
    invoice: Invoice, given: list[Deposit], head: int, as_of: float
) -> None:
    assert judge(invoice, given, head, as_of).status not in (Status.EXPIRED, Status.UNDERPAID)


@given(invoices(), st.lists(st.tuples(many, heads, moments), min_size=2, max_size=5))
def test_paid_and_reverted_are_told_in_turns(
    invoice: Invoice, history: list[tuple[list[Deposit], int, float]]
) -> None:
    """Whatever happens to the chain, a shop that adds up the events knows whether it is paid."""
    decision, paid = decide(invoice, (), (), {}), False
    for stage, head, as_of in history:
        after = judge(invoice, stage, head, as_of)
        for event in events_for(decision, after):
            if event.type is EventType.INVOICE_PAID:
                paid = True
            elif event.type is EventType.INVOICE_REVERTED:
                paid = False
        decision = after
        assert paid == (after.status is Status.PAID)


def test_a_moment_is_exact_to_the_microsecond() -> None:
    decision = judge(invoice(), [deposit(arrived=0.000001)])

    assert at(0.000001) == decode_decision(encode_decision(decision)).payments[0].deposit.arrived_at
