"""What a comparison of endpoints finds: who lags, who is on another fork, and when nobody can say."""

from __future__ import annotations

import pytest

from chains.rpc import Use, Verdict
from chains.rpc_verdicts import DISAGREES, HOLD, LAGGING, Sight, held, judge, mark, vouched

NOW = 1000.0
SAME, FORK = "aa", "bb"


def sight(
    name: str, head: int, *, fork: str = SAME, marks: tuple[int, ...] = (), **more: int | None
) -> Sight:
    """An endpoint that has stood still for long, unless `earlier` says otherwise."""
    wanted = {mark(head), *marks}
    earlier = more.get("earlier", head)
    return Sight(f"http://{name}", head, {at: fork for at in wanted if at <= mark(head)}, earlier)


def found(*sights: Sight) -> list[tuple[str, str] | None]:
    return [None if each is None else (each.state, each.use.name) for each in judge(sights, NOW)]


SAID = [
    pytest.param([sight("a", 100), sight("b", 100)], [None, None], id="level"),
    pytest.param([sight("a", 98, marks=(94,)), sight("b", 100, marks=(92,))], [None, None], id="two-behind"),
    pytest.param(
        [sight("a", 97), sight("b", 100, marks=(91,))], [(LAGGING, "LAST"), None], id="h42-three-behind"
    ),
    pytest.param(
        [sight("a", 97), sight("b", 100, marks=(91,), earlier=99)], [None, None], id="behind-since-just-now"
    ),
    pytest.param(
        [sight("a", 97), sight("b", 100, marks=(91,), earlier=None)], [None, None], id="not-known-how-long"
    ),
    pytest.param(
        [sight("a", 100), sight("b", 100, fork=FORK)],
        [(DISAGREES, "FREELY"), (DISAGREES, "FREELY")],
        id="h14-two-on-two-forks",
    ),
    pytest.param(
        [sight("a", 100), sight("b", 100), sight("c", 100, fork=FORK)],
        [None, None, (DISAGREES, "NEVER")],
        id="h14-one-of-three",
    ),
    pytest.param(
        [sight("a", 100), sight("b", 100), sight("c", 130, fork=FORK, marks=(94,))],
        [None, None, (DISAGREES, "NEVER")],
        id="h14-the-longer-fork-of-one-does-not-make-the-others-lag",
    ),
    pytest.param(
        [sight("a", 100), sight("b", 101, marks=(94,)), sight("c", 101, fork=FORK, marks=(94,))],
        [None, None, (DISAGREES, "NEVER")],
        id="h14-a-refuted-one-has-no-vote-higher-up",
    ),
    pytest.param(
        [
            Sight("http://a", 1000, {44: SAME, 994: SAME}, 1000),
            Sight("http://b", 1000, {44: SAME, 994: FORK}, 1000),
            Sight("http://c", 50, {44: SAME}, 50),
        ],
        [(DISAGREES, "FREELY"), (DISAGREES, "FREELY"), None],
        id="h14-one-that-is-far-behind-cannot-decide",
    ),
    pytest.param(
        [sight("a", 100), sight("b", 100), sight("c", 100, fork=FORK), sight("d", 100, fork=FORK)],
        [(DISAGREES, "FREELY")] * 4,
        id="h14-two-against-two",
    ),
    pytest.param(
        [sight("a", 90), sight("b", 130, fork=FORK, marks=(84,))],
        [(DISAGREES, "FREELY"), (DISAGREES, "FREELY")],
        id="h14-none-lags-behind-another-fork",
    ),
    pytest.param(
        [Sight("http://a", 100, {}, 100), sight("b", 200, marks=(94,))], [None, None], id="a-hash-not-told"
    ),
    pytest.param([sight("a", 3), sight("b", 3)], [None, None], id="a-young-chain"),
]


@pytest.mark.parametrize(("sights", "expected"), SAID)
def test_endpoints_are_judged(sights: list[Sight], expected: list[tuple[str, str] | None]) -> None:
    assert expected == found(*sights)


def test_a_lag_says_where_it_is_and_behind_whom() -> None:
    verdict = judge([sight("a", 90), sight("b", 102, marks=(84,))], NOW)[0]

    assert Verdict(LAGGING, "http://a: at block 90, 12 behind http://b", Use.LAST, NOW) == verdict


def test_a_disagreement_says_both_hashes_and_whose_they_are() -> None:
    verdict = judge([sight("a", 100), sight("b", 100), sight("c", 100, fork=FORK)], NOW)[2]

    told = "http://c: block 94 is bb here, aa at http://a and http://b"
    assert Verdict(DISAGREES, told, Use.NEVER, NOW) == verdict


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        pytest.param(None, False, id="none"),
        pytest.param(Verdict(DISAGREES, "", Use.NEVER, NOW), True, id="fresh"),
        pytest.param(Verdict(DISAGREES, "", Use.NEVER, NOW - HOLD), False, id="old"),
        pytest.param(Verdict(DISAGREES, "", Use.FREELY, NOW), False, id="never-was-refused"),
        pytest.param(Verdict(LAGGING, "", Use.LAST, NOW), False, id="a-lag"),
    ],
)
def test_a_majoritys_word_outlasts_it_for_a_while(old: Verdict | None, *, expected: bool) -> None:
    assert expected is held(old, NOW)


def test_another_endpoint_vouches_by_showing_the_same_block() -> None:
    a, b, c = sight("a", 100), sight("b", 100), sight("c", 100, fork=FORK)

    assert [True, False] == [vouched(a, [a, b, c]), vouched(c, [a, b, c])]
