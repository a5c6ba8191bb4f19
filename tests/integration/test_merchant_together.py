"""Two merchants at once, requests that come twice, and a process that dies: one decision, or none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fake_chain import Credit
from merchant_scene import HOUR, Till, pay, payer, till
from watcher import merchant
from watcher.errors import Refused
from watcher.idempotency import Idempotency, Replay
from watcher.tables import AUDIT, REFUND, RESOLUTION
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from world import World


async def short(world: World) -> tuple[Till, Till]:
    """An underpaid invoice, and the two merchants who look at it."""
    one = await till(world)
    await pay(one, 0.5)
    await world.mine(apart=HOUR)
    return one, Till(world, one.invoice, "bob")


async def both(*deeds: Awaitable[object]) -> list[str]:
    """Do all of them at once; return what became of each: "done", or the code of why not."""
    results = await asyncio.gather(*deeds, return_exceptions=True)
    unexpected = [r for r in results if isinstance(r, BaseException) and not isinstance(r, Refused)]
    assert [] == unexpected
    return sorted(result.code if isinstance(result, Refused) else "done" for result in results)


@pytest.mark.parametrize("first", ["accept", "refund"])
async def test_accepting_and_giving_back_at_once_leave_one_decision(world: World, first: str) -> None:
    anna, bob = await short(world)
    deeds = [anna.accept(), bob.refund()] if first == "accept" else [anna.refund(), bob.accept()]

    codes = await both(*deeds)

    assert 1 == codes.count("done")
    assert 1 == await world.count(RESOLUTION) + await world.count(REFUND)
    assert await anna.invoice.status() in ("paid accepted", "refunding")


async def test_giving_back_twice_at_once_is_one_refund(world: World) -> None:
    anna, bob = await short(world)

    assert ["already_refunding", "done"] == await both(anna.refund(), bob.refund(address=payer(1)))

    assert [("COIN", COIN // 2)] == await anna.amounts()


async def test_parts_that_are_given_back_at_once_are_never_more_than_was_received(world: World) -> None:
    anna, bob = await short(world)

    assert ["changed", "done"] == await both(anna.refund(amount="0.2"), bob.refund(amount="0.2"))
    codes = await both(*(who.refund(amount="0.2") for who in (anna, bob, anna)))

    assert ["amount_exceeds_received", "amount_exceeds_received", "done"] == codes
    assert 2 * COIN // 5 == sum(amount for _, amount in await anna.amounts())


async def test_accepting_and_extending_what_both_saw_leave_one_decision(world: World) -> None:
    anna, bob = await short(world)
    seen = (await anna.invoice.record()).invoice.sequence

    assert ["changed", "done"] == await both(anna.accept(sequence=seen), bob.extend(sequence=seen))

    assert 1 == await world.count(RESOLUTION)


async def test_accepting_twice_at_once_is_one_acceptance(world: World) -> None:
    anna, bob = await short(world)

    assert ["already_paid", "done"] == await both(anna.accept(), bob.accept())

    assert 1 == await world.count(RESOLUTION)
    assert 1 == (await anna.invoice.told()).count("invoice.paid")


@pytest.mark.parametrize("seen", [True, False])
async def test_sending_and_withdrawing_at_once_leave_one_decision(world: World, *, seen: bool) -> None:
    anna, bob = await short(world)
    refund = (await anna.refund())["id"]
    chain = world.chains["fake"]
    txid = chain.pay(payer(), COIN // 2)
    if not seen:
        chain.pool.pop(txid)

    await both(bob.withdraw(refund), anna.sent(refund, txid))
    await world.mine(2)

    (row,) = await world.rows(REFUND)
    assert (row.cancelled_at is None) is (row.txid is not None)
    assert ("refunded" if row.txid and seen else "refunding" if row.txid else "underpaid") == (
        await anna.invoice.status()
    )


async def test_sending_a_refund_by_two_transactions_at_once_follows_the_last_word(world: World) -> None:
    anna, bob = await short(world)
    refund = (await anna.refund())["id"]
    chain = world.chains["fake"]
    first = chain.pay(payer(), COIN // 2)
    second = chain.replace(first, Credit(payer(), COIN // 2))

    await both(anna.sent(refund, first), bob.sent(refund, second))
    await world.mine(2)
    if await anna.states() != ["confirmed"]:
        await bob.sent(refund, second)
        await world.scan()

    assert ["confirmed"] == await anna.states()


def request(world: World, path: str) -> Idempotency:
    """The same request each time."""
    return Idempotency("key", path, "once", "hash of the body", world.clock())


@pytest.mark.parametrize("act", ["accept", "extend", "refund"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_repeating_a_request_decides_nothing_twice(world: World, act: str, *, restarted: bool) -> None:
    anna, _ = await short(world)
    deed = getattr(anna, act)
    await deed(idem=request(world, act))
    before = await world.dump(), await world.count(AUDIT)
    if restarted:
        await world.restart()

    with pytest.raises(Replay) as again:
        await deed(idem=request(world, act))

    assert (201 if act == "refund" else 200) == again.value.stored.status
    assert before == (await world.dump(), await world.count(AUDIT))


async def test_repeating_what_was_sent_or_withdrawn_decides_nothing_twice(world: World) -> None:
    anna, _ = await short(world)
    refund = (await anna.refund())["id"]
    txid = world.chains["fake"].pay(payer(), COIN // 2)
    await anna.sent(refund, txid, idem=request(world, "sent"))
    await world.mine(2)
    with pytest.raises(Replay):
        await anna.sent(refund, txid, idem=request(world, "sent"))

    assert ["confirmed"] == await anna.states()


async def test_a_request_that_comes_twice_at_once_decides_once(world: World) -> None:
    anna, _ = await short(world)

    results = await asyncio.gather(
        *(anna.refund(idem=request(world, "refund")) for _ in range(3)), return_exceptions=True
    )

    assert 2 == sum(isinstance(result, Replay) for result in results)
    assert 1 == await world.count(REFUND)


@pytest.mark.parametrize("act", ["accept", "extend", "refund"])
async def test_a_process_that_dies_before_the_commit_has_decided_nothing(
    world: World, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, _ = await short(world)
    before = await world.dump(), await world.count(AUDIT)

    async def dies(*_: object) -> int:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(merchant.decisions, "settle", dies)
        with pytest.raises(RuntimeError, match="power"):
            await getattr(anna, act)()
    await world.restart()
    await world.scan()

    assert before == (await world.dump(), await world.count(AUDIT))
    assert (0, 0) == (await world.count(RESOLUTION), await world.count(REFUND))
    await getattr(anna, act)()


async def test_a_refund_goes_on_after_a_restart_at_any_step(world: World) -> None:
    anna, _ = await short(world)
    refund = await anna.refund()
    await world.restart()
    await anna.send(refund)
    await world.restart()
    await world.mine()
    await world.restart()
    await world.mine()

    assert "refunded" == await anna.invoice.status()
    told = await anna.invoice.told()
    assert len(set(told)) == len([event for event in told if event != "payment.confirmed"]) + 1


async def test_every_act_leaves_who_when_and_why(world: World) -> None:
    anna, bob = await short(world)
    refund = (await bob.refund(reason="he asked"))["id"]
    await bob.destine(refund, payer(2))
    await bob.withdraw(refund)
    await anna.extend(reason="he will pay")
    await anna.accept()

    rows = [row for row in await world.rows(AUDIT) if row.actor in ("anna", "bob")]
    assert [
        ("bob", "refund.request", "he asked"),
        ("bob", "refund.address", None),
        ("bob", "refund.cancel", None),
        ("anna", "invoice.extend", "he will pay"),
        ("anna", "invoice.accept", None),
    ] == [(row.actor, row.action, row.reason) for row in rows]
    assert {anna.invoice.id} == {row.subject for row in rows}
