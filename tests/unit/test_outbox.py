from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from outbox_db import NOW, OutboxDb, event
from watcher import claims, outbox, results
from watcher.deliveries import redeliver
from watcher.errors import Refused
from watcher.model import EventType
from watcher.results import Result
from watcher.retry import DELAYS
from watcher.tables import DELIVERY, ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from watcher.claims import Claim

SHOP = "https://shop.example/hooks"


async def _claim(db: OutboxDb, at: datetime = NOW, limit: int = 100, room: int = 100) -> Sequence[Claim]:
    async with db.store.write() as conn:
        waiting = await claims.lanes(conn, at)
        return await claims.claim(conn, {lane.endpoint_id: room for lane in waiting if lane.due}, limit, at)


async def _record(db: OutboxDb, done: Sequence[Claim], at: datetime, **values: Any) -> bool:
    many = [Result(claim=one, at=at, duration=timedelta(milliseconds=7), **values) for one in done]
    async with db.store.write() as conn:
        return await results.record(conn, many, at, lambda: 0.5)


def _sent(some: Sequence[Claim]) -> list[int]:
    return [one.event_seq for one in some]


async def test_events_get_growing_numbers_in_the_order_given(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    many = [event("inv_1", n) for n in range(1, 1202)]
    seqs = await db.publish(*many)

    assert list(range(1, 1202)) == seqs
    assert [one.id for one in many] == [row.id for row in await db.events()]


async def test_the_bytes_are_kept_as_they_were_at_the_commit(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    told = event()
    await db.publish(told)
    (claim,) = await _claim(db)

    assert (told.id, told.body) == (claim.event_id, claim.body)


async def test_h111_an_event_that_is_rolled_back_was_never_told(db: OutboxDb) -> None:
    await db.endpoint(SHOP)

    async def fail() -> None:
        async with db.store.write() as conn:
            await outbox.publish(conn, [event()], NOW)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()
    assert ([], []) == (list(await db.events()), list(await db.deliveries()))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        pytest.param(["*"], {"invoice.paid", "payment.detected", "chain.stalled"}, id="all"),
        pytest.param(["invoice.paid"], {"invoice.paid"}, id="one"),
        pytest.param(["invoice.*"], {"invoice.paid"}, id="a family"),
        pytest.param(["payment.*", "chain.stalled"], {"payment.detected", "chain.stalled"}, id="two"),
        pytest.param(["deposit.*"], set(), id="none of these"),
    ],
)
async def test_an_endpoint_is_told_what_it_asked_for(db: OutboxDb, wanted: list[str], told: set[str]) -> None:
    await db.endpoint(SHOP, events=wanted)
    some = [event(kind=EventType(k)) for k in ("invoice.paid", "payment.detected", "chain.stalled")]
    await db.publish(*some)

    kinds = {one.id: one.type for one in some}
    assert told == {kinds[row.event_id] for row in await db.deliveries()}


@pytest.mark.parametrize(
    ("chains", "told"),
    [
        pytest.param([], {"two chains", "one chain", "a chain's own", "of no chain"}, id="no filter"),
        pytest.param(["btc"], {"two chains", "of no chain"}, id="btc"),
        pytest.param(["eth"], {"two chains", "one chain", "a chain's own", "of no chain"}, id="eth"),
        pytest.param(["ltc"], {"of no chain"}, id="ltc"),
    ],
)
async def test_an_endpoint_is_told_of_its_chains(db: OutboxDb, chains: list[str], told: set[str]) -> None:
    await db.invoice("inv_both", "btc", "eth")
    await db.invoice("inv_eth", "eth")
    await db.endpoint(SHOP, chains=chains)
    some = {
        "two chains": event("inv_both", 1),
        "one chain": event("inv_eth", 1),
        "a chain's own": event(kind=EventType.CHAIN_STALLED, chain="eth"),
        "of no chain": event(kind=EventType.WEBHOOK_DISABLED),
    }
    await db.publish(*some.values())

    names = {one.id: name for name, one in some.items()}
    assert told == {names[row.event_id] for row in await db.deliveries()}


