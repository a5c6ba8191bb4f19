"""The endpoints of one chain compared and made to agree; what they answer is a table, no network is used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from chains import rpc_survey
from chains.base import BlockRef, ChainMoved, NodeMisbehaved, NodeUnavailable
from chains.config import ChainConfig
from chains.rpc import Node, Rpc, Survey
from chains.rpc_verdicts import GRACE, HOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C = "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"


class Network:
    """What each endpoint answers, by URL: its head, from which height on it is on a fork, its failure."""

    def __init__(self, agreement: int = 1, urls: Sequence[str] = (A, B, C)) -> None:
        self.now = 0.0
        self.heads = dict.fromkeys(urls, 100)
        self.forks: dict[str, int] = {}
        self.failures: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.rpc = Rpc(urls, self._verify, monotonic=lambda: self.now)
        self.survey = Survey(self.rpc, self._head, self._hash, agreement)

    async def _verify(self, node: Node) -> None:
        self.asked.append(node.url)
        if (error := self.failures.get(node.url)) is not None:
            raise error

    async def _head(self, node: Node) -> int:
        await self._verify(node)
        return self.heads[node.url]

    async def _hash(self, node: Node, height: int) -> str | None:
        await self._verify(node)
        if height > self.heads[node.url]:
            return None
        return f"{height}-{node.url[-1]}" if height >= self.forks.get(node.url, 10**9) else f"{height}-same"

    async def look(self, after: float = 30.0) -> None:
        self.now += after
        await self.survey.look()

    async def agree(self, height: int, hash_: str | None = None) -> None:
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        await self.survey.agree(BlockRef(height, hash_ or f"{height}-same", "", moment))

    async def used(self) -> str:
        async with self.rpc.node() as node:
            return node.url

    def states(self) -> list[str]:
        return [each.state for each in self.rpc.health()]

    def error(self, place: int) -> str | None:
        return self.rpc.health()[place].error


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_survey, "PATIENCE", (0.0, 0.0))


async def test_h42_an_endpoint_that_lags_is_set_aside_after_a_grace_and_comes_back_by_itself() -> None:
    network = Network()
    assert A == await network.used()
    network.heads[A] = 90
    await network.look()
    assert A == await network.used()

    await network.look(GRACE)
    assert (["lagging", "up", "up"], B) == (network.states(), await network.used())
    assert f"{A}: at block 90, 10 behind {B}" == network.error(0)
    assert 90 == network.rpc.health()[0].height

    network.heads[A] = 99
    await network.look()
    assert ["up", "up", "up"] == network.states()


async def test_h42_a_chain_of_many_blocks_a_second_sets_no_one_aside_for_being_seconds_late() -> None:
    network = Network()
    for _ in range(10):
        network.heads = {A: network.heads[B] + 200, B: network.heads[B] + 240, C: network.heads[B] + 220}
        await network.look()

    assert ["up", "up", "up"] == network.states()


async def test_h14_one_of_three_on_a_fork_is_never_asked_and_both_hashes_are_told() -> None:
    network = Network()
    await network.used()
    network.forks[A] = 90

    with capture_logs() as logs:
        await network.look()

    assert (["disagrees", "up", "up"], B) == (network.states(), await network.used())
    assert f"{A}: block 94 is 94-1 here, 94-same at {B} and {C}" == network.error(0)
    assert [("endpoint.set_aside", A)] == [(each["event"], each["endpoint"]) for each in logs]


async def test_h14_a_fork_that_a_majority_refuted_is_not_followed_when_the_majority_falls_silent() -> None:
    network = Network()
    network.forks[A] = 90
    await network.look()
    network.failures = {url: NodeUnavailable(f"{url}: gone") for url in (B, C)}

    for _ in range(3):
        await network.look()
        with pytest.raises(NodeUnavailable, match="gone"):
            await network.used()
    assert "disagrees" == network.states()[0]

    await network.look(HOLD)
    assert ("up", A) == (network.states()[0], await network.used())


async def test_h14_an_endpoint_that_left_its_fork_is_taken_back_at_once() -> None:
    network = Network()
    network.forks[A] = 90
    await network.look()
    network.failures = {C: NodeUnavailable("gone")}
    network.forks.clear()

    await network.look()

    assert ["up", "up", "down"] == network.states()


async def test_h14_of_two_that_disagree_the_one_in_use_stays_so_and_both_say_why() -> None:
    network = Network(urls=(A, B))
    await network.used()
    network.forks[A] = 90

    await network.look()

    assert (["disagrees", "disagrees"], A) == (network.states(), await network.used())
    assert f"{A}: block 94 is 94-1 here, 94-same at {B}" == network.error(0)
    assert f"{B}: block 94 is 94-same here, 94-1 at {A}" == network.error(1)


async def test_one_endpoint_is_not_compared_with_itself() -> None:
    network = Network(urls=(A,))

    await network.look()

    assert [] == network.asked


async def test_h46_a_survey_asks_none_that_is_to_be_left_alone() -> None:
    network = Network()
    network.failures[B] = NodeUnavailable(f"{B}: HTTP 429", 100.0)
    await network.look()
    network.asked.clear()

    await network.look()
    assert B not in network.asked

    network.failures.clear()
    await network.look(100.0)
    assert ["up", "up", "up"] == network.states()


async def test_a_survey_changes_nothing_for_the_endpoint_in_use_that_is_slow_to_answer() -> None:
    network = Network()
    await network.used()
    network.failures[A] = NodeUnavailable("no answer")

    await network.look()

    assert "up" == network.states()[0]
    network.failures.clear()
    assert A == await network.used()


async def test_h71_a_survey_finds_an_endpoint_that_was_exchanged_and_takes_it_back_when_it_is_right() -> None:
    network = Network(urls=(A, B))
    await network.used()
    network.failures[A] = NodeMisbehaved(f"{A} serves another chain")

    with capture_logs() as logs:
        await network.look()
        await network.look()
    assert ("down", f"{A} serves another chain", B) == (
        network.states()[0], network.error(0), await network.used()
    )  # fmt: skip
    assert [("endpoint.refused", "error")] == [(each["event"], each["log_level"]) for each in logs]

    network.failures.clear()
    await network.look()
    assert ["up", "up"] == network.states()


# --- agreement


async def test_one_endpoint_is_agreement_enough_without_a_request() -> None:
    network = Network()

    await network.agree(100)

    assert [] == network.asked


@pytest.mark.usefixtures("impatient")
async def test_h14_a_block_counts_once_enough_endpoints_show_it() -> None:
    network = Network(agreement=2)
    await network.used()
    network.forks = {B: 100}
    await network.agree(100)
    network.forks = {B: 100, C: 100}

    with pytest.raises(NodeUnavailable) as caught:
        await network.agree(100)

    told = (
        "block 100 is not shown by 2 endpoints, the one in use among them: "
        f"{A} shows 100-same; {B} shows 100-2; {C} shows 100-3"
    )
    assert told == str(caught.value)


@pytest.mark.usefixtures("impatient")
async def test_h14_the_endpoint_in_use_has_to_be_among_those_that_agree() -> None:
    network = Network(agreement=2)
    await network.used()
    network.failures[A] = NodeUnavailable(f"{A}: gone")

    with pytest.raises(NodeUnavailable, match=f"not shown by 2 endpoints.*{A}: gone"):
        await network.agree(100)


async def test_a_block_that_the_endpoint_in_use_has_left_is_a_move() -> None:
    network = Network(agreement=2)
    await network.used()

    with pytest.raises(ChainMoved, match="block 100 is 100-same now, not 100-old"):
        await network.agree(100, "100-old")


async def test_an_endpoint_that_is_a_moment_behind_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(agreement=2, urls=(A, B))
    await network.used()
    network.heads[B] = 99

    async def grow(_: float) -> None:
        network.heads[B] += 1

    monkeypatch.setattr(rpc_survey.asyncio, "sleep", grow)

    await network.agree(100)
    assert network.heads[B] == 100


@pytest.mark.usefixtures("impatient")
async def test_an_endpoint_that_stays_behind_or_serves_another_chain_does_not_agree() -> None:
    network = Network(agreement=2)
    await network.used()
    network.heads[B] = 99
    network.failures[C] = NodeMisbehaved(f"{C} serves another chain")

    with pytest.raises(NodeUnavailable) as caught:
        await network.agree(100)

    told = f"{A} shows 100-same; {B} does not have it yet; {C} serves another chain"
    assert str(caught.value).endswith(told)
    assert ["up", "up", "down"] == network.states()


@pytest.mark.usefixtures("impatient")
async def test_no_user_password_or_key_is_told_or_logged() -> None:
    urls = [f"http://CANARY:CANARY@127.0.0.1:{port}/CANARY?key=CANARY" for port in (1, 2, 3)]
    network = Network(agreement=2, urls=urls)
    shown = [node.url for node in network.rpc.nodes]
    network.heads = dict.fromkeys(shown, 100)
    network.forks = {shown[0]: 90}
    network.failures = {shown[2]: NodeMisbehaved(f"{shown[2]} serves another chain")}

    with capture_logs() as logs:
        await network.used()
        await network.look()
        with pytest.raises(NodeUnavailable) as caught:
            await network.agree(100, "100-…")

    assert ["disagrees", "disagrees", "down"] == network.states()
    assert "CANARY" not in f"{caught.value} {network.rpc.health()} {logs}"
    assert 3 == len(logs)


# --- configuration

TWO = ("http://a:1", "http://b:1")


@pytest.mark.parametrize(
    ("rpc", "agreement", "words"),
    [
        pytest.param(TWO, 2, None, id="two-of-two"),
        pytest.param(
            TWO, 3, "agreement: is above the number of rpc URLs; write at most 2", id="three-of-two"
        ),
        pytest.param(("http://a:1", "http://a:1/"), 2, "write at most 1", id="the-same-twice"),
        pytest.param(TWO, 0, "greater than or equal to 1", id="none"),
    ],
)
def test_no_more_endpoints_have_to_agree_than_there_are(
    rpc: tuple[str, ...], agreement: int, words: str | None
) -> None:
    if words is None:
        assert agreement == ChainConfig(kind="x", rpc=rpc, confirmations=1, agreement=agreement).agreement
        return
    with pytest.raises(ValueError, match=words):
        ChainConfig(kind="x", rpc=rpc, confirmations=1, agreement=agreement)


def test_the_comparison_of_balances_can_be_put_off_but_not_below_never() -> None:
    with pytest.raises(ValueError, match="cross_check"):
        ChainConfig(kind="x", rpc=TWO, confirmations=1, cross_check=-1)
