"""The comparison of what was seen with what is recorded: each kind of difference, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chains.base import ChainMoved
from chains.naive import Growth, SeenBlock, Sighting
from watcher.model import GapReason, Standing
from watcher.reconcile.claims import Claim, Known, Row, Waiting, known, row
from watcher.reconcile.compare import Accounts, Kind, Rules, Span, compare
from watcher.reconcile.scan import Scan

SEEN = Sighting("COIN", "tx", "value", "addr", 5, 10, "b10")
ROW = Row("tx", "value", "COIN", "addr", 5, Standing.MINED, 10, "b10", "inv")
KNOWN = Known(20, "b20", {"addr": Claim(7, "inv", 3), "other": Claim(8, None, 12)}, ())
SPAN = Span(4, 20, head=20)
RULES = Rules("COIN", {"COIN": 2, "TOKEN": 0})
BLIND = replace(RULES, by_balance=True)
BALANCE = "balance:COIN:addr"


def differences(seen: list[Sighting], rows: list[Row], rules: Rules = RULES, **changed: Any) -> list[str]:
    found = compare(replace(KNOWN, **changed), SPAN, rules, seen, rows)
    return [each.kind for each in found.differences]


DIFFERENT = [
    pytest.param([SEEN], [ROW], [], id="equal"),
    pytest.param([], [], [], id="nothing"),
    pytest.param([SEEN], [], [Kind.MISSING], id="missing"),
    pytest.param([], [ROW], [Kind.ABSENT], id="absent"),
    pytest.param([], [replace(ROW, height=21)], [Kind.ABSENT], id="absent above the head"),
    pytest.param([SEEN], [replace(ROW, amount=6)], [Kind.AMOUNT], id="amount"),
    pytest.param([SEEN], [replace(ROW, block="b9")], [Kind.BLOCK], id="block"),
    pytest.param([SEEN], [replace(ROW, height=3)], [Kind.BLOCK], id="height outside of the span"),
    pytest.param([SEEN], [replace(ROW, asset="TOKEN")], [Kind.ASSET], id="asset"),
    pytest.param([SEEN], [replace(ROW, address="other")], [Kind.ADDRESS], id="address"),
    pytest.param([SEEN], [replace(ROW, slot="call:0")], [Kind.SLOT], id="slot"),
    pytest.param([SEEN], [replace(ROW, standing=Standing.DROPPED)], [Kind.STANDING], id="standing"),
    pytest.param([SEEN], [replace(ROW, asset="X", amount=6)], [Kind.ASSET, Kind.AMOUNT], id="two at once"),
    pytest.param(
        [SEEN],
        [replace(ROW, slot="log:1", amount=6)],
        [Kind.MISSING, Kind.ABSENT],
        id="neither slot nor amount",
    ),
    pytest.param([SEEN], [ROW, replace(ROW, slot="log:9")], [Kind.ABSENT], id="counted twice"),
]


@pytest.mark.parametrize(("seen", "rows", "expected"), DIFFERENT)
def test_a_difference_is_named_by_its_kind(
    seen: list[Sighting], rows: list[Row], expected: list[str]
) -> None:
    assert expected == differences(seen, rows)


GAP = Waiting(9, 11, 0, 7, GapReason.NEW_ADDRESS)
LEFT_OUT = [
    pytest.param([replace(SEEN, height=3)], [], {}, "reached an address before it was shown", id="before"),
    pytest.param(
        [replace(SEEN, address="other")],
        [],
        {},
        "reached an address before it was shown",
        id="before another",
    ),
    pytest.param([SEEN], [], {"waiting": (GAP,)}, "in blocks that will be read again", id="gap"),
    pytest.param(
        [SEEN],
        [],
        {"waiting": (replace(GAP, reason=GapReason.MISSING),)},
        "in blocks that the ledger's node does not have",
        id="hole",
    ),
    pytest.param([replace(SEEN, amount=1)], [], {}, "below the dust floor", id="dust"),
    pytest.param(
        [], [replace(ROW, asset="GONE")], {}, "in GONE, which is not configured any more", id="asset gone"
    ),
    pytest.param(
        [],
        [replace(ROW, txid="b10", slot=BALANCE)],
        {},
        "growth of a balance that no transfer explains",
        id="unattributed",
    ),
]


@pytest.mark.parametrize(("seen", "rows", "changed", "reason"), LEFT_OUT)
def test_what_the_ledger_does_not_claim_is_left_out_and_said(
    seen: list[Sighting], rows: list[Row], changed: dict[str, Any], reason: str
) -> None:
    found = compare(replace(KNOWN, **changed), SPAN, RULES, seen, rows)

    assert ([], {reason: 1}) == (found.differences, dict(found.left_out))


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(replace(GAP, first=11), id="above"),
        pytest.param(replace(GAP, last=9), id="below"),
        pytest.param(replace(GAP, after=7, upto=9), id="for later addresses"),
        pytest.param(replace(GAP, upto=6), id="for earlier addresses"),
    ],
)
def test_a_gap_excuses_only_its_own_blocks_and_addresses(gap: Waiting) -> None:
    assert [Kind.MISSING] == differences([SEEN], [], waiting=(gap,))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([replace(ROW, slot="log:0")], [], id="another source names it otherwise"),
        pytest.param([ROW, replace(ROW, slot="call:0", txid="tx2")], [], id="inside a contract"),
        pytest.param([replace(ROW, slot="log:0", amount=4)], [Kind.MISSING], id="too little"),
        pytest.param([], [Kind.MISSING], id="missing"),
    ],
)
def test_without_traces_coins_are_held_against_their_transaction(
    rows: list[Row], expected: list[str]
) -> None:
    assert expected == differences([SEEN], rows, BLIND)


@pytest.mark.parametrize(
    ("growth", "rows", "expected"),
    [
        pytest.param(Growth(5, moved=False), [ROW], None, id="equal"),
        pytest.param(Growth(6, moved=False), [ROW], (5, 6), id="more came"),
        pytest.param(Growth(4, moved=False), [ROW], (5, 4), id="less came"),
        pytest.param(Growth(-9, moved=True), [ROW], None, id="some was sent on"),
        pytest.param(Growth(6, moved=True), [ROW], (5, 6), id="more came than was sent on"),
        pytest.param(Growth(7, moved=False), [ROW, replace(ROW, slot=BALANCE, amount=2)], None, id="residue"),
        pytest.param(Growth(0, moved=False), [replace(ROW, height=3)], None, id="not of these blocks"),
        pytest.param(Growth(0, moved=False), [replace(ROW, asset="TOKEN")], None, id="not the coin"),
        pytest.param(Growth(0, moved=False), [replace(ROW, standing=Standing.DROPPED)], None, id="not mined"),
        pytest.param(Growth(0, moved=False), [replace(ROW, address="other")], None, id="not the account"),
    ],
)
def test_an_account_is_compared_by_the_growth_of_its_balance(
    growth: Growth, rows: list[Row], expected: tuple[int, int] | None
) -> None:
    found = Accounts(KNOWN, SPAN, BLIND).compare("addr", 3, growth, rows)

    assert expected == (found and (found.recorded, found.seen))


def test_an_account_counts_from_where_it_is_claimed_and_looked_at() -> None:
    late = replace(SPAN, first=6, last=12)

    assert [("addr", 5)] == list(Accounts(KNOWN, late, BLIND).starts())
    assert [("addr", 3), ("other", 12)] == list(Accounts(KNOWN, SPAN, BLIND).starts())


def test_the_ledgers_answers_are_read_to_the_last_digit() -> None:
    extent = {
        "head": {"height": 9, "hash": "b9"},
        "gaps": [{"from": 1, "to": 2, "after": 0, "upto": 5, "reason": "rescan"}],
    }
    address = {"id": 4, "address": "addr", "invoice_id": None, "address_id": None, "from_height": 2}
    deposit = {
        "txid": "tx", "slot": "value", "asset": "COIN", "decimals": 18, "address": "addr",
        "amount": str(2**190) + "." + "0" * 17 + "1", "standing": "mined", "block_height": 10,
        "block_hash": "b10", "invoice_id": "inv", "address_id": None,
    }  # fmt: skip

    waiting = (Waiting(1, 2, 0, 5, GapReason.RESCAN),)
    assert Known(9, "b9", {"addr": Claim(4, None, 2)}, waiting) == known(extent, [address])
    assert 3 == known(extent, [address]).begins()
    assert replace(ROW, amount=2**190 * 10**18 + 1) == row(deposit)


class Chain:
    """A chain of named blocks, each with one credit, that a test can replace."""

    coin = "COIN"
    by_balance = False

    def __init__(self, names: str) -> None:
        self.names = names
        self.read: list[int] = []

    async def hash(self, height: int) -> str | None:
        return self.names[height] if height < len(self.names) else None

    async def block(self, height: int, watched: dict[bytes, str]) -> SeenBlock:
        self.read.append(height)
        name = self.names[height]
        seen = replace(SEEN, height=height, block=name, address=watched[b""])
        return SeenBlock(height, name, self.names[height - 1], (seen,))


def blocks(scan: Scan) -> str:
    return "".join(each.block for each in scan.sightings)


async def test_a_scan_reads_only_what_is_new_or_stands_no_more() -> None:
    scan = Scan(chain := Chain("abcde"), {b"": "addr"}, 2)  # type: ignore[arg-type]
    await scan.run(4)
    chain.names, chain.read = "abcXYZ", []

    stands = await scan.stands()
    await scan.run(5)

    assert (False, [3, 4, 5], "cXYZ") == (stands, chain.read, blocks(scan))
    assert await scan.stands()


async def test_a_scan_begins_anew_where_nothing_stands() -> None:
    scan = Scan(chain := Chain("abcde"), {b"": "addr"}, 2, {1})  # type: ignore[arg-type]
    await scan.run(4)
    chain.names = "aVWXY"

    await scan.run(4)

    assert "VWXY" == blocks(scan)


async def test_a_scan_notices_a_fork_between_two_blocks() -> None:
    scan = Scan(chain := Chain("abcde"), {b"": "addr"}, 2)  # type: ignore[arg-type]

    def switch(height: int) -> None:
        if height == 3:
            chain.names = "abXYZ"

    with pytest.raises(ChainMoved, match="block 4 is not the child of the one before it"):
        await scan.run(4, switch)
    await scan.run(4)

    assert "XYZ" == blocks(scan)
