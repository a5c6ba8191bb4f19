"""Which of several endpoints is in use, and what makes it give way to another. Nothing is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import NodeMisbehaved, NodeUnavailable
from chains.rpc import Node, Rpc, Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FIRST, SECOND = "http://127.0.0.1:1", "http://127.0.0.1:2"


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def anything(_: object) -> None:
    return None


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def rpc(time: Time) -> Rpc:
    return Rpc([FIRST, SECOND], anything, monotonic=time)


async def used(rpc: Rpc) -> str:
    async with rpc.node() as node:
        return node.url


async def fail(rpc: Rpc, wait: float | None = None) -> None:
    with pytest.raises(NodeUnavailable):
        async with rpc.node():
            raise NodeUnavailable("gone", wait)


async def fail_aside(rpc: Rpc) -> Node:
    with pytest.raises(NodeUnavailable):
        async with rpc.aside() as node:
            raise NodeUnavailable("no estimate")
    return node


async def test_h7_a_distrusted_endpoint_gives_way_and_its_health_says_why(rpc: Rpc) -> None:
    assert FIRST == await used(rpc)

    rpc.distrust("at block 5, behind 8")

    assert [SECOND, SECOND] == [await used(rpc), await used(rpc)]
    told = [(each.state, each.error) for each in rpc.health()]
    assert [("down", f"{FIRST}: at block 5, behind 8"), ("up", None)] == told


async def test_a_distrusted_endpoint_takes_over_again_when_the_other_fails(rpc: Rpc) -> None:
    await used(rpc)
    rpc.distrust("behind")
    await fail(rpc)

    assert FIRST == await used(rpc)


async def test_the_only_endpoint_stays_in_use_when_it_is_distrusted() -> None:
    rpc = Rpc([FIRST], anything)
    await used(rpc)
    rpc.distrust("behind")

    assert FIRST == await used(rpc)


async def test_nothing_is_distrusted_before_anything_was_asked(rpc: Rpc) -> None:
    rpc.distrust("behind")

    assert ["unknown", "unknown"] == [each.state for each in rpc.health()]


async def test_h6_an_endpoint_stays_in_use_when_the_wait_of_another_ends(rpc: Rpc, time: Time) -> None:
    await fail(rpc, wait=60.0)
    await fail(rpc)
    time.now = 2.0
    assert SECOND == await used(rpc)

    time.now = 61.0

    assert SECOND == await used(rpc)


async def test_h6_an_endpoint_that_answers_stays_in_use_although_it_had_failed(rpc: Rpc, time: Time) -> None:
    for _ in range(3):  # the first one's wait is 2 s now
        await fail(rpc)
    assert SECOND == await used(rpc)
    await fail(rpc)
    assert FIRST == await used(rpc)

    time.now = 1.5  # the second one's, of 1 s, is over

    assert FIRST == await used(rpc)


async def test_a_question_aside_that_fails_leaves_the_endpoint_in_use(rpc: Rpc) -> None:
    assert FIRST == await used(rpc)

    node = await fail_aside(rpc)

    assert (FIRST, "up") == (node.url, node.state)
    assert FIRST == await used(rpc)


# --- set aside, refused


def set_aside(rpc: Rpc, place: int, use: Use) -> None:
    rpc.nodes[place].verdict = Verdict("lagging", "at block 90, 12 behind", use, 0.0)


async def test_h42_an_endpoint_in_use_that_is_set_aside_gives_way_and_its_health_says_why(rpc: Rpc) -> None:
    assert FIRST == await used(rpc)

    set_aside(rpc, 0, Use.LAST)

    assert SECOND == await used(rpc)
    assert ("lagging", "at block 90, 12 behind") == (rpc.health()[0].state, rpc.health()[0].error)


async def test_an_endpoint_set_aside_is_used_while_no_better_one_answers(rpc: Rpc, time: Time) -> None:
    set_aside(rpc, 0, Use.LAST)
    await fail(rpc)
    assert FIRST == await used(rpc)

    time.now = 5.0

    assert SECOND == await used(rpc)


async def test_a_refused_endpoint_is_not_used_while_another_may_come_back(rpc: Rpc) -> None:
    set_aside(rpc, 0, Use.NEVER)
    await fail(rpc)

    assert SECOND == await used(rpc)


async def test_the_last_endpoint_is_used_whatever_is_said_of_it() -> None:
    rpc = Rpc([FIRST], anything)
    set_aside(rpc, 0, Use.NEVER)

    assert FIRST == await used(rpc)


def wrong(*urls: str) -> Callable[[Node], Awaitable[None]]:
    async def verify(node: Node) -> None:
        if node.url in urls:
            raise NodeMisbehaved(f"{node.url}: another chain")

    return verify


async def test_h71_an_endpoint_of_another_chain_gives_way_to_one_of_the_right_chain() -> None:
    rpc = Rpc([FIRST, SECOND], wrong(FIRST))

    assert [SECOND, SECOND] == [await used(rpc), await used(rpc)]
    assert ("down", f"{FIRST}: another chain") == (rpc.health()[0].state, rpc.health()[0].error)


async def test_h71_no_endpoint_of_the_right_chain_is_a_halt_that_names_them_all() -> None:
    rpc = Rpc([FIRST, SECOND], wrong(FIRST, SECOND))

    for _ in range(2):
        with pytest.raises(NodeMisbehaved) as caught:
            await used(rpc)
        assert {f"{FIRST}: another chain", f"{SECOND}: another chain"} == set(str(caught.value).split("; "))


async def test_h71_an_endpoint_that_may_still_be_right_keeps_the_chain_from_halting(time: Time) -> None:
    async def verify(node: Node) -> None:
        await wrong(FIRST)(node)
        raise NodeUnavailable(f"{SECOND}: gone")

    rpc = Rpc([FIRST, SECOND], verify, monotonic=time)

    for _ in range(2):
        with pytest.raises(NodeUnavailable, match="gone"):
            await used(rpc)


async def test_an_impossible_answer_makes_the_chain_go_on_with_another_endpoint(rpc: Rpc) -> None:
    with pytest.raises(NodeUnavailable, match="the other endpoints are asked instead"):
        async with rpc.node():
            raise NodeMisbehaved("block 7 was asked for, and 8 given")

    assert SECOND == await used(rpc)


async def test_a_refused_endpoint_is_taken_back_once_it_proved_itself(rpc: Rpc) -> None:
    with pytest.raises(NodeUnavailable):
        async with rpc.node():
            raise NodeMisbehaved("another chain")

    await rpc.ask(rpc.nodes[0], anything, 1.0)

    await fail(rpc)
    assert (FIRST, "up") == (await used(rpc), rpc.health()[0].state)


# --- waits


async def test_h46_a_wait_of_one_endpoint_is_no_wait_for_the_chain(rpc: Rpc) -> None:
    with pytest.raises(NodeUnavailable) as caught:
        async with rpc.node():
            raise NodeUnavailable("HTTP 429", 60.0)

    assert caught.value.retry_after is None
    assert SECOND == await used(rpc)


async def test_h46_the_shortest_of_all_waits_is_that_of_the_chain(rpc: Rpc, time: Time) -> None:
    await fail(rpc, wait=60.0)
    time.now = 20.0
    with pytest.raises(NodeUnavailable) as caught:
        async with rpc.node():
            raise NodeUnavailable("HTTP 429", 300.0)

    assert 40.0 == caught.value.retry_after


async def test_h46_an_endpoint_that_asked_for_a_wait_is_not_asked_aside_either(rpc: Rpc, time: Time) -> None:
    asked: list[Node] = []

    async def question(node: Node) -> None:
        asked.append(node)

    await fail(rpc, wait=60.0)
    with pytest.raises(NodeUnavailable, match="left alone for 60 s more"):
        await rpc.ask(rpc.nodes[0], question, 1.0)
    time.now = 61.0
    await rpc.ask(rpc.nodes[0], question, 1.0)

    assert [rpc.nodes[0]] == asked


async def test_each_endpoint_has_a_back_off_of_its_own(rpc: Rpc, time: Time) -> None:
    def waits() -> list[float]:
        return [max(0.0, each.down_until - time.now) for each in rpc.nodes]

    async def failing(_: Node) -> None:
        raise NodeUnavailable("gone")

    await used(rpc)
    found = []
    for _ in range(9):
        with pytest.raises(NodeUnavailable):
            await rpc.ask(rpc.nodes[1], failing, 1.0)
        found.append(waits())
        time.now += waits()[1]

    assert [[0.0, each] for each in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0)] == found
    assert FIRST == await used(rpc)


async def test_h71_the_endpoint_in_use_is_not_replaced_in_the_middle_of_a_view() -> None:
    others: list[str] = []

    async def verify(node: Node) -> None:
        await wrong(*others)(node)

    rpc = Rpc([FIRST, SECOND], verify)
    assert FIRST == await used(rpc)
    rpc.nodes[0].verified = False
    others.append(FIRST)

    with pytest.raises(NodeUnavailable, match="another chain; the other endpoints are asked instead"):
        await used(rpc)
    assert SECOND == await used(rpc)


async def test_an_endpoint_that_others_contradict_goes_before_one_of_another_chain(time: Time) -> None:
    rpc = Rpc([FIRST, SECOND], wrong(FIRST), monotonic=time)
    set_aside(rpc, 1, Use.NEVER)
    rpc.nodes[1].down_until = 60.0

    assert SECOND == await used(rpc)
