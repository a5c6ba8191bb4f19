"""What balances say beyond what transactions and logs explain, found in its block with few questions."""

from __future__ import annotations

from typing import Any

import pytest

from chains.base import BlocksMissing, NodeUnavailable
from chains.evm_balances import Balances, Held
from chains.evm_blocks import Block
from chains.evm_differences import Books, borne_out, residues
from chains.evm_fees import Bill
from chains.evm_moves import Credit
from chains.rpc import RpcError

ACCOUNT = bytes.fromhex("ab" * 20)
COIN, TOKEN = Held("ETH", ACCOUNT), Held("ODD", ACCOUNT)
CONTRACT = "0x" + "44" * 20


class StubNode:
    """A node on which the account's balances after each block are given; `pruned_to` has no state."""

    url = "http://node"

    def __init__(self, *after: int, pruned_to: int = -1, head: int = 1000) -> None:
        self.after = after
        self.height: int | None = head
        self.pruned_to = pruned_to
        self.asked: list[str] = []

    async def calls(self, requests: Any, *, of: Any) -> list[str]:
        del of
        return [self._answer(method, params) for method, params in requests]

    def _answer(self, method: str, params: Any) -> str:
        height = int(params[1]["blockHash"], 16)
        self.asked.append(f"{method} {height}")
        if height <= self.pruned_to:
            raise RpcError(method, -32000, f"missing trie node {height} (path )")
        digits = 64 if method == "eth_call" else 1
        return f"0x{self.after[height]:0{digits}x}"


def blocks(number: int) -> list[Block]:
    """Return blocks 1 to `number`, whose hashes are their heights."""
    return [Block(hex(n), hex(n), hex(n - 1), "0x0", []) for n in range(1, number + 1)]


def books(*held: Held, exact: tuple[int, ...] = (), **explained: int) -> Books:
    """Return books about these holdings; explained by block: b0=5 means 5 in the first."""
    found = Books(swept=set(held))
    for place, amount in explained.items():
        found.explain(held[0], int(place[1:]), amount)
    found.exact[held[0]] |= set(exact)
    return found


async def rest(node: StubNode, number: int, found: Books) -> dict[int, int]:
    balances = Balances({"ODD": CONTRACT})
    answer = await residues(node, balances, blocks(number), found)  # type: ignore[arg-type] - only calls() is used
    return {place: amount for (_, place), amount in answer.items()}


@pytest.mark.parametrize(
    ("after", "explained", "expected"),
    [
        pytest.param((0, 0), {}, {}, id="nothing"),
        pytest.param((5, 12), {"b0": 7}, {}, id="explained"),
        pytest.param((5, 12), {}, {0: 7}, id="h55-not-explained"),
        pytest.param((5, 12), {"b0": 4}, {0: 3}, id="in-part"),
        pytest.param((5, 9), {"b0": 7}, {0: -3}, id="h60-less-than-explained"),
        pytest.param((20, 3), {"b0": -17}, {}, id="spent-as-explained"),
        pytest.param((0, 0, 7, 7, 7), {}, {1: 7}, id="found-in-its-block"),
        pytest.param((0, 1, 3, 3, 9), {}, {0: 1, 1: 2, 3: 6}, id="several"),
        pytest.param((0, 1, 3, 3, 9), {"b1": 2}, {0: 1, 3: 6}, id="several-and-one-explained"),
        pytest.param((0, 2**256 - 1), {}, {0: 2**256 - 1}, id="h67-the-largest"),
    ],
)
@pytest.mark.parametrize("held", [COIN, TOKEN], ids=["coin", "token"])
async def test_what_is_not_explained_is_found_in_its_block(
    held: Held, after: tuple[int, ...], explained: dict[str, int], expected: dict[int, int]
) -> None:
    assert expected == await rest(StubNode(*after), len(after) - 1, books(held, **explained))


async def test_a_growth_and_a_loss_that_cancel_out_are_seen_where_a_credit_stands() -> None:
    """The blocks with credits are looked at one by one."""
    node = StubNode(0, 0, 9, 5, 5)

    assert {} == await rest(node, 4, books(COIN, b1=5))
    assert {1: 4, 2: -4} == await rest(node, 4, books(COIN, exact=(1,), b1=5))


