"""What an explanation says a merchant has to do, may do, and need not do, over random lives of invoices."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from invoice_facts import invoice
from merchant_walk import LINKS, PAYER, Found, Walk
from watcher import explain_merchant, refund_plan, rules
from watcher.drafts_merchant import RefundDraft
from watcher.errors import Refused
from watcher.model import ExcessPolicy, LatePolicy, Policy, RefundState, ReturnPolicy, Status
from watcher.rules import Act, Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import StrEnum

    from watcher.facts import Record

LIVES = 150
STEPS = 40


def lives() -> Iterator[Record]:
    for seed in range(LIVES):
        walk = Walk(random.Random(seed), Found())
        for _ in range(STEPS):
            walk.step()
            yield walk.record


def smallest(record: Record) -> set[str | None]:
    """Return the codes of why not even one base unit of either asset can be given back; None where it can."""
    codes: set[str | None] = set()
    for asset in ("COIN", "OTHER"):
        draft = RefundDraft(address=PAYER, asset=asset, amount="0.00000001")
        try:
            refund_plan.plan(record, draft, refund_plan.place_of(record, draft), 8)
        except Refused as error:
            codes.add(error.code)
        else:
            return {None}
    return codes


def test_an_explanation_names_what_waits_exactly_where_something_does() -> None:
    needed = []
    for record in lives():
        waiting = [*explain_merchant.waits(record, LINKS)]
        needed.append(record.decision.needs_action)

        assert record.decision.needs_action == bool(waiting), waiting

    assert {True, False} == set(needed)


def test_an_action_is_called_possible_exactly_where_it_is() -> None:
    found = set()
    for record in lives():
        for told in explain_merchant.actions(record):
            act = Act(told["action"])
            codes = {rules.obstacle(record, act, without_payment=True)}
            if codes == {None} and act is Act.REFUND:
                codes = smallest(record)
            found.add((act, told["possible"]))

            assert told["code"] in codes, record.decision.status
            assert told["possible"] == (told["code"] is None)

    assert {(act, possible) for act in Act for possible in (True, False)} == found


def test_every_state_of_a_refund_has_words_of_its_own() -> None:
    said: dict[tuple[RefundState, bool, bool], set[str]] = {}
    for record in lives():
        for one, told in zip(record.decision.refunds, explain_merchant.refunds(record), strict=True):
            key = (one.state, one.address is None, one.txid is not None)
            said.setdefault(key, set()).add(told["why"].replace(one.txid or "-", ""))

    assert set(RefundState) == {state for state, _, _ in said}
    requested = [words for (state, _, _), words in said.items() if state is RefundState.REQUESTED]
    assert 3 == len({sentence for words in requested for sentence in words})


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Condition, explain_merchant.CONDITIONS),
        (LatePolicy, explain_merchant.LATE),
        (ReturnPolicy, explain_merchant.UNDERPAID),
        (ExcessPolicy, explain_merchant.OVERPAID),
        (ReturnPolicy, explain_merchant.WRONG_ASSET),
    ],
    ids=["conditions", "late", "underpaid", "overpaid", "wrong asset"],
)
def test_every_policy_and_condition_has_words_of_its_own(
    kind: type[StrEnum], table: Mapping[StrEnum, str]
) -> None:
    assert set(kind) == set(table)
    assert len(table) == len(set(table.values()))


def test_an_explanation_names_each_policy_that_an_invoice_has() -> None:
    plain = invoice()
    policy = Policy(Fraction(975, 1000), 600, ReturnPolicy.REFUND, ExcessPolicy.HOLD, ReturnPolicy.REFUND)

    told = [*explain_merchant.policies(replace(plain, late=LatePolicy.ACCEPT, policy=policy))]

    assert 4 == len([*explain_merchant.policies(plain)])
    assert [
        explain_merchant.UNDERPAID[ReturnPolicy.REFUND],
        "With at least 97.5 % of the amount confirmed it is accepted at the deadline.",
        "While enough is seen but not in a block, the deadline moves by 600 seconds.",
        explain_merchant.OVERPAID[ExcessPolicy.HOLD],
        explain_merchant.WRONG_ASSET[ReturnPolicy.REFUND],
        explain_merchant.LATE[LatePolicy.ACCEPT],
    ] == told


def test_every_status_lists_each_action_once() -> None:
    assert {status: list(Act) for status in Status} == {s: list(acts) for s, acts in rules.TABLE.items()}
