"""The figures of a refund: which coins are spent, the fee, the change, and what is too little to send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import bitcoin_plan
from chains.base import BlockRef, Coin
from chains.bitcoin_coins import COINS
from chains.bitcoin_plan import Plan, Spend

BLOCK = BlockRef(7, "cd" * 32, "ef" * 32, datetime(2026, 11, 22, tzinfo=UTC))
P2WPKH = b"\x00\x14" + b"\x01" * 20
P2PKH = b"\x76\xa9\x14" + b"\x01" * 20 + b"\x88\xac"
P2SH = b"\xa9\x14" + b"\x01" * 20 + b"\x87"
P2WSH = b"\x00\x20" + b"\x01" * 32
P2TR = b"\x51\x20" + b"\x01" * 32
RATE = 1000
BOTH, ALONE = 141, 110
"""Virtual bytes of a transaction with one p2wpkh input and two outputs, and with one, rounded up."""


def spend(amount: int, script: bytes = P2WPKH, place: int = 0, *, ours: bool = True) -> Spend:
    return Spend(Coin("BTC", "ab" * 32, f"vout:{place}", "…", amount, BLOCK, 5), place, script, ours)


def plan(amount: int, *held: int, rate: int = RATE) -> Plan:
    spends = [spend(each, place=place) for place, each in enumerate(held)]
    return bitcoin_plan.make(spends, amount, rate, (P2WPKH, P2WPKH), COINS["bitcoin"])


@pytest.mark.parametrize(
    ("held", "amount", "arrives", "change", "fee"),
    [
        pytest.param(100_000, 50_000, 50_000, 100_000 - 50_000 - BOTH, BOTH, id="part"),
        pytest.param(100_000, 100_000, 100_000 - ALONE, 0, ALONE, id="all-less-the-fee"),
        pytest.param(100_000, 100_000 - ALONE, 100_000 - ALONE, 0, ALONE, id="exactly-covered"),
        pytest.param(100_000, 100_000 - ALONE + 1, 100_000 - ALONE, 0, ALONE, id="one-unit-short"),
        pytest.param(100_000, 100_000 - BOTH - 293, 100_000 - BOTH - 293, 0, BOTH + 293, id="dust-is-fee"),
        pytest.param(100_000, 100_000 - BOTH - 294, 100_000 - BOTH - 294, 294, BOTH, id="no-dust-is-change"),
        pytest.param(294 + ALONE, 294 + ALONE, 294, 0, ALONE, id="least-that-can-be-sent"),
    ],
)
def test_fee_and_change_are_what_is_left(held: int, amount: int, arrives: int, change: int, fee: int) -> None:
    made = plan(amount, held)

    assert (arrives, change, fee) == (made.arrives, made.change, made.fee)


@pytest.mark.parametrize(
    ("held", "amount", "spent"),
    [
        pytest.param((10_000, 30_000, 20_000), 15_000, [30_000], id="the-largest-alone"),
        pytest.param((10_000, 30_000, 20_000), 30_000, [30_000, 20_000], id="the-fee-takes-a-second"),
        pytest.param((10_000, 30_000, 20_000), 60_000, [30_000, 20_000, 10_000], id="all"),
        pytest.param((67, 30_000, 68, 20_000, 69), 50_204, [30_000, 20_000, 69], id="none-that-costs-more"),
    ],
)
def test_the_largest_are_spent_first_and_no_more_than_needed(
    held: tuple[int, ...], amount: int, spent: list[int]
) -> None:
    assert spent == [each.coin.amount for each in plan(amount, *held).spends]


def test_an_amount_that_no_node_passes_on_is_refused_even_where_much_is_left() -> None:
    with pytest.raises(ValueError, match=r" leaves 293 of 293, .* below 294: "):
        plan(293, 100_000)


def test_what_the_fee_eats_up_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the fee of 110 base units leaves 293 of 403, .* below 294: "):
        plan(293 + ALONE, 293 + ALONE)


@given(
    held=st.lists(st.integers(1, 10**10), min_size=1, max_size=6),
    share=st.fractions(0, 1),
    rate=st.integers(1, 10**6),
)
def test_nothing_is_lost_between_inputs_and_outputs(held: list[int], share: float, rate: int) -> None:
    amount = max(1, int(sum(held) * share))
    try:
        made = plan(amount, *held, rate=rate)
    except ValueError:
        return

    assert sum(each.coin.amount for each in made.spends) == made.arrives + made.change + made.fee
    assert 294 <= made.arrives <= amount
    assert made.change == 0 or made.change >= 294
    assert made.fee * 1000 >= made.vsize * rate
    assert made.arrives == amount or made.change == 0


@pytest.mark.parametrize(
    ("coin", "script", "least"),
    [
        pytest.param("bitcoin", P2PKH, 546, id="btc-p2pkh"),
        pytest.param("bitcoin", P2SH, 540, id="btc-p2sh"),
        pytest.param("bitcoin", P2WPKH, 294, id="btc-p2wpkh"),
        pytest.param("bitcoin", P2WSH, 330, id="btc-p2wsh"),
        pytest.param("bitcoin", P2TR, 330, id="btc-p2tr"),
        pytest.param("litecoin", P2WPKH, 2940, id="ltc-p2wpkh"),
        pytest.param("dogecoin", P2PKH, 1_000_000, id="doge-p2pkh"),
    ],
)
def test_dust_is_what_each_coins_nodes_call_so(coin: str, script: bytes, least: int) -> None:
    assert least == bitcoin_plan.dust(script, COINS[coin])


@pytest.mark.parametrize(
    ("script", "ours", "size"),
    [
        pytest.param(P2PKH, True, 189, id="p2pkh"),
        pytest.param(P2SH, True, 133, id="p2sh-p2wpkh"),
        pytest.param(P2WPKH, True, 110, id="p2wpkh"),
        pytest.param(P2TR, True, 99, id="p2tr"),
        pytest.param(P2SH, False, 338, id="a-script-of-others"),
        pytest.param(P2WSH, False, 146, id="a-witness-script-of-others"),
        pytest.param(b"\x52\x20" + b"\x01" * 32, False, 146, id="a-witness-of-the-future"),
    ],
)
def test_the_size_is_that_of_the_signed_transaction(script: bytes, *, ours: bool, size: int) -> None:
    assert size == bitcoin_plan.vsize([spend(1, script, ours=ours)], [P2WPKH])