async def test_an_invoices_own_endpoint_gets_the_events_of_that_invoice_alone(db: OutboxDb) -> None:
    await db.invoice("inv_1", "eth")
    await db.invoice("inv_2", "eth")
    own = await db.endpoint(SHOP, id=outbox.own_endpoint("inv_1"), managed="invoice", secrets="[]")
    await db.publish(event("inv_1", 1), event("inv_2", 1), event(kind=EventType.CHAIN_STALLED, chain="eth"))

    assert [(own, "inv_1")] == [(row.endpoint_id, row.subject) for row in await db.deliveries()]


async def test_an_invoices_own_endpoint_that_was_removed_gets_none(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    own = outbox.own_endpoint("inv_1")
    await db.endpoint(SHOP, id=own, managed="invoice", secrets="[]", state="removed")
    await db.publish(event("inv_1", 1))

    assert [] == await db.deliveries()


async def test_a_disabled_endpoints_events_wait_and_a_removed_one_gets_none(db: OutboxDb) -> None:
    disabled = await db.endpoint(SHOP, state="disabled")
    await db.endpoint(SHOP, state="removed")
    await db.publish(event())

    assert [disabled] == [row.endpoint_id for row in await db.deliveries()]
    assert await _claim(db) == []
    async with db.store.write() as conn:
        await conn.execute(update(ENDPOINT).values(state="active"))
    assert _sent(await _claim(db)) == [1]


async def test_h114_the_events_of_one_invoice_go_one_at_a_time_in_order(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    await db.endpoint(SHOP)
    await db.publish(*(event("inv_1", n) for n in (1, 2, 3)))
    sent = []
    for _ in range(3):
        (one,) = await _claim(db)
        assert await _claim(db) == []  # while it is under way, nothing else of its invoice goes
        sent.append(one.event_seq)
        await _record(db, [one], NOW, status=200)

    assert sent == [1, 2, 3]


async def test_events_of_different_invoices_and_of_none_do_not_wait_for_each_other(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    await db.invoice("inv_2")
    await db.endpoint(SHOP)
    stalled = EventType.CHAIN_STALLED
    await db.publish(
        event("inv_1", 1), event("inv_1", 2), event("inv_2", 1), event(kind=stalled), event(kind=stalled)
    )

    assert _sent(await _claim(db)) == [1, 3, 4, 5]


async def test_two_endpoints_do_not_wait_for_each_other(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    await db.endpoint(SHOP, id="whk_a")
    await db.endpoint(SHOP, id="whk_b")
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    taken = await _claim(db)
    await _record(db, [one for one in taken if one.endpoint_id == "whk_a"], NOW, status=200)

    assert [("whk_a", 2)] == [(one.endpoint_id, one.event_seq) for one in await _claim(db)]


async def test_a_failing_event_holds_its_successors_for_its_first_three_attempts_only(db: OutboxDb) -> None:
    await db.invoice("inv_1")
    await db.endpoint(SHOP)
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    at, sent = NOW, []
    for wait in (0, 5, 30):
        at += timedelta(seconds=wait)
        assert await _claim(db, at - timedelta(microseconds=1)) == []
        taken = await _claim(db, at)
        sent.append(_sent(taken))
        await _record(db, taken, at, status=500, error="500")

    assert sent == [[1], [1], [1]]
    assert _sent(await _claim(db, at)) == [2]


async def test_a_successor_that_went_ahead_and_the_failing_event_are_not_under_way_together(
    db: OutboxDb,
) -> None:
    await db.invoice("inv_1")
    await db.endpoint(SHOP)
    await db.publish(event("inv_1", 1), event("inv_1", 2))
    async with db.store.write() as conn:
        await conn.execute(update(DELIVERY).where(DELIVERY.c.event_seq == 1).values(attempts=3))

    assert _sent(await _claim(db)) == [1]
    assert await _claim(db) == []


async def test_each_failure_sets_the_next_attempt_until_the_delivery_is_dead(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    at = NOW
    for wait in (*DELAYS, None):
        taken = await _claim(db, at)
        await _record(db, taken, at, status=503, error="the receiver answered 503", answer=b"busy")
        (row,) = await db.deliveries()
        expected = ("pending", at + wait) if wait else ("dead", None)
        assert expected == (row.state, row.next_at)
        at = row.next_at

    tries = await db.attempts()
    assert list(range(1, 12)) == [row.number for row in tries]
    assert {(503, "the receiver answered 503", b"busy", 7)} == {
        (row.status, row.error, row.answer, row.duration_ms) for row in tries
    }


async def test_h115_a_result_that_comes_after_its_lease_was_taken_over_does_not_count(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    slow = await _claim(db)
    later = NOW + claims.LEASE
    assert await _claim(db, later - timedelta(microseconds=1)) == []
    taken_over = await _claim(db, later)
    await _record(db, slow, later, status=500, error="500")
    (row,) = await db.deliveries()
    assert (0, taken_over[0].token) == (row.attempts, row.claim)
    await _record(db, taken_over, later, status=200)
    await _record(db, slow, later, status=500, error="500")

    (row,) = await db.deliveries()
    assert ("delivered", 1, None, later) == (row.state, row.attempts, row.claim, row.delivered_at)


async def test_h112_a_claim_of_a_process_that_died_is_taken_again_under_the_same_id(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    (lost,) = await _claim(db)
    async with db.store.write() as conn:
        await claims.release_all(conn)
    (again,) = await _claim(db)

    assert (lost.event_id, lost.body) == (again.event_id, again.body)
    assert lost.token != again.token


async def test_h113_an_event_is_found_whatever_was_delivered_after_it(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event(), event())
    first, second = await _claim(db)
    await _record(db, [second], NOW, status=200)
    await _record(db, [first], NOW, status=500, error="500")

    assert _sent(await _claim(db, NOW + timedelta(seconds=5))) == [1]


async def test_a_claim_keeps_to_the_room_of_each_endpoint_and_takes_turns(db: OutboxDb) -> None:
    for name in ("whk_a", "whk_b", "whk_c"):
        await db.endpoint(SHOP, id=name)
    await db.publish(*(event() for _ in range(10)))
    async with db.store.write() as conn:
        taken = await claims.claim(conn, {"whk_c": 1, "whk_a": 10, "whk_b": 10}, 6, NOW)

    names = [one.endpoint_id for one in taken]
    counts = {name: names.count(name) for name in ("whk_a", "whk_b", "whk_c")}
    assert counts == {"whk_a": 3, "whk_b": 2, "whk_c": 1}


async def test_the_lanes_tell_what_is_due_and_when_more_will_be(db: OutboxDb) -> None:
    for name in ("whk_a", "whk_b", "whk_c", "whk_off"):
        await db.endpoint(SHOP, id=name, state="disabled" if name == "whk_off" else "active")
    await db.publish(event())
    async with db.store.write() as conn:
        taken = {one.endpoint_id: one for one in await claims.claim(conn, {"whk_a": 1, "whk_b": 1}, 9, NOW)}
    await _record(db, [taken["whk_a"]], NOW, status=200)
    await _record(db, [taken["whk_b"]], NOW, status=500, error="500")
    async with db.store.read() as conn:
        waiting = await claims.lanes(conn, NOW)

    retry = NOW + timedelta(seconds=5)
    assert [claims.Lane("whk_b", SHOP, None, retry), claims.Lane("whk_c", SHOP, NOW, None)] == waiting


async def test_410_disables_the_endpoint_and_tells_the_others(db: OutboxDb) -> None:
    gone = await db.endpoint(SHOP, id="whk_gone", events=["invoice.*"])
    other = await db.endpoint(SHOP, id="whk_other")
    await db.publish(event())
    taken = [one for one in await _claim(db) if one.endpoint_id == gone]
    told = await _record(db, taken, NOW, status=410, error="the receiver answered 410")

    rows = await db.endpoints()
    assert (True, "disabled", "active") == (told, rows[gone].state, rows[other].state)
    assert "410" in rows[gone].disabled_reason
    news = (await db.events())[-1]
    assert (news.type, gone in news.body.decode()) == ("webhook.disabled", True)
    assert [other] == [row.endpoint_id for row in await db.deliveries() if row.event_id == news.id]
    assert [("pending", gone)] == [
        (row.state, row.endpoint_id) for row in await db.deliveries() if row.endpoint_id == gone
    ]


@pytest.mark.parametrize(
    ("days", "state"),
    [
        pytest.param(timedelta(days=5) - timedelta(microseconds=1), "active", id="a moment less"),
        pytest.param(timedelta(days=5), "disabled", id="five days"),
    ],
)
async def test_an_endpoint_is_disabled_when_every_attempt_of_five_days_failed(
    db: OutboxDb, days: timedelta, state: str
) -> None:
    shop = await db.endpoint(SHOP)
    await db.publish(event())
    await _record(db, await _claim(db), NOW, error="down")
    assert NOW == (await db.endpoints())[shop].failing_since
    await db.publish(event(), at=NOW + days)
    await _record(db, (await _claim(db, NOW + days))[-1:], NOW + days, error="down")

    assert state == (await db.endpoints())[shop].state


async def test_one_success_starts_the_five_days_anew(db: OutboxDb) -> None:
    shop = await db.endpoint(SHOP)
    await db.publish(event(), event())
    first, second = await _claim(db)
    await _record(db, [first], NOW, error="down")
    await _record(db, [second], NOW, status=204)
    late = NOW + timedelta(days=6)
    await _record(db, await _claim(db, late), late, error="down")

    row = (await db.endpoints())[shop]
    assert ("active", late) == (row.state, row.failing_since)


async def test_a_failure_and_a_success_written_down_together_count_as_a_success(db: OutboxDb) -> None:
    shop = await db.endpoint(SHOP)
    await db.publish(event(), event())
    good, bad = await _claim(db)
    two = [
        Result(claim=bad, at=NOW, duration=timedelta(0), error="down"),
        Result(claim=good, at=NOW, duration=timedelta(0), status=200),
    ]
    async with db.store.write() as conn:
        await results.record(conn, two, NOW, lambda: 0.5)

    assert (await db.endpoints())[shop].failing_since is None


async def test_a_redelivery_repeats_id_and_bytes_with_a_fresh_schedule(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    (first,) = await _claim(db)
    await _record(db, [first], NOW, status=200)
    later = NOW + timedelta(days=1)
    async with db.store.write() as conn:
        await redeliver(conn, first.delivery_id, later)
    assert [("pending", None)] == [(row.state, row.delivered_at) for row in await db.deliveries()]
    (again,) = await _claim(db, later)
    await _record(db, [again], later, error="down")

    assert (first.event_id, first.body) == (again.event_id, again.body)
    (row,) = await db.deliveries()
    assert ("pending", later + timedelta(seconds=5)) == (row.state, row.next_at)
    assert [row.number for row in await db.attempts()] == [1, 2]


async def test_a_redelivery_of_what_is_under_way_changes_nothing(db: OutboxDb) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    (claim,) = await _claim(db)
    async with db.store.write() as conn:
        await redeliver(conn, claim.delivery_id, NOW)
    assert await _claim(db) == []
    await _record(db, [claim], NOW, status=200)

    assert [row.state for row in await db.deliveries()] == ["delivered"]


@pytest.mark.parametrize(
    ("delivery", "state", "code", "status"),
    [
        pytest.param("dlv_none", "active", "not_found", 404, id="unknown"),
        pytest.param(None, "disabled", "webhook_disabled", 409, id="disabled endpoint"),
        pytest.param(None, "removed", "webhook_disabled", 409, id="removed endpoint"),
    ],
)
async def test_a_redelivery_is_refused_where_nothing_could_be_sent(
    db: OutboxDb, delivery: str | None, state: str, code: str, status: int
) -> None:
    await db.endpoint(SHOP)
    await db.publish(event())
    async with db.store.write() as conn:
        await conn.execute(update(ENDPOINT).values(state=state))
    (row,) = await db.deliveries()
    with pytest.raises(Refused) as refused:
        async with db.store.write() as conn:
            await redeliver(conn, delivery or row.id, NOW)

    assert (code, status) == (refused.value.code, refused.value.status)


async def test_a_backlog_of_a_failing_endpoint_is_not_searched_again_and_again(db: OutboxDb) -> None:
    """What a failing event holds back is due no sooner than the event itself."""
    await db.invoice("inv_1")
    await db.endpoint(SHOP)
    await db.publish(*(event("inv_1", n) for n in range(1, 5)))
    await _record(db, await _claim(db), NOW, error="down")

    assert {NOW + timedelta(seconds=5)} == {row.next_at for row in await db.deliveries()}