async def test_a_growth_among_many_blocks_takes_few_questions() -> None:
    node = StubNode(*[0] * 30, *[9] * 35)

    assert {29: 9} == await rest(node, 64, books(COIN))
    assert 2 + 6 == len(node.asked)


async def test_a_holding_that_is_only_checked_is_asked_for_where_its_credits_stand() -> None:
    node = StubNode(*[0] * 11, *[9] * 20)
    found = Books(checked={TOKEN})
    found.exact[TOKEN].add(10)

    assert {10: 9} == await rest(node, 30, found)
    assert ["eth_call 10", "eth_call 11"] == node.asked


async def test_the_end_of_one_read_is_not_asked_for_again() -> None:
    node, balances = StubNode(0, 0, 9), Balances({})
    one, two = blocks(2)
    for block in (one, two):
        await residues(node, balances, [block], books(COIN))  # type: ignore[arg-type] - only calls() is used

    assert ["eth_getBalance 0", "eth_getBalance 1", "eth_getBalance 2"] == node.asked


@pytest.mark.parametrize(
    ("pruned_to", "head", "expected"),
    [
        pytest.param(0, 1000, (1, 1), id="only-the-first"),
        pytest.param(4, 1000, (1, 5), id="some"),
        pytest.param(9, 1000, (1, 10), id="all"),
        pytest.param(9, 70, (1, 6), id="not-the-newest"),
    ],
)
async def test_h74_the_limit_of_what_a_node_remembers_is_learnt(
    pruned_to: int, head: int, expected: tuple[int, int]
) -> None:
    with pytest.raises(BlocksMissing, match="no longer has the balances") as caught:
        await rest(StubNode(*[0] * 11, pruned_to=pruned_to, head=head), 10, books(COIN))

    assert expected == (caught.value.first, caught.value.last)


async def test_h74_a_young_block_without_state_is_an_outage_and_no_hole() -> None:
    with pytest.raises(NodeUnavailable, match="missing trie node") as caught:
        await rest(StubNode(*[0] * 11, pruned_to=9, head=11), 10, books(COIN))

    assert not isinstance(caught.value, BlocksMissing)


@pytest.mark.parametrize(
    ("shortfall", "expected"),
    [
        pytest.param(0, [5, 7], id="all-arrived"),
        pytest.param(3, [5, 4], id="the-last-first"),
        pytest.param(7, [5], id="one-is-gone"),
        pytest.param(9, [3], id="more-than-one"),
        pytest.param(99, [], id="h61-nothing-arrived"),
    ],
)
def test_h60_what_did_not_arrive_is_taken_off_the_last_credits(shortfall: int, expected: list[int]) -> None:
    found = [(0, f"tx{n}", Credit("ODD", "log:0", ACCOUNT, amount)) for n, amount in enumerate((5, 7))]
    other = (1, "tx2", Credit("ODD", "log:0", ACCOUNT, 11))
    kept = borne_out([*found, other], {(TOKEN, 0): -shortfall} if shortfall else {}, Books(), "ETH")

    assert [*expected, 11] == [credit.amount for _, _, credit in kept]


def test_a_shortfall_of_coin_takes_nothing_from_an_account_that_paid_fees_in_the_block() -> None:
    """Chains charge fees that no receipt tells of; a token's shortfall is none of that."""
    coin = (0, "tx", Credit("ETH", "value", ACCOUNT, 9))
    token = (0, "tx", Credit("ODD", "log:0", ACCOUNT, 9))
    spent = Books(spenders={(ACCOUNT, 0)})
    short = {(COIN, 0): -4, (TOKEN, 0): -4}

    kept = [credit.amount for _, _, credit in borne_out([coin, token], short, spent, "ETH")]
    assert [9, 5] == kept


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        pytest.param({}, 21_000 * 7, id="gas"),
        pytest.param({"l1_fee": "0x64"}, 21_000 * 7 + 100, id="rollup"),
        pytest.param({"blob_gas_used": "0x20000", "blob_gas_price": "0x2"}, 21_000 * 7 + 2**18, id="blobs"),
        pytest.param({"effective_gas_price": None}, 0, id="no-price"),
    ],
)
def test_a_fee_is_gas_and_what_a_chain_adds_to_it(fields: dict[str, Any], total: int) -> None:
    assert (
        total
        == Bill(
            **{"transaction_hash": "0x1", "gas_used": hex(21_000), "effective_gas_price": "0x7", **fields}
        ).total
    )
