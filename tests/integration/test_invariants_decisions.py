"""DESIGN's invariants 6 to 10, each by its number: decisions, deadlines, events, addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from watcher import decisions, decisions_saved
from watcher.errors import Refused
from watcher.tables import ADDRESS, EVENT, KEY_INDEX
from world import COIN

if TYPE_CHECKING:
    from datetime import datetime

    from world import Made, World

LARGEST = 2**256 - 1


async def running(world: World) -> Made:
    """Return an invoice on a chain of a few blocks."""
    world.add()
    await world.mine(3)
    return await world.invoice()


async def test_invariant_6_status_is_decided_from_the_facts_again_each_time(world: World) -> None:
    """After any history the kept decision is what the facts alone give, in one go."""
    invoice = await running(world)
    chain = world.chains["fake"]
    first = chain.pay(invoice.address, COIN // 2)
    await world.mine(1)
    chain.pay(invoice.address, COIN)
    await world.scan()
    chain.reorg(1, keep={first: 1})
    await world.mine(3)
    kept = await invoice.record()

    async with world.store.read() as conn:
        deposits = await decisions.facts.deposits_of(conn, [invoice.id])
        views = await decisions.facts.views(conn)
    again = decisions.decide(kept.invoice, deposits[invoice.id], (), views)

    assert kept.decision.status is again.status
    assert [(p.deposit, p.status) for p in kept.decision.payments] == [
        (p.deposit, p.status) for p in again.payments
    ]
    assert kept.decision.options == again.options


async def test_invariant_7_nothing_expires_by_wall_clock(world: World) -> None:
    """More in test_ledger_deadlines.py."""
    invoice = await running(world)
    world.adapters["fake"].faults.fail("tip", times=None)
    world.clock.advance(86400)
    await world.scan()
    async with world.store.write() as conn:
        await decisions.settle(conn, [invoice.id], world.clock(), world.links)

    assert "pending" == await invoice.status()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(3600, "paid", id="at the deadline"),
        pytest.param(3600.000001, "expired late", id="after it"),
    ],
)
async def test_invariant_8_a_payment_is_on_time_if_seen_by_the_deadline(
    world: World, seconds: float, expected: str
) -> None:
    invoice = await running(world)
    world.clock.advance(seconds)
    world.chains["fake"].pay(invoice.address, COIN)
    await world.scan()
    await world.mine(3, apart=900)

    assert expected == await invoice.status()


async def test_invariant_8_a_payment_is_on_time_if_mined_by_the_deadline(world: World) -> None:
    invoice = await running(world)
    chain = world.chains["fake"]
    world.clock.advance(3600)
    chain.pay(invoice.address, COIN)
    chain.mine()
    world.clock.advance(7200)
    await world.mine(2)

    assert "paid" == await invoice.status()


async def test_invariant_9_events_are_frozen_and_their_sequences_have_no_gap(world: World) -> None:
    """Hazard 104: every event has the next sequence, in its row and twice in its bytes."""
    invoice = await running(world)
    chain = world.chains["fake"]
    txid = chain.pay(invoice.address, COIN)
    await world.mine(2)
    rows = await world.rows(EVENT)
    chain.reorg(2, keep={txid: 2})
    await world.mine(2)
    chain.pay(invoice.address, COIN)
    await world.mine(2)

    after = await world.rows(EVENT)
    assert rows == after[: len(rows)], "what was told is never changed"
    assert list(range(1, len(after) + 1)) == [row.sequence for row in after]
    for row in after:
        body = json.loads(row.body)
        assert row.sequence == body["data"]["sequence"] == body["data"]["invoice"]["sequence"]
        assert row.type == body["type"]
    assert len(after) == (await invoice.record()).invoice.sequence
    assert len(after) == len({row.id for row in after})


async def test_invariant_9_a_decision_and_its_events_commit_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 111: no status without its event, when the process dies between the two."""
    invoice = await running(world)
    world.chains["fake"].pay(invoice.address, COIN)
    saved = decisions_saved.outbox.publish

    async def dies(conn: object, events: object, now: datetime) -> list[int]:
        await saved(conn, events, now)  # type: ignore[arg-type]
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(decisions_saved.outbox, "publish", dies)
        with pytest.raises(RuntimeError, match="killed"):
            await world.scan()

    assert "pending" == await invoice.status()
    assert [] == await invoice.told()


async def test_invariant_10_a_reorganisation_after_paid_is_told_however_late(world: World) -> None:
    """Days after "paid", beyond the end of monitoring."""
    invoice = await running(world)
    chain = world.chains["fake"]
    chain.pay(invoice.address, COIN)
    await world.mine(2)
    await world.mine(5, apart=86400)
    assert "paid" == await invoice.status()

    chain.reorg(7, to_pool=False)
    await world.scan()

    assert "expired reverted" == await invoice.status()
    assert ["payment.reverted", "invoice.reverted", "invoice.expired"] == (await invoice.told())[-3:]


async def test_invariant_10_an_address_is_never_given_twice(world: World) -> None:
    """Neither derived again after a restart, nor taken from a caller who brings one that was used."""
    first = await running(world)
    await world.restart()
    await world.scan()
    second = await world.invoice()
    own = await world.invoice(address="fake100000002")
    third = await world.invoice()
    with pytest.raises(Refused, match="never given to another invoice"):
        await world.invoice(address=first.address.upper())

    addresses = [i.address for i in (first, second, own, third)]
    assert [f"fake10000000{n}" for n in (0, 1, 2, 3)] == addresses
    assert 4 == await world.count(ADDRESS)


async def test_invariant_10_an_index_is_not_used_again_when_its_invoice_failed(world: World) -> None:
    await running(world)
    with pytest.raises(Refused):
        await world.invoice(
            options=[
                {"chain": "fake", "asset": "COIN", "amount": "1"},
                {"chain": "fake", "asset": "TOKEN", "amount": "1", "address": "fake100000000"},
            ]
        )

    assert "fake100000002" == (await world.invoice()).address
    (row,) = await world.rows(KEY_INDEX)
    assert 3 == row.next_index
