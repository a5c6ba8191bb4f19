"""At 0 confirmations only sound payments count; an unsound one has to be in a block first."""

from __future__ import annotations

from typing import Any

import pytest

from chains.base import UNATTRIBUTED
from invoice_facts import BASE, DROPPED, REPLACED, Facts, deposit, facts, gone, invoice, option, told, view
from watcher.explain import RISKS, explanation
from watcher.facts import Record
from watcher.happenings import events_for
from watcher.matcher import opening
from watcher.matcher_rules import Rule
from watcher.model import Deposit, Standing
from watcher.render import Links

LINKS = Links("http://shop.test", lambda _option, _amount: None, lambda _chain, _asset: 8)


def at_zero(*deposits: Deposit, **fields: Any) -> Facts:
    return facts(*deposits, of=invoice(option(confirmations=0)), **fields)


def asks(confirmations: int, *deposits: Deposit) -> Facts:
    return facts(*deposits, of=invoice(option(confirmations=confirmations)))


@pytest.mark.parametrize(
    ("given", "status", "required"),
    [
        pytest.param(at_zero(deposit(height=None)), "paid", 0, id="sound"),
        pytest.param(at_zero(deposit(height=None, risk="replaceable")), "confirming", 1, id="replaceable"),
        pytest.param(at_zero(deposit(height=None, risk="low_fee")), "confirming", 1, id="low fee"),
        pytest.param(
            at_zero(deposit(height=None, risk="unconfirmed_parent")), "confirming", 1, id="unconfirmed parent"
        ),
        pytest.param(
            at_zero(deposit(height=None, risk="new one")), "confirming", 1, id="a risk not known here"
        ),
        pytest.param(at_zero(deposit(height=BASE + 2)), "paid", 0, id="mined"),
        pytest.param(
            at_zero(deposit(height=BASE + 2, risk="replaceable")), "paid", 0, id="mined, its risk not cleared"
        ),
        pytest.param(
            at_zero(deposit(height=BASE + 2, maturity=6)), "confirming", 6, id="mined, and not mature"
        ),
        pytest.param(
            at_zero(deposit(height=None, standing=Standing.UNPLACED, risk="low_fee")),
            "confirming",
            1,
            id="out of its block",
        ),
        pytest.param(asks(1, deposit(height=None, risk="low_fee")), "confirming", 1, id="1 asked for"),
        pytest.param(asks(6, deposit(height=None, risk="low_fee")), "confirming", 6, id="6 asked for"),
        pytest.param(asks(6, deposit(height=BASE + 2, risk="low_fee")), "confirming", 6, id="6, mined"),
    ],
)
def test_h17_h103_an_unsound_payment_needs_a_block_where_none_was_asked_for(
    given: Facts, status: str, required: int
) -> None:
    decision = given.decide()

    assert (status, required) == (decision.status, decision.payments[0].required)


def test_h103_a_sound_part_and_an_unsound_one_do_not_make_a_paid_invoice() -> None:
    sound, risky = deposit(60, None), deposit(40, None, name="q", risk="low_fee")

    assert ["partial", "confirming"] == [at_zero(*some).decide().status for some in ([sound], [sound, risky])]
    assert "60" == str(at_zero(sound, risky).decide().options[0].confirmed)


@pytest.mark.parametrize("standing", [REPLACED, DROPPED])
def test_an_unsound_payment_that_is_gone_says_so_and_nothing_of_its_risk(standing: Standing) -> None:
    decision = at_zero(gone(standing, risk="replaceable")).decide()

    assert ("pending", "replaced") == (decision.status, decision.payments[0].status)
    assert "Not confirmed" not in _why(at_zero(gone(standing, risk="replaceable")))


@pytest.mark.parametrize("risk", sorted(RISKS))
def test_explain_says_why_a_block_is_needed(risk: str) -> None:
    assert _why(at_zero(deposit(height=None, risk=risk))).endswith(
        f" Not confirmed yet: it has to be in a block, because {RISKS[risk]}."
    )


def test_explain_says_nothing_of_a_risk_where_a_block_is_asked_for_anyway() -> None:
    assert _why(asks(1, deposit(height=None, risk="low_fee"))).endswith("1 confirmations are needed.")


def test_a_growth_that_no_transfer_explains_is_told_and_waits_for_the_merchant() -> None:
    """Hazards 55 and 62: the balance grew, and that is all that is known."""
    growth = deposit(100, slot=f"{UNATTRIBUTED}COIN:address 0")
    decision = facts(growth).decide()

    (payment,) = decision.payments
    assert ("pending", True) == (decision.status, decision.needs_action)
    assert (Rule.UNATTRIBUTED, "ignored", False) == (payment.rule, payment.status, payment.counted)
    assert ["deposit.unmatched p"] == told(events_for(opening(invoice()), decision))
    assert [] == told(events_for(decision, facts(growth, seen=view(BASE + 9)).decide()))


def test_a_growth_from_before_the_invoice_is_none_of_its_business() -> None:
    growth = deposit(100, slot=f"{UNATTRIBUTED}COIN:address 0", arrived=-1)

    assert (Rule.BEFORE_INVOICE, False) == (
        facts(growth).decide().payments[0].rule,
        facts(growth).decide().needs_action,
    )


def _why(given: Facts) -> str:
    record = Record(given.invoice, given.decide(), (), None, None)
    shown = explanation(record, {each.chain: each for each in given.views}, LINKS)
    return str(shown["payments"][0]["why"])
