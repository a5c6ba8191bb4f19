from __future__ import annotations

import math

import pytest

from watcher import lanes
from watcher.lanes import Lanes


def _fail(subject: Lanes, endpoint: str, times: int, now: float) -> None:
    for number in range(times):
        subject.start(endpoint, f"{endpoint} {number}", now)
        subject.finish(endpoint, f"{endpoint} {number}", now, ok=False)


def test_an_endpoint_has_a_cap_of_its_own() -> None:
    subject = Lanes()
    for number in range(lanes.FEW):
        subject.start("a", str(number), 0)

    assert (0, lanes.FEW) == (subject.room("a", 0), subject.room("b", 0))


def test_h136_an_endpoint_that_keeps_failing_gets_one_probe_at_a_time() -> None:
    subject = Lanes()
    _fail(subject, "a", lanes.BREAKS_AFTER, now=10)

    assert (0, 1) == (subject.room("a", 10.5), subject.room("a", 11))
    subject.start("a", "probe", 11)
    assert subject.room("a", 20) == 0


def test_one_success_closes_the_breaker() -> None:
    subject = Lanes()
    _fail(subject, "a", lanes.BREAKS_AFTER, now=10)
    subject.start("a", "probe", 11)
    subject.finish("a", "probe", 12, ok=True)

    assert lanes.FEW <= subject.room("a", 12)


def test_one_failure_fewer_than_the_limit_leaves_the_breaker_closed() -> None:
    subject = Lanes()
    _fail(subject, "a", lanes.BREAKS_AFTER - 1, now=10)

    assert lanes.FEW == subject.room("a", 10)


def test_the_wait_for_a_probe_ends_and_is_never_zero() -> None:
    subject = Lanes()
    assert math.inf == subject.wait("a", 0)
    _fail(subject, "a", lanes.BREAKS_AFTER, now=10)

    assert (0.75, math.inf) == (subject.wait("a", 10.25), subject.wait("a", 11))


def test_slow_sends_use_up_nobodys_room() -> None:
    subject = Lanes()
    for number in range(lanes.YOUNG):
        subject.start(f"slow {number}", str(number), 0)

    assert subject.free(lanes.SLOW - 0.01) == 0
    assert lanes.YOUNG == subject.free(lanes.SLOW)


def test_the_number_of_sockets_has_a_limit_however_slow_the_shops_are() -> None:
    subject = Lanes()
    for number in range(lanes.TOTAL):
        subject.start(f"slow {number}", str(number), 0)

    assert subject.free(1000) == 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.1, lanes.MOST, id="quick"),
        pytest.param(lanes.SLOW, lanes.FEW, id="slow"),
    ],
)
def test_an_endpoint_earns_room_by_quick_successes(seconds: float, expected: int) -> None:
    subject = Lanes()
    subject.start("a", "stays", 0)
    for number in range(lanes.MOST):
        subject.start("a", str(number), number)
        subject.finish("a", str(number), number + seconds, ok=True)

    assert expected - 1 == subject.room("a", 100)


def test_a_failure_takes_the_earned_room_away() -> None:
    subject = Lanes()
    subject.start("a", "stays", 0)
    for number in range(lanes.MOST):
        subject.start("a", str(number), number)
        subject.finish("a", str(number), number, ok=True)
    _fail(subject, "a", 1, now=60)

    assert lanes.FEW - 1 == subject.room("a", 100)
