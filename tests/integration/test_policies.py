"""What happens by itself to an invoice that is out of the ordinary, and what waits for the merchant."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fake_chain import Credit
from merchant_scene import DAY, HOUR, Till, pay, payer, refused, till
from watcher.tables import AUDIT
from world import COIN

if TYPE_CHECKING:
    from world import World


async def by_policy(world: World) -> list[str]:
    """What the policy did, in order."""
    return [row.action for row in await world.rows(AUDIT) if row.actor == "policy"]


# --- too little


@pytest.mark.parametrize(
    ("amount", "expected", "waits"),
    [
        pytest.param(0.97, "paid accepted", False, id="exactly as much"),
        pytest.param(0.96999999, "underpaid", True, id="one unit less"),
    ],
)
async def test_a_part_within_the_policys_share_is_accepted_at_the_deadline(
    world: World, amount: float, expected: str, *, waits: bool
) -> None:
    one = await till(world, policy={"accept_percent": "97"})
    await pay(one, amount)
    assert "partial" == await one.invoice.status()

    await world.mine(apart=HOUR)

    assert expected == await one.invoice.status()
    assert waits == await one.needs_action()
    assert ([] if waits else ["invoice.accept"]) == await by_policy(world)


async def test_only_the_confirmed_part_is_accepted_by_itself(world: World) -> None:
    one = await till(world, policy={"accept_percent": "97"})
    chain = world.chains["fake"]
    chain.pay(one.invoice.address, 97 * COIN // 100)
    await world.scan()
    world.clock.advance(HOUR)
    chain.mine(only=[])
    await world.scan()
    assert ("underpaid", False) == (await one.invoice.status(), await one.needs_action())
    await world.mine()
    assert "underpaid" == await one.invoice.status()

    await world.mine()

    assert "paid accepted" == await one.invoice.status()


async def test_what_the_policy_waited_for_and_is_gone_waits_for_nobody_any_more(world: World) -> None:
    one = await till(world, policy={"accept_percent": "97"})
    txid = await pay(one, 0.98, blocks=0)
    world.clock.advance(HOUR)
    world.chains["fake"].mine(only=[])
    await world.scan()
    assert "underpaid" == await one.invoice.status()

    world.chains["fake"].drop(txid)
    await world.scan()

    assert "expired reverted" == await one.invoice.status()
    assert not await one.needs_action()


async def test_a_policy_asks_to_give_back_what_is_too_little_and_not_again_once_that_is_withdrawn(
    world: World,
) -> None:
    one = await till(world, policy={"underpaid": "refund"}, refund_address=payer(3))
    await pay(one, 0.5)
    await world.mine(apart=HOUR)
    (refund,) = (await one.invoice.record()).refunds
    assert ("refunding", payer(3), COIN // 2) == (await one.invoice.status(), refund.address, refund.amount)
    assert ["refund.request"] == await by_policy(world)

    await one.withdraw(refund.id)
    await world.mine(3)

    assert ("underpaid", ["cancelled"]) == (await one.invoice.status(), await one.states())
    assert await one.needs_action()


# --- too late


async def test_a_policy_gives_back_late_money_once_it_is_deep_enough(world: World) -> None:
    one = await till(world, late="refund", refund_address=payer())
    await world.mine(apart=HOUR + 1)
    await pay(one, 1, blocks=1)
    assert ([], False) == (await one.states(), await one.needs_action())
    await world.mine()
    (refund,) = (await one.invoice.record()).refunds
    assert ("refunding late", COIN) == (await one.invoice.status(), refund.amount)

    await one.give_back({"id": refund.id, "chain": "fake"})
    assert "refunded late" == await one.invoice.status()
    await pay(one, 0.5)

    assert ["confirmed", "requested"] == await one.states()
    assert "refunding late" == await one.invoice.status()


async def test_late_money_that_goes_back_does_not_make_an_invoice_paid(world: World) -> None:
    """Enough came in time but is not confirmed; what comes late must not stand in for it."""
    one = await till(world, late="refund")
    chain = world.chains["fake"]
    in_time = chain.pay(one.invoice.address, COIN)
    await world.scan()
    world.clock.advance(HOUR + 1)
    chain.mine(only=[])
    late = chain.pay(one.invoice.address, COIN)
    await world.scan()
    chain.mine(only=[late])
    chain.mine(only=[])
    await world.scan()

    assert "confirming overpaid" == await one.invoice.status()
    chain.drop(in_time)
    await world.scan()
    assert "refunding late" == await one.invoice.status()


# --- too much


@pytest.mark.parametrize(
    ("overpaid", "waits", "refunds"),
    [
        pytest.param("keep", False, [], id="keep"),
        pytest.param("hold", True, [], id="hold"),
        pytest.param("refund", True, [("COIN", COIN // 4)], id="refund"),
    ],
)
async def test_the_excess_is_kept_held_or_given_back(
    world: World, overpaid: str, refunds: list[object], *, waits: bool
) -> None:
    one = await till(world, policy={"overpaid": overpaid})
    await pay(one, 1.25)

    assert "paid overpaid" == await one.invoice.status()
    assert (waits, refunds) == (await one.needs_action(), await one.amounts())


@pytest.mark.parametrize("way", ["accept", "refund"])
async def test_a_held_excess_is_accepted_or_given_back(world: World, way: str) -> None:
    one = await till(world, policy={"overpaid": "hold"})
    await pay(one, 1.25)
    if way == "accept":
        await one.accept()
    else:
        await one.give_back(await one.refund())
    assert not await one.needs_action()

    await pay(one, 0.5)

    assert await one.needs_action()


async def test_an_excess_is_held_although_late_money_was_given_back(world: World) -> None:
    """As much late money as excess: the refund of the one is not that of the other."""
    one = await till(world, late="refund", monitor_for=0, policy={"overpaid": "hold"})
    await pay(one, 1.5)
    await world.mine(apart=2 * HOUR)
    await pay(one, 0.5)
    (late,) = (await one.invoice.record()).refunds

    await one.destine(late.id, payer())
    await one.give_back({"id": late.id, "chain": "fake"})

    assert ("paid overpaid late", True) == (await one.invoice.status(), await one.needs_action())
    assert "0.5" == (await one.refund())["amount"]


async def test_an_excess_that_was_given_back_is_not_given_back_again_with_late_money(world: World) -> None:
    one = await till(world, monitor_for=0, policy={"overpaid": "refund"}, refund_address=payer())
    await pay(one, 1.5)
    (excess,) = (await one.invoice.record()).refunds
    await one.give_back({"id": excess.id, "chain": "fake"})
    await world.mine(apart=2 * HOUR)

    await pay(one, 0.5)

    assert [("COIN", COIN // 2)] == await one.amounts()
    assert await one.needs_action()
    assert "0.5" == (await one.refund())["amount"]
    assert "paid overpaid late" == await one.invoice.status()


async def test_an_excess_that_the_merchant_keeps_is_not_asked_for_again_when_more_comes(
    world: World,
) -> None:
    one = await till(world, policy={"overpaid": "refund"}, refund_address=payer())
    await pay(one, 1.5)
    (excess,) = (await one.invoice.record()).refunds
    await one.withdraw(excess.id)

    await pay(one, 0.01)

    assert [("COIN", COIN // 2), ("COIN", COIN // 100)] == await one.amounts()


# --- another asset


async def test_a_policy_gives_back_a_wrong_asset_once_it_is_deep_enough(world: World) -> None:
    one = await till(world, policy={"wrong_asset": "refund"}, refund_address=payer())
    await pay(one, 5_000_000, asset="TOKEN", blocks=1)
    assert ([], False) == (await one.states(), await one.needs_action())

    await world.mine()

    assert (["requested"], "pending wrong_asset") == (await one.states(), await one.invoice.status())
    await one.give_back({"id": (await one.invoice.record()).refunds[0].id, "chain": "fake"})
    await pay(one, 1)
    assert "paid wrong_asset" == await one.invoice.status()


async def test_money_that_vanished_after_its_refund_was_sent_stops_the_policy(world: World) -> None:
    """Paid, given back, and then reorganised away: what comes next is for the merchant to look at."""
    one = await till(world, policy={"wrong_asset": "refund"}, refund_address=payer())
    await pay(one, 5, asset="TOKEN")
    (refund,) = (await one.invoice.record()).refunds
    world.chains["fake"].reorg(2, to_pool=False)
    await world.scan()
    await one.give_back({"id": refund.id, "chain": "fake"})

    await pay(one, 3, asset="TOKEN")

    assert ["confirmed"] == await one.states()
    assert await one.needs_action()
    assert "not_underpaid" == await refused(one.refund())


# --- not confirmed in time


async def extended(world: World, seconds: int = 600, amount: float = 1) -> tuple[Till, str]:
    """An invoice that is paid in the mempool alone, at its deadline."""
    one = await till(world, policy={"extend": seconds})
    txid = await pay(one, amount, blocks=0)
    world.clock.advance(HOUR)
    world.chains["fake"].mine(only=[])
    await world.scan()
    return one, txid


async def test_the_deadline_moves_while_enough_is_seen_but_not_in_a_block(world: World) -> None:
    one, txid = await extended(world)
    record = await one.invoice.record()
    assert timedelta(seconds=600) == record.decision.deadline - record.invoice.expires_at
    assert "confirming" == await one.invoice.status()
    assert ["invoice.extend"] == await by_policy(world)

    world.clock.advance(300)
    bumped = world.chains["fake"].replace(txid, Credit(one.invoice.address, COIN))
    await world.scan()
    assert bumped in world.chains["fake"].pool
    await world.mine(2)

    assert "paid" == await one.invoice.status()
    assert "invoice.late_payment" not in await one.invoice.told()


async def test_the_deadline_does_not_move_for_a_part(world: World) -> None:
    one, _ = await extended(world, amount=0.99)

    assert ("underpaid", []) == (await one.invoice.status(), await by_policy(world))


async def test_the_deadline_does_not_move_for_what_is_in_a_block(world: World) -> None:
    one = await till(world, confirmations=5, policy={"extend": 600})
    await pay(one, 1, blocks=1)
    await world.mine(apart=HOUR)

    assert ("confirming", []) == (await one.invoice.status(), await by_policy(world))


async def test_a_deadline_moves_by_itself_for_thirty_days_at_most(world: World) -> None:
    one, _ = await extended(world, seconds=int(20 * DAY))
    for _ in range(4):
        world.clock.advance(20 * DAY)
        world.chains["fake"].mine(only=[])
        await world.scan()

    record = await one.invoice.record()
    assert timedelta(days=30) >= record.decision.deadline - record.invoice.expires_at
    assert "confirming" == await one.invoice.status()


async def test_a_deadline_moves_once_however_long_the_process_slept(world: World) -> None:
    one = await till(world, policy={"extend": 600})
    await pay(one, 1, blocks=0)
    world.clock.advance(HOUR + 1500)
    world.chains["fake"].mine(only=[])
    await world.restart()
    await world.scan()

    record = await one.invoice.record()
    assert timedelta(seconds=1800) == record.decision.deadline - record.invoice.expires_at
    assert ["invoice.extend"] == await by_policy(world)
