"""What a merchant decides: accepted, extended, cancelled; and money that comes when nobody waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from merchant_scene import DAY, HOUR, pay, refused, till
from watcher.tables import AUDIT

if TYPE_CHECKING:
    from merchant_scene import Till
    from world import World


async def short(world: World, amount: float = 0.5, **fields: object) -> Till:
    """An invoice of which a part came, and whose deadline has passed."""
    one = await till(world, **fields)
    await pay(one, amount)
    await world.mine(apart=HOUR)
    assert "underpaid" == await one.invoice.status()
    return one


async def test_an_underpaid_invoice_waits_for_the_merchant_and_is_paid_once_it_is_accepted(
    world: World,
) -> None:
    one = await short(world)
    assert await one.needs_action()

    assert "paid" == await one.accept(reason="a good customer")

    assert "paid accepted" == await one.invoice.status()
    assert not await one.needs_action()
    assert ["invoice.underpaid", "invoice.paid"] == (await one.invoice.told())[-2:]
    (entry,) = [row for row in await world.rows(AUDIT) if row.action == "invoice.accept"]
    assert ("anna", one.invoice.id, "a good customer") == (entry.actor, entry.subject, entry.reason)


async def test_an_underpaid_invoice_is_extended_and_the_rest_is_paid_to_the_same_address(
    world: World,
) -> None:
    one = await short(world)

    assert "partial" == await one.extend()
    await pay(one, 0.5)

    assert "paid" == await one.invoice.status()
    told = await one.invoice.told()
    assert ["invoice.underpaid", "invoice.extended"] == told[3:5]
    assert 1 == told.count("invoice.partially_paid")
    assert "invoice.late_payment" not in told


async def test_an_extended_invoice_ends_again_at_its_new_deadline_and_says_so_again(world: World) -> None:
    one = await short(world)
    await one.extend(seconds=600)
    await world.mine(apart=599)
    assert "partial" == await one.invoice.status()

    await world.mine(apart=2)

    assert "underpaid" == await one.invoice.status()
    assert 2 == (await one.invoice.told()).count("invoice.underpaid")
    assert await one.needs_action()


async def test_an_extension_counts_from_the_old_deadline_while_that_is_to_come_and_else_from_now(
    world: World,
) -> None:
    one = await till(world)
    start = world.clock()
    await one.extend(seconds=60)
    deadline = (await one.invoice.record()).decision.deadline
    assert HOUR + 60 == (deadline - start).total_seconds()

    await world.mine(apart=2 * HOUR)
    assert "expired" == await one.invoice.status()
    await one.extend(seconds=60)

    deadline = (await one.invoice.record()).decision.deadline
    assert 60 == (deadline - world.clock()).total_seconds()


async def test_late_money_is_held_and_told_and_paid_once_the_merchant_accepts(world: World) -> None:
    one = await till(world)
    await world.mine(apart=HOUR + 1)
    assert "expired" == await one.invoice.status()
    assert "nothing_received" == await refused(one.accept())

    await pay(one, 1)
    assert "expired late" == await one.invoice.status()
    assert await one.needs_action()
    assert 1 == (await one.invoice.told()).count("invoice.late_payment")

    assert "paid" == await one.accept()
    assert not await one.needs_action()


async def test_late_money_is_in_time_once_the_deadline_moves_behind_it(world: World) -> None:
    one = await till(world)
    await world.mine(apart=HOUR + 1)
    await pay(one, 1)

    assert "paid" == await one.extend()

    assert "paid" == await one.invoice.status()
    assert not await one.needs_action()


@pytest.mark.parametrize(
    ("amount", "expected", "waits"),
    [
        pytest.param(1, "paid late", False, id="the right amount"),
        pytest.param(0.5, "underpaid late", True, id="too little"),
    ],
)
async def test_a_policy_accepts_late_money_when_the_amount_is_right(
    world: World, amount: float, expected: str, *, waits: bool
) -> None:
    one = await till(world, late="accept")
    await world.mine(apart=HOUR + 1)
    await pay(one, amount)

    assert expected == await one.invoice.status()
    assert waits == await one.needs_action()


@pytest.mark.parametrize("late", ["hold", "accept"])
async def test_money_after_the_time_for_late_money_waits_whatever_the_policy(world: World, late: str) -> None:
    one = await till(world, late=late, monitor_for=600)
    await world.mine(apart=HOUR + 601)
    await pay(one, 1)

    assert "expired late" == await one.invoice.status()
    assert await one.needs_action()
    assert "invoice.late_payment" in await one.invoice.told()
    assert "paid" == await one.accept()


async def test_money_to_a_cancelled_invoice_waits_and_can_be_accepted_or_given_back(world: World) -> None:
    one = await till(world)
    assert "cancelled" == await one.cancel(reason="sold out")
    assert "already_cancelled" == await refused(one.accept())
    assert "already_cancelled" == await refused(one.extend())

    await pay(one, 1)
    assert "cancelled late" == await one.invoice.status()
    assert await one.needs_action()

    await one.give_back(await one.refund())
    assert "refunded late" == await one.invoice.status()
    assert not await one.needs_action()


async def test_money_that_is_seen_stands_in_the_way_of_a_cancellation(world: World) -> None:
    one = await till(world)
    txid = await pay(one, 0.1, blocks=0)
    assert "something_received" == await refused(one.cancel())

    world.chains["fake"].drop(txid)
    await world.scan()

    assert "cancelled" == await one.cancel()


async def test_money_that_was_sent_before_the_cancellation_and_seen_after_it_waits(world: World) -> None:
    one = await till(world)
    world.chains["fake"].pay(one.invoice.address, 10**8)
    await one.cancel()
    await world.mine(2)

    assert "cancelled late" == await one.invoice.status()
    assert await one.needs_action()
    assert "paid" == await one.accept()


async def test_money_to_a_paid_invoice_is_overpaid(world: World) -> None:
    one = await till(world)
    await pay(one, 1)
    await world.mine(apart=2 * HOUR)
    await pay(one, 0.25)

    assert "paid overpaid" == await one.invoice.status()
    assert 1 == (await one.invoice.told()).count("invoice.overpaid")
    assert not await one.needs_action()


@pytest.mark.parametrize("moment", [100, 2 * HOUR], ids=["before the deadline", "after it"])
async def test_money_to_a_refunded_invoice_is_told_as_late_and_waits(world: World, moment: float) -> None:
    one = await till(world)
    await pay(one, 1)
    await one.give_back(await one.refund())
    assert "refunded" == await one.invoice.status()
    await world.mine(apart=moment)

    await pay(one, 1)

    assert "refunded late" == await one.invoice.status()
    assert await one.needs_action()
    assert "invoice.late_payment" in await one.invoice.told()
    again = await one.refund()
    assert "1" == again["amount"]
    await one.give_back(again)
    assert "refunded late" == await one.invoice.status()
    assert not await one.needs_action()
    assert 2 == (await one.invoice.told()).count("invoice.refunded")


async def test_money_to_a_refunded_invoice_makes_it_paid_once_it_is_accepted(world: World) -> None:
    one = await till(world)
    await pay(one, 1)
    await one.give_back(await one.refund())
    await pay(one, 1)

    assert "paid" == await one.accept()

    assert not await one.needs_action()
    assert "already_paid" == await refused(one.accept())


@pytest.mark.parametrize("asleep", [False, True], ids=["awake", "asleep over the deadline"])
@pytest.mark.parametrize(
    ("sent_at", "expected"),
    [
        pytest.param(HOUR - 60, "paid", id="mined before the deadline"),
        pytest.param(HOUR + 60, "expired late", id="mined after it"),
    ],
)
async def test_a_deadline_is_decided_by_facts_and_not_by_when_the_process_woke_up(
    world: World, sent_at: float, expected: str, *, asleep: bool
) -> None:
    """Told from the blocks alone: the process never saw the payment in the mempool."""
    one = await till(world)
    chain, clock = world.chains["fake"], world.clock
    for moment in (HOUR - 60, HOUR + 60, HOUR + 120, HOUR + 180):
        start = (await one.invoice.record()).invoice.created_at
        clock.advance(moment - (clock() - start).total_seconds())
        if moment == sent_at:
            chain.pay(one.invoice.address, 10**8)
        chain.mine()
        if not asleep:
            await world.scan()
    clock.advance(DAY if asleep else 0)
    await world.restart()
    await world.scan()

    assert expected == await one.invoice.status()


async def test_an_invoice_is_accepted_without_payment_only_when_that_is_said(world: World) -> None:
    one = await till(world)

    assert "nothing_received" == await refused(one.accept())
    assert "paid" == await one.accept(without_payment=True)
    assert "paid accepted" == await one.invoice.status()
    await pay(one, 1)
    assert not await one.needs_action()


@pytest.mark.parametrize(
    ("blocks", "act", "expected"),
    [
        pytest.param(1, "accept", "not_underpaid", id="accept while confirming"),
        pytest.param(1, "extend", "not_underpaid", id="extend while confirming"),
        pytest.param(1, "cancel", "something_received", id="cancel while confirming"),
        pytest.param(2, "accept", "already_paid", id="accept when paid"),
        pytest.param(2, "extend", "already_paid", id="extend when paid"),
        pytest.param(2, "cancel", "already_paid", id="cancel when paid"),
    ],
)
async def test_what_cannot_be_done_says_why(world: World, blocks: int, act: str, expected: str) -> None:
    one = await till(world)
    await pay(one, 1, blocks=blocks)
    before = await world.dump()

    assert expected == await refused(getattr(one, act)())

    assert before == await world.dump()


async def test_a_decision_about_another_state_of_the_invoice_is_refused(world: World) -> None:
    one = await till(world)
    seen = (await one.invoice.record()).invoice.sequence
    await pay(one, 0.5)

    assert "changed" == await refused(one.extend(sequence=seen))
    assert "partial" == await one.extend(sequence=(await one.invoice.record()).invoice.sequence)
