"""The tables of rules against random lives: every change of status and every answer is there, no others."""

from __future__ import annotations

import random

import pytest

from merchant_walk import Found, Walk
from watcher.model import Status
from watcher.rules import AFTER, BY_ITSELF, TABLE, WITHDRAWN, Act, Condition

LIVES = 1000
STEPS = 45


@pytest.fixture(scope="module")
def found() -> Found:
    """What many random lives reached; each life is also checked at every step (see merchant_walk)."""
    reached = Found()
    for seed in range(LIVES):
        walk = Walk(random.Random(seed), reached)
        try:
            for _ in range(STEPS):
                walk.step()
        except AssertionError as error:
            error.add_note(f"life {seed}:\n" + "\n".join(walk.trail))
            raise
    return reached


@pytest.mark.parametrize("act", Act)
def test_an_act_leads_where_the_table_says_and_nowhere_else(found: Found, act: Act) -> None:
    reached = {after for one, before, after in found.after if one is act and before is not after}

    assert AFTER[act] == reached


@pytest.mark.parametrize("status", Status)
def test_everything_else_leads_where_the_table_says_and_nowhere_else(found: Found, status: Status) -> None:
    assert BY_ITSELF[status] == {after for before, after in found.by_itself if before is status}


def test_a_withdrawn_refund_leads_where_the_table_says_and_nowhere_else(found: Found) -> None:
    """That `partial` falls back to `refunding`, because another refund stands, is seldom met."""
    assert WITHDRAWN == {after for _, after in found.taken_back} | {Status.REFUNDING}


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("status", Status)
def test_each_entry_is_met_with_its_answers_and_no_others(found: Found, status: Status, act: Act) -> None:
    """How much can be refunded is checked beside the table: what it may answer is listed here."""
    rule = TABLE[status][act]
    expected: set[str | None] = {rule.code} if rule.condition is None else {None, rule.code}
    if rule.condition is Condition.ALWAYS:
        expected = {None}
    seen = {one.code for one in found.acts if (one.status, one.act) == (status, act)}
    if act is Act.REFUND:
        seen -= {"invalid", "not_confirmed", "nothing_received", "amount_exceeds_received"}
        seen -= {"already_refunding", "already_refunded"}
        expected -= {"nothing_received"}

    assert expected == seen
