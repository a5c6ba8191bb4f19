"""Logs of the chain's own coin (EIP-7708): each movement once, under a name of its own."""

from __future__ import annotations

import pytest

from chains.evm_blocks import NOBODY, Block, Log, Receipt, Tx
from chains.evm_modes import BALANCE, LOGS, NONE, PARITY, TRACES, is_lesser
from chains.evm_native_logs import EMITTER, inner_moves, shows
from chains.evm_tokens import TRANSFER

PAYER, CONTRACT, OURS = (f"0x{digit * 40}" for digit in "123")


def log(sender: str, to: str, amount: int, emitter: str = EMITTER) -> Log:
    topics = [TRANSFER, *("0x" + "0" * 24 + each[2:] for each in (sender, to))]
    return Log(emitter, topics, f"0x{amount:064x}", "0x0")


def receipt(*logs: Log, status: str = "0x1", made: str | None = None) -> Receipt:
    return Receipt("0xaa", "0xbb", list(logs), status, made)


def payment(value: int = 9, to: str | None = CONTRACT, sender: str = PAYER) -> Tx:
    return Tx("0xaa", sender, hex(value), to)


BURN = Log(EMITTER, ["0x" + "cc" * 32, "0x" + "0" * 24 + OURS[2:]], f"0x{5:064x}", "0x0")


@pytest.mark.parametrize(
    ("tx", "told", "expected"),
    [
        pytest.param(payment(), receipt(log(PAYER, CONTRACT, 9)), [], id="h56-own-value"),
        pytest.param(
            payment(),
            receipt(log(PAYER, CONTRACT, 9), log(CONTRACT, OURS, 9)),
            [("log:1", OURS, 9)],
            id="forwarded",
        ),
        pytest.param(
            payment(),
            receipt(log(PAYER, CONTRACT, 9), log(PAYER, CONTRACT, 9)),
            [("log:1", CONTRACT, 9)],
            id="the-same-again-is-another",
        ),
        pytest.param(payment(0), receipt(log(CONTRACT, OURS, 4)), [("log:0", OURS, 4)], id="no-own-value"),
        pytest.param(payment(9, None), receipt(log(PAYER, OURS, 9), made=OURS), [], id="value-of-a-creation"),
        pytest.param(payment(9, PAYER), receipt(), [], id="to-itself-is-not-logged"),
        pytest.param(payment(), receipt(log(PAYER, CONTRACT, 9), BURN), [], id="burnt"),
        pytest.param(
            payment(),
            receipt(log(CONTRACT, OURS, 9, emitter="0x" + "99" * 20), log(PAYER, CONTRACT, 9)),
            [],
            id="h57-another-emitter",
        ),
        pytest.param(
            payment(),
            receipt(log(CONTRACT, OURS, 5, emitter="0x" + "99" * 20), log(CONTRACT, OURS, 9)),
            [("log:1", OURS, 9)],
            id="the-ordinal-counts-every-log",
        ),
    ],
)
def test_h56_the_own_value_is_passed_over_and_the_rest_told(
    tx: Tx, told: Receipt, expected: list[tuple[str, str, int]]
) -> None:
    moves = inner_moves(tx, told, "ETH")

    assert expected == [(move.slot, "0x" + move.to.hex(), move.amount) for move in moves]


@pytest.mark.parametrize(
    ("tx", "told", "expected"),
    [
        pytest.param(payment(), receipt(log(PAYER, CONTRACT, 9)), True, id="logged"),
        pytest.param(payment(), receipt(), False, id="not-logged"),
        pytest.param(payment(), receipt(log(CONTRACT, OURS, 9)), False, id="only-something-else"),
        pytest.param(payment(), receipt(status="0x0"), None, id="it-failed"),
        pytest.param(payment(0), receipt(), None, id="nothing-carried"),
        pytest.param(payment(9, PAYER), receipt(), None, id="to-itself"),
        pytest.param(payment(0), receipt(log(CONTRACT, OURS, 9)), True, id="by-a-contract"),
        pytest.param(payment(9, NOBODY, NOBODY), receipt(), None, id="of-the-chain-itself"),
    ],
)
def test_a_block_shows_whether_its_chain_logs_its_coin(
    tx: Tx, told: Receipt, *, expected: bool | None
) -> None:
    block = Block("0x1", "0xbb", "0x0", "0x0", [tx])

    assert expected == shows(block, {"0xaa": told})


@pytest.mark.parametrize(
    ("mode", "best", "lesser"),
    [
        (TRACES, TRACES, False),
        (PARITY, TRACES, False),
        (TRACES, PARITY, False),
        (LOGS, TRACES, True),
        (LOGS, PARITY, True),
        (BALANCE, LOGS, True),
        (NONE, BALANCE, True),
        (TRACES, BALANCE, False),
    ],
)
def test_a_mode_that_tells_less_or_names_otherwise_is_lesser(mode: str, best: str, *, lesser: bool) -> None:
    assert lesser == is_lesser(mode, best)
