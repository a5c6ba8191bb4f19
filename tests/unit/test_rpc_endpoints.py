"""Which of several endpoints is in use, and what makes it give way to another. Nothing is asked of them."""

from __future__ import annotations

import pytest

from chains.base import NodeUnavailable
from chains.rpc import Node, Rpc

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
