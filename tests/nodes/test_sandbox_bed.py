"""The sandbox's test bed on the real nodes: what it pays, mines and replaces, and what it says it cannot."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from watcher.errors import Refused
from watcher.sandbox import testchains
from watcher.sandbox.bed import PrivateBed
from watcher.testbed import Sum

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from watcher.sandbox.node import Node
    from watcher.testbed import Note

TO = "0x" + "77" * 20


def _now() -> datetime:
    return datetime.now(UTC)


class Place:
    """A test bed with its nodes, on which nobody else mines."""

    def __init__(self, bed: PrivateBed, nodes: dict[str, Node]) -> None:
        self.bed = bed
        self.nodes = nodes

    def received(self, address: str) -> Decimal:
        """Return what the wallet's own address has in blocks."""
        return Decimal(self.nodes["litecoin"].rpc("getreceivedbyaddress", address, 1))

    def own(self) -> str:
        return str(self.nodes["litecoin"].rpc("getnewaddress"))

    async def hears(self, words: str) -> Note:
        """Wait for a note that begins like this."""
        async with asyncio.timeout(20):
            while True:
                for note in self.bed.notes():
                    if note.text.startswith(words):
                        return note
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def chains(
    tmp_path_factory: pytest.TempPathFactory, litecoind_binary: Path, anvil_binary: Path
) -> Iterator[list[testchains.PrivateChain]]:
    assert litecoind_binary
    assert anvil_binary
    started = testchains.start(tmp_path_factory.mktemp("bed"), lambda _: None)
    yield started
    for chain in started:
        chain.node.stop()


@pytest.fixture
async def place(chains: list[testchains.PrivateChain]) -> AsyncIterator[Place]:
    bed = PrivateBed(chains, _now)
    yield Place(bed, {chain.name: chain.node for chain in chains})
    await bed.close()


