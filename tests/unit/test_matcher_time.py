"""When money counts and when it does not: deadlines, what is proven, the merchant's word, what went away."""

from __future__ import annotations

import pytest

from invoice_facts import (
    ACCEPTS_LATE,
    BASE,
    BOTH,
    DEADLINE,
    DROPPED,
    LATE,
    MICROSECOND,
    MONITORED,
    PAST,
    REORGANISED,
    REPLACED,
    Facts,
    accept,
    block,
    cancel,
    deposit,
    extend,
    facts,
    gone,
    invoice,
    option,
    two,
    view,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # time
        pytest.param(
            facts(deposit(arrived=DEADLINE), seen=PAST), "paid", id="arrived at the deadline exactly"
        ),
        pytest.param(
            facts(deposit(arrived=DEADLINE + MICROSECOND), seen=PAST),
            "expired late",
            id="late by one microsecond",
        ),
        pytest.param(
            facts(deposit(height=BASE + 999, arrived=DEADLINE - 1), seen=view(BASE + 1000, DEADLINE * 2)),
            "paid",
            id="seen a second before the deadline, mined hours after (hazard 105)",
        ),
        pytest.param(
            facts(deposit(height=None, arrived=DEADLINE - 1), seen=view(as_of=MONITORED)),
            "confirming",
            id="in time but never mined: still not expired",
        ),
        pytest.param(facts(deposit(99), seen=PAST), "underpaid", id="past the deadline, one unit short"),
        pytest.param(
            facts(deposit(99), deposit(1, arrived=LATE, name="q"), seen=PAST),
            "underpaid late",
            id="the last unit came late and is held",
        ),
        pytest.param(
            facts(deposit(arrived=LATE)), "pending late", id="late by the clock, deadline not proven"
        ),
        pytest.param(
            facts(deposit(arrived=LATE), of=ACCEPTS_LATE, seen=PAST), "paid late", id="late and accepted"
        ),
        pytest.param(
            facts(deposit(99), deposit(1, arrived=LATE, name="q"), of=ACCEPTS_LATE, seen=PAST),
            "paid late",
            id="the last unit came late and counts",
        ),
        pytest.param(
            facts(deposit(99, arrived=LATE), of=ACCEPTS_LATE, seen=PAST),
            "underpaid late",
            id="late and too little",
        ),
        pytest.param(
            facts(deposit(height=None, arrived=LATE), of=ACCEPTS_LATE, seen=PAST),
            "confirming late",
            id="late, accepted, not confirmed",
        ),
        pytest.param(
            facts(deposit(arrived=MONITORED), of=ACCEPTS_LATE, seen=PAST),
            "paid late",
            id="at the end of monitoring",
        ),
        pytest.param(
            facts(deposit(arrived=MONITORED + MICROSECOND), of=ACCEPTS_LATE, seen=PAST),
            "expired late",
            id="a microsecond after monitoring",
        ),
        pytest.param(
            facts(deposit(), deposit(5, arrived=LATE, name="q"), seen=PAST),
            "paid overpaid",
            id="money after paid",
        ),
        pytest.param(
            facts(deposit(), deposit(5, arrived=MONITORED + 1, name="q"), seen=PAST),
            "paid late",
            id="money to a long closed invoice is late, not too much",
        ),
        pytest.param(
            facts(deposit(height=None), deposit(100, arrived=LATE, name="q"), seen=PAST),
            "confirming overpaid",
            id="confirmed money that came late does not stand in for unconfirmed money in time",
        ),
        pytest.param(
            facts(deposit(height=None), deposit(100, arrived=LATE, name="q"), of=ACCEPTS_LATE, seen=PAST),
            "paid overpaid",
            id="but does where late money is accepted",
        ),
        # expiry by what is proven, never by the clock
        pytest.param(
            facts(seen=view(as_of=DEADLINE - MICROSECOND)), "pending", id="proven to a microsecond before"
        ),
        pytest.param(facts(seen=PAST), "expired", id="proven to the deadline exactly"),
        pytest.param(facts(seen=()), "pending", id="nothing proven"),
        pytest.param(facts(of=two(), seen=PAST), "pending", id="one of two chains proven"),
        pytest.param(
            facts(of=two(), seen=(PAST, view(as_of=DEADLINE - 1, chain="two"))),
            "pending",
            id="one chain behind",
        ),
        pytest.param(
            facts(of=two(), seen=(PAST, view(as_of=DEADLINE, chain="two"))),
            "expired",
            id="both chains proven",
        ),
        pytest.param(
            facts(deposit(1, block=block(BASE + 1, DEADLINE + 7200)), seen=PAST),
            "underpaid",
            id="a block's own time does not make a payment late once it was seen (hazard 108)",
        ),
        # what the merchant decided
        pytest.param(facts(resolutions=[accept(20)]), "paid accepted", id="accepted without payment"),
        pytest.param(
            facts(deposit(99), resolutions=[accept(LATE)], seen=PAST),
            "paid accepted",
            id="underpaid and accepted",
        ),
        pytest.param(
            facts(deposit(99, arrived=LATE), resolutions=[accept(LATE)], seen=PAST),
            "paid late accepted",
            id="late money that came until the acceptance counts",
        ),
        pytest.param(
            facts(deposit(arrived=MONITORED + 5), resolutions=[accept(MONITORED + 5)], seen=PAST),
            "paid late accepted",
            id="money after monitoring, accepted",
        ),
        pytest.param(
            facts(
                deposit(50),
                deposit(100, arrived=LATE, name="q"),
                resolutions=[accept(DEADLINE + 1)],
                seen=PAST,
            ),
            "paid overpaid accepted",
            id="money after the acceptance is too much",
        ),
        pytest.param(
            facts(resolutions=[extend(50, DEADLINE + 60)], seen=PAST),
            "pending",
            id="extended: not expired yet",
        ),
        pytest.param(
            facts(resolutions=[extend(50, DEADLINE + 60)], seen=view(as_of=DEADLINE + 60)),
            "expired",
            id="the new deadline passed",
        ),
        pytest.param(
            facts(deposit(arrived=DEADLINE + 60), resolutions=[extend(LATE, DEADLINE + 60)], seen=PAST),
            "paid",
            id="what came before the new deadline is in time",
        ),
        pytest.param(
            facts(
                deposit(arrived=DEADLINE + 60 + MICROSECOND),
                resolutions=[extend(1, DEADLINE + 60)],
                seen=PAST,
            ),
            "pending late",
            id="a microsecond after the new deadline is late",
        ),
        pytest.param(
            facts(
                deposit(arrived=MONITORED + 60),
                of=ACCEPTS_LATE,
                resolutions=[extend(1, DEADLINE + 60)],
                seen=PAST,
            ),
            "paid late",
            id="an extension moves the end of monitoring along",
        ),
        pytest.param(
            facts(
                resolutions=[extend(1, DEADLINE + 90), extend(2, DEADLINE + 60)],
                seen=view(as_of=DEADLINE + 60),
            ),
            "pending",
            id="of two extensions the longest holds",
        ),
        pytest.param(facts(resolutions=[cancel(20)]), "cancelled", id="cancelled"),
        pytest.param(
            facts(deposit(arrived=25), resolutions=[cancel(20)]),
            "cancelled late",
            id="money to a cancelled invoice",
        ),
        pytest.param(
            facts(deposit(arrived=25), resolutions=[cancel(20), accept(30)]),
            "paid accepted",
            id="money to a cancelled invoice, accepted",
        ),
        # what does not count
        pytest.param(facts(deposit(asset="TOKEN")), "pending wrong_asset", id="another asset"),
        pytest.param(
            facts(deposit(asset="TOKEN"), seen=PAST),
            "expired wrong_asset",
            id="another asset until the deadline",
        ),
        pytest.param(
            facts(deposit(address="address 1"), of=two(), seen=BOTH),
            "pending wrong_asset",
            id="the right asset at another option's address",
        ),
        pytest.param(
            facts(deposit(9), of=invoice(option(dust=10))), "pending", id="one unit below the dust floor"
        ),
        pytest.param(facts(deposit(10), of=invoice(option(dust=10))), "partial", id="at the dust floor"),
        pytest.param(
            facts(deposit(block=block(BASE + 1, -1)), of=invoice(option(from_height=BASE))),
            "paid",
            id="own address: one block later, whatever its clock says",
        ),
        pytest.param(
            facts(deposit(block=block(BASE - 1, 15)), of=invoice(option(from_height=BASE))),
            "paid",
            id="own address: at a lower height after a reorganisation, but later",
        ),
        pytest.param(
            facts(deposit(arrived=-MICROSECOND), of=invoice(option(from_height=BASE))),
            "pending",
            id="own address: seen a microsecond before the invoice was made",
        ),
        pytest.param(facts(deposit(arrived=0)), "paid", id="seen at the moment of creation"),
        pytest.param(
            facts(
                deposit(asset="TOKEN", arrived=-MICROSECOND),
                of=invoice(option(from_height=BASE)),
            ),
            "pending",
            id="own address: another asset before the invoice is none of its business",
        ),
        # gone again
        *(
            pytest.param(facts(gone(standing)), "pending", id=f"{standing.value} before the deadline")
            for standing in (DROPPED, REPLACED, REORGANISED)
        ),
        *(
            pytest.param(
                facts(gone(standing), seen=PAST), "expired", id=f"{standing.value} past the deadline"
            )
            for standing in (DROPPED, REPLACED, REORGANISED)
        ),
        pytest.param(
            facts(gone(REPLACED), deposit(40, None, name="q")),
            "partial",
            id="replaced by one that pays less (hazard 19)",
        ),
        pytest.param(
            facts(gone(REPLACED), deposit(100, None, name="q")),
            "confirming",
            id="a fee bump counts once (hazard 18)",
        ),
        pytest.param(
            facts(deposit(), of=invoice(reverted=True)), "paid reverted", id="reverted once stays told"
        ),
    ],
)
def test_status_follows_from_times_and_decisions(given: Facts, expected: str) -> None:
    decision = given.decide()

    assert expected == " ".join([decision.status, *decision.exceptions])
