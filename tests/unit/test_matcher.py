"""What payments fund and how deep they have to be, with the boundaries one unit or block aside."""

from __future__ import annotations

import pytest

from invoice_facts import (
    ASKED,
    BASE,
    BOTH,
    CUSTOMER,
    DEADLINE,
    FEE,
    LARGEST,
    PAST,
    Facts,
    at,
    deposit,
    facts,
    gone,
    invoice,
    option,
    token,
    two,
    view,
)
from watcher.matcher import opening
from watcher.model import Finality, Standing, Status


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # amounts
        pytest.param(facts(), "pending", id="nothing seen"),
        pytest.param(facts(deposit(100)), "paid", id="exact"),
        pytest.param(facts(deposit(99)), "partial", id="one unit below"),
        pytest.param(facts(deposit(101)), "paid overpaid", id="one unit above"),
        pytest.param(facts(deposit(1)), "partial", id="one unit at all"),
        pytest.param(
            facts(deposit(60), deposit(40, name="q")), "paid", id="two payments that add up exactly"
        ),
        pytest.param(facts(deposit(60), deposit(39, name="q")), "partial", id="two payments one unit short"),
        pytest.param(
            facts(deposit(50), deposit(50, txid="tx p", slot="vout:1", name="q")),
            "paid",
            id="two outputs of one transaction (hazard 26)",
        ),
        pytest.param(facts(deposit(50), deposit(50)), "partial", id="one credit told twice counts once"),
        pytest.param(
            facts(deposit(LARGEST), of=invoice(option(amount=LARGEST))), "paid", id="the largest amount"
        ),
        pytest.param(
            facts(deposit(LARGEST - 1), of=invoice(option(amount=LARGEST))),
            "partial",
            id="the largest amount less one unit",
        ),
        pytest.param(
            facts(*(deposit(LARGEST, name=n) for n in "pq"), of=invoice(option(amount=LARGEST))),
            "paid overpaid",
            id="twice the largest amount",
        ),
        # tolerance: minimum = amount - tolerance, fixed at creation
        pytest.param(facts(deposit(98), of=invoice(option(minimum=98))), "paid", id="the minimum exactly"),
        pytest.param(
            facts(deposit(97), of=invoice(option(minimum=98))), "partial", id="one unit below the minimum"
        ),
        pytest.param(
            facts(of=invoice(option(minimum=1))),
            "pending",
            id="tolerance 100 % with nothing paid is not paid",
        ),
        pytest.param(
            facts(of=invoice(option(minimum=1)), seen=PAST), "expired", id="tolerance 100 % with nothing paid"
        ),
        pytest.param(
            facts(deposit(1), of=invoice(option(minimum=1))), "paid", id="tolerance 100 %, one unit"
        ),
        pytest.param(
            facts(deposit(1), of=invoice(option(minimum=0))), "paid", id="a minimum of zero asks for one unit"
        ),
        # confirmations: the block itself is the first
        pytest.param(facts(deposit(height=None)), "confirming", id="in the mempool, two needed"),
        pytest.param(facts(deposit(height=BASE + 2)), "confirming", id="one confirmation, two needed"),
        pytest.param(facts(deposit(height=BASE + 1)), "paid", id="two confirmations, two needed"),
        pytest.param(
            facts(deposit(height=None), of=invoice(option(confirmations=1))),
            "confirming",
            id="in the mempool, one needed",
        ),
        pytest.param(
            facts(deposit(height=BASE + 2), of=invoice(option(confirmations=1))),
            "paid",
            id="one confirmation, one needed",
        ),
        pytest.param(
            facts(deposit(height=None), of=invoice(option(confirmations=0))),
            "paid",
            id="in the mempool, none needed",
        ),
        pytest.param(
            facts(gone(Standing.UNPLACED), of=invoice(option(confirmations=0))),
            "confirming",
            id="between two branches, none needed",
        ),
        pytest.param(
            facts(deposit(), of=invoice(option(confirmations=6)), seen=view(BASE + 5)),
            "confirming",
            id="five of six",
        ),
        pytest.param(
            facts(deposit(), of=invoice(option(confirmations=6)), seen=view(BASE + 6)),
            "paid",
            id="six of six",
        ),
        pytest.param(
            facts(deposit(height=BASE + 3)), "confirming", id="a block above the view counts nothing"
        ),
        pytest.param(facts(deposit(), seen=()), "confirming", id="no view of the chain proves nothing"),
        *(
            pytest.param(
                facts(
                    deposit(),
                    of=invoice(option(confirmations=rule)),
                    seen=view(BASE + 99, **{rule.value: height}),
                ),
                expected,
                id=f"{rule.value} {label}",
            )
            for rule in Finality
            for label, height, expected in (
                ("unknown, however deep (hazard 11)", None, "confirming"),
                ("zero", 0, "confirming"),
                ("one block short", BASE, "confirming"),
                ("at the block", BASE + 1, "paid"),
                ("above the block", BASE + 2, "paid"),
            )
        ),
        pytest.param(
            facts(
                deposit(),
                of=invoice(option(confirmations=Finality.FINALIZED)),
                seen=view(BASE + 99, safe=BASE + 99),
            ),
            "confirming",
            id="safe is not final",
        ),
        pytest.param(
            facts(deposit(maturity=100), seen=view(BASE + 99)),
            "confirming",
            id="a coinbase output at 99 (hazard 15)",
        ),
        pytest.param(
            facts(deposit(maturity=100), seen=view(BASE + 100)), "paid", id="a coinbase output at 100"
        ),
        pytest.param(
            facts(deposit(maturity=100), of=invoice(option(confirmations=0))),
            "confirming",
            id="a coinbase output where no confirmation is needed",
        ),
        # part confirmed, part not (hazard 103)
        pytest.param(
            facts(deposit(99), deposit(1, None, name="q")), "confirming", id="the last unit is not confirmed"
        ),
        pytest.param(
            facts(deposit(100), deposit(50, None, name="q")),
            "paid overpaid",
            id="the confirmed part suffices",
        ),
        pytest.param(
            facts(deposit(98), deposit(2, None, name="q"), of=invoice(option(minimum=98))),
            "paid",
            id="the confirmed part is the minimum",
        ),
        pytest.param(
            facts(
                deposit(40, BASE + 6, name="p"),
                deposit(30, BASE + 1, name="q"),
                deposit(30, None, name="r"),
                of=invoice(option(confirmations=6)),
                seen=view(BASE + 6),
            ),
            "confirming",
            id="payments at six, one and no confirmations",
        ),
        pytest.param(
            facts(deposit(50), deposit(10, None, name="q")), "partial", id="a mix that is not enough"
        ),
        # several options
        pytest.param(
            facts(deposit(50), token(150), of=two(), seen=BOTH), "paid", id="half and half in two coins"
        ),
        pytest.param(
            facts(deposit(50), token(149), of=two(), seen=BOTH),
            "partial",
            id="half and one unit less than half",
        ),
        pytest.param(
            facts(deposit(51), token(150), of=two(), seen=BOTH), "paid overpaid", id="half and one unit more"
        ),
        pytest.param(
            facts(
                *(deposit(1, address=f"address {n}", asset=f"C{n}", name=str(n)) for n in range(3)),
                of=invoice(*(option(n, asset=f"C{n}", amount=3) for n in range(3))),
            ),
            "paid",
            id="a third thrice is exactly one",
        ),
        pytest.param(
            facts(deposit(50), token(150), of=two(), seen=(view(), view(BASE + 1, chain="two"))),
            "confirming",
            id="half and half, one chain's half not confirmed",
        ),
        pytest.param(
            facts(deposit(49), token(150), of=two(minimum=297), seen=BOTH),
            "partial",
            id="unequal minimums: a half of the stricter one is short",
        ),
        pytest.param(
            facts(deposit(50), token(149), of=two(minimum=297), seen=BOTH),
            "paid",
            id="unequal minimums: each option is measured by its own",
        ),
        pytest.param(
            facts(token(297), deposit(1), of=two(minimum=297), seen=BOTH),
            "paid",
            id="one unit more in a stricter option never makes a paid invoice unpaid",
        ),
        # fees
        pytest.param(
            facts(deposit(100), of=invoice(option(**FEE))),
            "paid",
            id="the merchant bears the fees: gross counts",
        ),
        pytest.param(
            facts(deposit(99), of=invoice(option(**FEE))),
            "partial",
            id="the merchant bears the fees: one short",
        ),
        pytest.param(
            facts(deposit(ASKED), of=invoice(option(**FEE), **CUSTOMER)),
            "paid",
            id="the customer pays what is asked",
        ),
        pytest.param(
            facts(deposit(ASKED - 1), of=invoice(option(**FEE), **CUSTOMER)),
            "partial",
            id="the customer pays one unit less than asked",
        ),
        pytest.param(
            facts(deposit(ASKED + 1), of=invoice(option(**FEE), **CUSTOMER)),
            "paid overpaid",
            id="the customer pays one unit more than asked",
        ),
        pytest.param(
            facts(
                deposit(ASKED // 2 + 1), deposit(ASKED // 2, name="q"), of=invoice(option(**FEE), **CUSTOMER)
            ),
            "partial",
            id="a fixed fee is taken from each deposit",
        ),
    ],
)
def test_status_follows_from_amounts_and_confirmations(given: Facts, expected: str) -> None:
    decision = given.decide()

    assert expected == " ".join([decision.status, *decision.exceptions])


def test_an_invoice_opens_pending_with_all_missing() -> None:
    decision = opening(two())

    assert (Status.PENDING, (), at(DEADLINE)) == (decision.status, decision.exceptions, decision.deadline)
    assert [100, 300] == [o.missing for o in decision.options]