@pytest.fixture
async def alone(anvil_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A test bed of an Ethereum that has just begun."""
    monkeypatch.setenv("ANVIL", str(anvil_binary))
    monkeypatch.setenv("LITECOIND", "/nowhere")
    (chain,) = testchains.start(tmp_path, lambda _: None)
    yield Place(PrivateBed([chain], _now), {chain.name: chain.node})
    chain.node.stop()


async def test_what_was_paid_from_a_coin_that_just_ripened_comes_again_too(place: Place) -> None:
    """In the first of the new blocks such a payment may not stand: the node drops it from its mempool."""
    to = place.own()
    await place.bed.mine("litecoin", 2)
    paid = await place.bed.pay(Sum("litecoin", "LTC", to, "100"))  # more than any one coin
    height = await place.bed.mine("litecoin", 1)

    after = await place.bed.reorganise("litecoin", 3, keep=True)

    assert (height + 1, Decimal(100)) == (after, place.received(to)), paid


async def test_a_payment_that_vanished_does_not_come_back_from_the_mempool(place: Place) -> None:
    to = place.own()
    await place.bed.pay(Sum("litecoin", "LTC", to, "3", parts=3))
    await place.bed.mine("litecoin", 2)
    assert Decimal(3) == place.received(to)

    await place.bed.reorganise("litecoin", 2, keep=False)
    await place.bed.mine("litecoin", 1)

    assert (Decimal(0), []) == (place.received(to), place.nodes["litecoin"].rpc("getrawmempool"))


@pytest.mark.parametrize(("keep", "left"), [(True, 3), (False, 0)], ids=["again", "gone"])
async def test_a_reorganisation_of_ethereum_with_a_payment_that_waits(
    place: Place, *, keep: bool, left: int
) -> None:
    to = f"0x{'88' * 19}{left:02x}"
    await place.bed.mine("ethereum", 1)
    for _ in range(2):
        await place.bed.pay(Sum("ethereum", "ETH", to, "0.000000000000000001"))
        await place.bed.mine("ethereum", 1)
    await place.bed.pay(Sum("ethereum", "ETH", to, "0.000000000000000001"))

    await place.bed.reorganise("ethereum", 3, keep=keep)
    await place.bed.pay(Sum("ethereum", "ETH", TO, "1"))
    height = await place.bed.mine("ethereum", 1)

    assert left == int(place.nodes["ethereum"].rpc("eth_getBalance", to, "latest"), 16)
    head = place.nodes["ethereum"].rpc("eth_getBlockByNumber", hex(height), False)
    assert 1 == len(head["transactions"])
    assert abs(int(head["timestamp"], 16) - _now().timestamp()) < 30


async def test_a_payment_for_later_waits_and_is_noted(place: Place) -> None:
    at = _now() + timedelta(seconds=0.5)
    await place.bed.pay_later(Sum("ethereum", "USDT", TO, "1.5"), at)
    assert place.bed.notes()[0].text.startswith(f"will pay 1.5 USDT on ethereum to {TO} at ")
    said = await place.hears("paid 1.5 USDT")

    assert said.text.startswith(f"paid 1.5 USDT on ethereum to {TO}: 0x")
    assert said.at >= at


async def test_a_payment_for_later_that_fails_says_so(place: Place) -> None:
    await place.bed.pay_later(Sum("ethereum", "USDT", TO, "1000000001"), _now())

    failed = await place.hears("did not pay 1000000001 USDT on ethereum")

    assert failed.failed
    assert "is more than the test wallet holds" in failed.text


async def test_payments_for_later_end_with_the_sandbox(place: Place) -> None:
    await place.bed.pay_later(Sum("ethereum", "USDT", TO, "1"), _now() + timedelta(hours=1))
    own = asyncio.all_tasks()

    await place.bed.close()

    assert 1 == len(own) - len(asyncio.all_tasks())


SUMS: dict[str, Any] = {"chain": "ethereum", "coin": "USDT", "address": TO, "amount": "1"}
WRONG = [
    pytest.param({"chain": "x"}, "chain", "there is: ethereum, litecoin", id="a chain that there is not"),
    pytest.param({"coin": "LTC"}, "coin", "there is: ETH, USDT, fake-USDT", id="a coin of another chain"),
    pytest.param({"amount": "1,5"}, "amount", "is not a decimal number", id="a comma"),
    pytest.param({"amount": "-1"}, "amount", "is not a decimal number", id="below zero"),
    pytest.param({"amount": "0"}, "amount", "name a sum above 0", id="nothing"),
    pytest.param({"amount": "0.0000001"}, "amount", "this asset has 6", id="a sum too fine"),
    pytest.param({"amount": "0.000002", "parts": 3}, "amount", "in 3 parts", id="too small for its parts"),
    pytest.param({"parts": 21}, "parts", "is not between 1 and 20", id="too many parts"),
    pytest.param({"amount": "1000000001"}, "amount", "the test wallet holds", id="not enough of a token"),
    pytest.param({"coin": "ETH", "amount": "10001"}, "amount", "the test wallet holds", id="of the coin"),
    pytest.param(
        {"chain": "litecoin", "coin": "LTC", "amount": "1000000"},
        "amount",
        "the test wallet holds",
        id="of LTC",
    ),
]


@pytest.mark.parametrize(("change", "field", "told"), WRONG)
async def test_a_sum_that_cannot_be_paid_is_refused_in_a_line(
    place: Place, change: dict[str, Any], field: str, told: str
) -> None:
    with pytest.raises(Refused) as refused:
        await place.bed.pay(Sum(**{**SUMS, **change}))

    assert field == refused.value.field
    assert told in refused.value.message


async def test_what_the_node_refuses_is_told_in_its_words(place: Place) -> None:
    with pytest.raises(Refused, match=r"^the node refused the payment: Invalid Litecoin address"):
        await place.bed.pay(Sum("litecoin", "LTC", "nowhere", "1"))


async def test_no_more_is_mined_or_replaced_than_makes_sense(place: Place) -> None:
    """The tokens and the wallet's first coins stay."""
    await place.bed.mine("ethereum", 1)
    (ethereum,) = [chain for chain in await place.bed.chains() if chain.name == "ethereum"]

    for depth in (0, ethereum.depth + 1):
        with pytest.raises(Refused, match=f"^is not between 1 and {ethereum.depth}, "):
            await place.bed.reorganise("ethereum", depth, keep=True)
    for blocks in (0, 101):
        with pytest.raises(Refused, match=r"^is not between 1 and 100$"):
            await place.bed.mine("ethereum", blocks)


async def test_what_was_there_when_the_sandbox_began_is_not_replaced(alone: Place) -> None:
    with pytest.raises(Refused, match=r"^no block can be replaced yet; mine some first$"):
        await alone.bed.reorganise("ethereum", 1, keep=True)


async def test_a_node_that_is_gone_is_told(alone: Place) -> None:
    alone.nodes["ethereum"].kill()

    with pytest.raises(Refused, match=r"^the node does not answer"):
        await alone.bed.chains()
