"""What is told of a deposit to a standing address: each life of a deposit, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.base import UNATTRIBUTED, BlockRef
from watcher.facts_standings import decode_depths, encode_depths
from watcher.model import Deposit, EventType, Finality, Standing, View
from watcher.receipts import (
    Depths,
    Last,
    StandingAddress,
    Told,
    belief,
    is_settled,
    judge,
    news,
    now_told,
)
from watcher.render_receipts import decimal

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = StandingAddress("adr_1", "fake", "fake1", Depths(2), NOW, archived_at=NOW + timedelta(hours=1))
POOL = Deposit(
    "pay_1", "fake", "COIN", "aa", "vout:0", "fake1", 100, Standing.MEMPOOL, NOW + timedelta(minutes=1)
)
ONE = replace(POOL, standing=Standing.MINED, block=BlockRef(10, "b10", "b9", NOW))
DEEP = replace(ONE, block=BlockRef(9, "b9", "b8", NOW))
UNPLACED = replace(POOL, standing=Standing.UNPLACED)
REPLACED = replace(POOL, standing=Standing.REPLACED)
DROPPED = replace(POOL, standing=Standing.DROPPED)
GONE = replace(POOL, standing=Standing.REORGANISED)
VIEW = View("fake", BlockRef(10, "b10", "b9", NOW), NOW)


def life(*states: Deposit, mine: StandingAddress = MINE) -> list[str]:
    """Return what is told when a deposit is seen in these states, one after the other."""
    told: Told | None = None
    said: list[str] = []
    for state in states:
        payment = judge(mine, state, VIEW, 8)
        said += [
            " ".join(filter(None, [one.type.removeprefix("deposit."), one.reason]))
            for one in news(told, payment)
        ]
        told = now_told(told, payment)
    return said


LATE = timedelta(hours=2)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        pytest.param([POOL, POOL, ONE, DEEP, DEEP], ["detected", "confirmed"], id="as it should be"),
        pytest.param([DEEP], ["detected", "confirmed"], id="deep at once"),
        pytest.param([GONE], [], id="gone before anybody knew"),
        pytest.param([POOL, REPLACED, REPLACED], ["detected", "reverted replaced"], id="replaced"),
        pytest.param([POOL, DROPPED], ["detected", "reverted dropped"], id="dropped"),
        pytest.param(
            [DEEP, UNPLACED, GONE],
            ["detected", "confirmed", "reverted reorganised", "reverted reorganised"],
            id="taken back, then gone",
        ),
        pytest.param(
            [DEEP, ONE, DEEP],
            ["detected", "confirmed", "reverted reorganised", "confirmed"],
            id="less deep, and deep again",
        ),
        pytest.param(
            [POOL, DROPPED, POOL, DROPPED, DEEP],
            ["detected", "reverted dropped", "confirmed"],
            id="coming back is told once it is confirmed",
        ),
        pytest.param(
            [replace(POOL, arrived_at=NOW - LATE), replace(DEEP, arrived_at=NOW - LATE)], [], id="before"
        ),
        pytest.param(
            [replace(POOL, arrived_at=NOW + LATE), replace(DEEP, arrived_at=NOW + LATE)],
            ["unmatched"],
            id="to an archived address",
        ),
        pytest.param(
            [replace(DEEP, slot=f"{UNATTRIBUTED}COIN:fake1")], ["unmatched"], id="nothing explains it"
        ),
        pytest.param(
            [replace(DEEP, chain="other"), replace(GONE, chain="other"), replace(DEEP, chain="other")],
            ["wrong_asset", "reverted reorganised", "wrong_asset"],
            id="on another chain, gone and back",
        ),
        pytest.param(
            [DEEP, replace(DEEP, amount=7)],
            ["detected", "confirmed", "reverted reorganised", "detected", "confirmed"],
            id="another amount",
        ),
    ],
)
def test_a_life_of_a_deposit_is_told(states: Sequence[Deposit], said: list[str]) -> None:
    assert said == life(*states)


@given(st.lists(st.sampled_from([POOL, ONE, DEEP, UNPLACED, REPLACED, DROPPED, GONE]), max_size=12))
def test_what_is_told_adds_up_to_what_is_there_whatever_happened(states: list[Deposit]) -> None:
    said = life(*states)
    assert life(*[state for state in states for _ in range(3)]) == said
    assert said[:1] in ([], ["detected"])
    assert said.count("detected") <= 1
    credit = 0
    for each in said:
        credit += (each == "confirmed") - (each.startswith("reverted") and credit)
        assert credit in (0, 1)
    last = belief(judge(MINE, states[-1], VIEW, 8)) if states else None
    assert (last is Last.CONFIRMED) == bool(credit)


@pytest.mark.parametrize(
    ("deposit", "settled"),
    [
        pytest.param(POOL, False, id="mempool"),
        pytest.param(ONE, False, id="not deep"),
        pytest.param(DEEP, True, id="deep"),
        pytest.param(UNPLACED, False, id="without a place"),
        pytest.param(GONE, True, id="gone"),
        pytest.param(replace(ONE, arrived_at=NOW - LATE), True, id="ignored"),
    ],
)
def test_what_no_block_can_change_is_settled(deposit: Deposit, *, settled: bool) -> None:
    assert settled is is_settled(judge(MINE, deposit, VIEW, 8))


DEPTHS = Depths(Finality.SAFE, ((Fraction("0.01"), 0), (Fraction(3), 12)))


def test_depths_are_kept_as_they_were_and_chosen_by_the_amount_in_the_assets_unit() -> None:
    assert DEPTHS == decode_depths(encode_depths(DEPTHS))
    assert [0, 12, 12, Finality.SAFE] == [DEPTHS.required(n, 8) for n in (10**6, 10**6 + 1, 3 * 10**8, 10**9)]
    assert 12 == DEPTHS.required(3 * 10**18, 18)
    assert ["0.01", "3"] == [decimal(limit) for limit, _ in DEPTHS.steps]


def test_an_unsound_unconfirmed_deposit_needs_a_block_where_none_is_asked_for() -> None:
    mine = replace(MINE, depths=Depths(0))
    assert ["detected", "confirmed"] == life(POOL, mine=mine)
    assert ["detected"] == life(replace(POOL, risk="replaceable"), mine=mine)
    assert EventType.DEPOSIT_CONFIRMED == "deposit.confirmed"
