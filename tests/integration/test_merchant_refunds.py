"""What a merchant gives back: how much, of what, to whom, and what the invoice is then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from merchant_scene import HOUR, Till, pay, payer, refused, till
from watcher.tables import AUDIT
from world import COIN

if TYPE_CHECKING:
    from world import World

BOTH = [
    {"chain": "fake", "asset": "COIN", "amount": "1"},
    {"chain": "fake", "asset": "TOKEN", "amount": "100"},
]


async def short(world: World, **fields: object) -> Till:
    """An invoice of which the half came, and whose deadline has passed."""
    one = await till(world, **fields)
    await pay(one, 0.5)
    await world.mine(apart=HOUR)
    return one


async def test_an_underpaid_invoice_is_refunded_once_the_transaction_is_deep_enough(world: World) -> None:
    one = await short(world)
    refund = await one.refund(reason="too little")
    assert ("refunding", "requested") == (await one.invoice.status(), refund["state"])
    assert await one.needs_action()

    await one.send(refund)
    assert not await one.needs_action()
    await world.mine()
    assert "refunding" == await one.invoice.status()
    await world.mine()

    assert "refunded" == await one.invoice.status()
    told = [event for event in await one.invoice.told() if "refund" in event]
    assert [
        "refund.requested",
        "invoice.refunding",
        "refund.sent",
        "refund.confirmed",
        "invoice.refunded",
    ] == told
    acts = [row.action for row in await world.rows(AUDIT) if row.actor == "anna"]
    assert ["refund.request", "refund.sent"] == acts


async def test_what_to_sign_arrives_less_the_fee_that_nothing_else_pays(world: World) -> None:
    one = await short(world)

    refund = await one.refund()

    assert ("0.5", "0.49999") == (refund["amount"], refund["arrives"])
    (spent,) = refund["unsigned"]["inputs"]
    assert COIN // 2 == spent["amount"]


async def test_the_excess_is_given_back_by_default_and_the_invoice_stays_paid(world: World) -> None:
    one = await till(world)
    await pay(one, 1.25)
    assert "paid overpaid" == await one.invoice.status()

    refund = await one.refund()
    assert "0.25" == refund["amount"]
    await one.give_back(refund)

    assert "paid overpaid" == await one.invoice.status()
    assert ["confirmed"] == await one.states()
    told = await one.invoice.told()
    assert not {"invoice.refunding", "invoice.refunded"} & set(told)
    assert (1, 1) == (told.count("invoice.paid"), told.count("invoice.overpaid"))


async def test_after_the_excess_nothing_is_given_back_by_default_but_more_on_demand(world: World) -> None:
    one = await till(world)
    await pay(one, 1.25)
    excess = await one.refund()
    assert "already_refunding" == await refused(one.refund())
    await one.give_back(excess)
    assert "already_refunded" == await refused(one.refund())

    more = await one.refund(amount="0.4")
    assert "refunding overpaid" == await one.invoice.status()
    await one.give_back(more)

    assert "refunded overpaid" == await one.invoice.status()


async def test_a_refund_without_amount_never_gives_back_what_pays_although_the_excess_is_elsewhere(
    world: World,
) -> None:
    """Paid twice over in COIN, then a little in TOKEN: the excess is one COIN and the TOKEN."""
    world.add()
    await world.scan()
    one = Till(world, await world.invoice(options=BOTH))
    chain = world.chains["fake"]
    chain.pay(one.invoice.addresses[0], 2 * COIN)
    await world.mine(2)
    chain.pay(one.invoice.addresses[1], 10_000_000, asset="TOKEN")
    await world.mine(2)

    assert "invalid" == await refused(one.refund())
    assert "1" == (await one.refund(asset="COIN"))["amount"]
    assert "10" == (await one.refund(asset="TOKEN"))["amount"]
    assert "paid overpaid" == await one.invoice.status()


async def test_mixed_payments_are_given_back_in_each_asset(world: World) -> None:
    world.add()
    await world.scan()
    one = Till(world, await world.invoice(options=BOTH))
    chain = world.chains["fake"]
    chain.pay(one.invoice.addresses[0], COIN // 2)
    chain.pay(one.invoice.addresses[1], 50_000_000, asset="TOKEN")
    await world.mine(2)
    assert "paid" == await one.invoice.status()

    coin, token = await one.refund(asset="COIN"), await one.refund(asset="TOKEN")
    assert ("0.5", "50") == (coin["amount"], token["amount"])
    await one.give_back(coin)
    assert "refunding" == await one.invoice.status()
    await one.give_back(token)

    assert "refunded" == await one.invoice.status()
    assert "already_refunded" == await refused(one.refund(asset="COIN"))


async def test_partial_refunds_add_up_and_more_than_was_received_is_refused(world: World) -> None:
    one = await till(world)
    await pay(one, 1)
    await one.give_back(await one.refund(amount="0.25"))
    assert "refunded" == await one.invoice.status()
    second = await one.refund(amount="0.5")
    assert "refunding" == await one.invoice.status()
    assert "amount_exceeds_received" == await refused(one.refund(amount="0.26"))
    third = await one.refund(amount="0.25")
    assert "already_refunding" == await refused(one.refund(amount="0.00000001"))

    await one.give_back(second)
    assert "refunding" == await one.invoice.status()
    await one.give_back(third)

    assert "refunded" == await one.invoice.status()
    assert COIN == sum(amount for _, amount in await one.amounts())
    assert "already_refunded" == await refused(one.refund(amount="0.00000001"))


async def test_a_withdrawn_refund_makes_room_for_another_and_leaves_the_invoice_as_it_was(
    world: World,
) -> None:
    one = await till(world)
    await pay(one, 1.5)
    refund = await one.refund(amount="1.2")
    assert "refunding overpaid" == await one.invoice.status()

    assert "cancelled" == await one.withdraw(refund["id"])

    assert "paid overpaid" == await one.invoice.status()
    told = await one.invoice.told()
    assert "refund.cancelled" == told[-1]
    assert (1, 1) == (told.count("invoice.paid"), told.count("invoice.overpaid"))
    assert "already_cancelled" == await refused(one.withdraw(refund["id"]))
    assert "already_cancelled" == await refused(one.sent(refund["id"], "00" * 32))
    assert "0.5" == (await one.refund())["amount"]


@pytest.mark.parametrize(
    ("amount", "blocks", "draft", "expected"),
    [
        pytest.param(0, 0, {}, "nothing_received", id="nothing came"),
        pytest.param(0.5, 0, {}, "not_confirmed", id="seen only"),
        pytest.param(0.5, 1, {}, "not_confirmed", id="not deep enough"),
        pytest.param(0.5, 2, {}, "not_underpaid", id="open, and it pays"),
        pytest.param(1, 1, {}, "not_confirmed", id="confirming"),
        pytest.param(1, 2, {"amount": "1.00000001"}, "amount_exceeds_received", id="one unit too much"),
        pytest.param(1, 2, {"amount": "0"}, "invalid_amount", id="zero"),
        pytest.param(1, 2, {"amount": "0.000000001"}, "invalid_amount", id="too many digits"),
        pytest.param(1, 2, {"asset": "TOKEN"}, "nothing_received", id="an asset that did not come"),
        pytest.param(1, 2, {"chain": "other"}, "nothing_received", id="a chain that it did not come on"),
        pytest.param(1, 2, {"address": "bc1qother"}, "invalid_address", id="another network's address"),
        pytest.param(1, 2, {"address": None}, "invalid", id="no destination is known"),
    ],
)
async def test_what_cannot_be_given_back_is_refused_and_changes_nothing(
    world: World, amount: float, blocks: int, draft: dict[str, object], expected: str
) -> None:
    one = await till(world)
    if amount:
        await pay(one, amount, blocks=blocks)
    before = await world.dump()

    assert expected == await refused(one.refund(**draft))

    assert before == await world.dump()
    assert [] == await one.states()


async def test_a_refund_goes_where_the_payer_said_and_never_to_the_invoice_itself(world: World) -> None:
    one = await short(world, refund_address=payer(7).upper())
    assert "invalid_address" == await refused(one.refund(address=one.invoice.address))

    assert payer(7) == (await one.refund(address=None))["address"]


async def test_a_policys_refund_waits_for_a_destination(world: World) -> None:
    one = await short(world, policy={"underpaid": "refund"})
    (refund,) = (await one.invoice.record()).refunds
    assert refund.address is None
    assert await one.needs_action()
    assert "no_destination" == await refused(one.sent(refund.id, "00" * 32))

    shown = await one.destine(refund.id, payer(1))
    assert (payer(1), "0.49999") == (shown["address"], shown["arrives"])
    await one.give_back({"id": refund.id, "chain": "fake"})

    assert "refunded" == await one.invoice.status()


async def test_a_wrong_asset_is_given_back_once_it_is_deep_and_the_invoice_stays_open(world: World) -> None:
    one = await till(world)
    await pay(one, 5_000_000, asset="TOKEN", blocks=1)
    assert await one.needs_action()
    assert "not_confirmed" == await refused(one.refund())
    await world.mine()

    refund = await one.refund()
    assert ("TOKEN", "5") == (refund["asset"], refund["amount"])
    await one.give_back(refund)

    assert "pending wrong_asset" == await one.invoice.status()
    assert not await one.needs_action()
    await pay(one, 1)
    assert "paid wrong_asset" == await one.invoice.status()


async def test_money_that_was_sent_before_a_refund_was_requested_and_seen_after_it_waits(
    world: World,
) -> None:
    one = await short(world)
    world.chains["fake"].pay(one.invoice.address, COIN // 2)
    await one.give_back(await one.refund())

    assert "refunded late" == await one.invoice.status()
    assert await one.needs_action()
    assert "0.5" == (await one.refund())["amount"]


async def test_a_payment_that_is_gone_is_told_although_its_refund_is_under_way(world: World) -> None:
    """The merchant hears of it before signing, and takes the refund back."""
    one = await till(world)
    txid = await pay(one, 1)
    refund = await one.refund()
    world.chains["fake"].reorg(2, to_pool=False)
    await world.mine(2)

    assert {"payment.reverted", "invoice.reverted"} <= set(await one.invoice.told())
    assert txid not in world.chains["fake"].pool
    assert "nothing_received" == await refused(one.refund(amount="0.1"))
    await one.withdraw(refund["id"])
    assert "pending reverted" == await one.invoice.status()
