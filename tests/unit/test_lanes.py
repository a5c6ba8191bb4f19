from __future__ import annotations

import math

import pytest

from watcher import lanes
from watcher.lanes import Lanes, receiver


def _fail(subject: Lanes, name: str, times: int, now: float) -> None:
    for number in range(times):
        subject.start(name, f"{name} {number}", now)
        subject.finish(name, f"{name} {number}", now, ok=False)


def _succeed(subject: Lanes, name: str, times: int, now: float, took: float = 0.1) -> None:
    for number in range(times):
        subject.start(name, f"{name} {number}", now - took)
        subject.finish(name, f"{name} {number}", now, ok=True)


def _send(subject: Lanes, name: str, times: int, now: float) -> None:
    for number in range(times):
        subject.start(name, f"{name} under way {number}", now)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/hooks?x=1", "shop.example:443"),
        ("http://shop.example/other", "shop.example:80"),
        ("http://SHOP.example:8080", "shop.example:8080"),
        ("http://[::1]:9/", "::1:9"),
        ("http://[::1/", "http://[::1/"),
        ("http://shop.example:99999/", "http://shop.example:99999/"),
    ],
)
def test_the_invoices_own_urls_share_the_room_of_a_host_and_port(url: str, expected: str) -> None:
    assert expected == receiver("whi_inv_1", url, own=True)


def test_every_other_endpoint_has_room_and_breaker_of_its_own() -> None:
    url = "https://shop.example/hooks"

    assert ("whk_1", "whk_2") == (receiver("whk_1", url, own=False), receiver("whk_2", url, own=False))


def test_a_receiver_has_a_cap_of_its_own() -> None:
    subject = Lanes()
    _send(subject, "a", lanes.FIRST, now=0)

    assert (0, lanes.FIRST) == (subject.room("a", 0), subject.room("b", 0))


def test_h136_a_receiver_that_keeps_failing_gets_one_probe_at_a_time() -> None:
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

    assert lanes.FEW == subject.room("a", 12)


def test_one_failure_fewer_than_the_limit_leaves_the_breaker_closed() -> None:
    subject = Lanes()
    _fail(subject, "a", lanes.BREAKS_AFTER - 1, now=10)

    assert lanes.FIRST == subject.room("a", 10)


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
    ("took", "expected"),
    [
        pytest.param(0.1, lanes.MOST, id="quick"),
        pytest.param(lanes.SLOW, lanes.FEW, id="slow"),
    ],
)
def test_a_receiver_earns_room_by_quick_successes(took: float, expected: int) -> None:
    subject = Lanes()
    _succeed(subject, "a", lanes.MOST, now=60, took=took)

    assert expected == subject.room("a", 60)


def test_a_failure_takes_the_earned_room_away() -> None:
    subject = Lanes()
    _succeed(subject, "a", lanes.MOST, now=60)
    _fail(subject, "a", 1, now=60)

    assert lanes.FIRST == subject.room("a", 60)


def test_what_was_earned_before_a_pause_is_earned_again() -> None:
    """A shop that was quick an hour ago may hang by now."""
    subject = Lanes()
    _succeed(subject, "a", lanes.MOST, now=60)
    assert lanes.FIRST == subject.room("a", 60 + lanes.PAUSE + 0.1)
    _send(subject, "a", 1, now=70)
    subject.finish("a", "a under way 0", 70.1, ok=True)

    assert lanes.FIRST + 2 == subject.room("a", 70.1)


def test_one_send_that_hangs_takes_the_earned_room_away() -> None:
    subject = Lanes()
    _succeed(subject, "a", lanes.MOST, now=60)
    subject.start("a", "hangs", 60)

    assert lanes.MOST - 1 == subject.room("a", 60.9)
    assert lanes.FEW - 1 == subject.room("a", 60 + lanes.SLOW)


def test_h136_one_receivers_room_is_shared_by_all_its_endpoints() -> None:
    subject = Lanes()
    due = {"hole": [f"whi_{n}" for n in range(700)], "shop": ["whk_good"]}

    assert {"whi_0": 1, "whk_good": lanes.FIRST, "whi_1": 1} == subject.share(due, 0)
    _send(subject, "hole", lanes.FIRST, now=0)
    assert {"whk_good": lanes.FIRST} == subject.share(due, 0)


def test_the_room_that_is_left_over_goes_to_the_first_endpoints() -> None:
    subject = Lanes()
    _succeed(subject, "a", 1, now=0, took=lanes.SLOW)

    assert {"x": 4, "y": 3, "z": 3} == subject.share({"a": ["x", "y", "z"]}, 0)


def test_h136_every_receiver_has_its_turn_whatever_their_number() -> None:
    subject = Lanes()
    due = {f"{n:04}": [f"whk_{n:04}"] for n in range(lanes.YOUNG * 2 + 10)}
    offered: set[str] = set()
    for _ in range(3):
        one_turn = subject.share(due, 0)
        assert lanes.FIRST <= len(one_turn) <= lanes.YOUNG
        offered |= one_turn.keys()

    assert {endpoint for (endpoint,) in due.values()} >= offered
    assert len(offered) >= lanes.DOUBTFUL


def test_h136_however_many_receivers_hang_those_that_are_well_have_sockets_left() -> None:
    subject = Lanes()
    _succeed(subject, "shop", 1, now=0)
    holes = {f"hole {n}": [f"whk_{n}"] for n in range(1000)}
    for second in range(10):
        for endpoint, room in subject.share(holes, second).items():
            _send(subject, endpoint.replace("whk_", "hole "), room, now=second)

    assert lanes.TOTAL - lanes.DOUBTFUL == subject.free(10)
    assert {"whk_good": lanes.FIRST} == subject.share(holes | {"shop": ["whk_good"]}, 10)


def test_what_is_remembered_of_receivers_has_a_limit() -> None:
    subject = Lanes()
    for number in range(lanes.KEPT + 50):
        _succeed(subject, str(number), 1, now=0)

    assert lanes.KEPT == len(subject._lanes)
