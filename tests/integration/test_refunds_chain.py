"""What the chain says of a refund's transaction: right or wrong, seen, mined, gone, told twice, replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chains.base import NodeMisbehaved
from fake_chain import Credit
from merchant_scene import DAY, HOUR, Till, pay, payer, refused, till
from watcher.tables import ADDRESS, DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from chains.base import Located
    from fake_chain import FakeTx
    from world import World

PAID = COIN // 2


async def owed(world: World) -> tuple[Till, str]:
    """An underpaid invoice, and the refund of what came (paid out of another wallet: nothing is deducted)."""
    one = await till(world)
    await pay(one, 0.5)
    await world.mine(apart=HOUR)
    return one, (await one.refund())["id"]


def hide(world: World, *credits_: Credit) -> tuple[str, FakeTx]:
    """Make a transaction that no node has seen; return it, to be put into the pool later."""
    chain = world.chains["fake"]
    txid = chain.send(credits_)
    return txid, chain.pool.pop(txid)


@pytest.mark.parametrize(
    "credit",
    [
        pytest.param(Credit(payer(1), PAID), id="another destination"),
        pytest.param(Credit(payer(), PAID - 1001), id="too little"),
        pytest.param(Credit(payer(), PAID, "TOKEN"), id="another asset"),
    ],
)
@pytest.mark.parametrize("blocks", [0, 2], ids=["unconfirmed", "mined"])
async def test_a_transaction_that_is_no_such_refund_is_refused(
    world: World, credit: Credit, blocks: int
) -> None:
    one, refund = await owed(world)
    txid = world.chains["fake"].send([credit])
    await world.mine(blocks)

    assert "refund_mismatch" == await refused(one.sent(refund, txid))

    assert ["requested"] == await one.states()
    assert 1 == len(await world.rows(ADDRESS))


async def test_a_payment_of_the_invoice_is_not_its_refund_although_its_change_went_there(
    world: World,
) -> None:
    one = await till(world)
    txid = world.chains["fake"].send([Credit(one.invoice.address, COIN), Credit(payer(), 5 * COIN)])
    await world.mine(2)
    refund = await one.refund()

    assert "refund_mismatch" == await refused(one.sent(refund["id"], txid))


async def test_one_transaction_may_pay_many_refunds_but_none_twice(world: World) -> None:
    first, refund = await owed(world)
    second = Till(world, await world.invoice())
    await pay(second, 1)
    same, other = await second.refund(amount="0.5"), await second.refund(amount="0.5", address=payer(1))
    txid = world.chains["fake"].send([Credit(payer(), PAID), Credit(payer(1), PAID)])
    await first.sent(refund, txid)

    assert "txid_in_use" == await refused(second.sent(same["id"], txid))
    await second.sent(other["id"], txid)
    await world.mine(2)

    assert (["confirmed"], ["requested", "confirmed"]) == (await first.states(), await second.states())


async def test_a_second_refund_to_the_same_destination_has_a_transaction_of_its_own(world: World) -> None:
    first, refund = await owed(world)
    await first.give_back({"id": refund, "chain": "fake"})
    second = Till(world, await world.invoice())
    await pay(second, 1)
    asked = await second.refund()
    txid = world.chains["fake"].pay(payer(), COIN)
    await world.mine()
    assert 0 == len([d for d in await world.rows(DEPOSIT) if d.txid == txid])

    await second.sent(asked["id"], txid)
    await world.mine()

    assert "refunded" == await second.invoice.status()


async def test_an_unknown_transaction_is_waited_for(world: World) -> None:
    one, refund = await owed(world)
    txid, hidden = hide(world, Credit(payer(), PAID))
    assert "sent" == await one.sent(refund, txid)
    await world.mine(3)
    assert (["sent"], False) == (await one.states(), await one.needs_action())

    world.chains["fake"].pool[txid] = hidden
    await world.mine(2)

    assert "refunded" == await one.invoice.status()


async def test_a_transaction_that_nobody_sees_for_a_day_waits_for_the_merchant_again(world: World) -> None:
    """A mistyped id must not leave the invoice in `refunding` for ever; one that comes late still counts."""
    one, refund = await owed(world)
    txid, hidden = hide(world, Credit(payer(), PAID))
    await one.sent(refund, txid)
    await world.mine(apart=DAY - 60)
    assert not await one.needs_action()

    await world.mine(apart=60)
    assert (["requested"], True) == (await one.states(), await one.needs_action())
    assert "refund.reverted" == (await one.invoice.told())[-1]

    world.chains["fake"].pool[txid] = hidden
    await world.mine(2)
    assert "refunded" == await one.invoice.status()


@pytest.mark.parametrize("deep", [0, 1, 5])
async def test_a_transaction_that_was_mined_before_it_is_told_is_found_in_the_blocks(
    world: World, deep: int
) -> None:
    one, refund = await owed(world)
    txid = world.chains["fake"].pay(payer(), PAID)
    await world.mine(1 + deep)

    await one.sent(refund, txid)
    await world.scan()

    assert ["sent" if deep == 0 else "confirmed"] == await one.states()


@pytest.mark.parametrize("has_mempool", [True, False])
async def test_a_transaction_that_the_node_cannot_tell_of_is_found_by_reading_again(
    world: World, *, has_mempool: bool
) -> None:
    """The node was down while it was told, and the blocks that hold it were absorbed before."""
    world.add(has_mempool=has_mempool)
    await world.scan()
    one = await till(world)
    await pay(one, 1)
    refund = await one.refund()
    txid = world.chains["fake"].pay(payer(), COIN)
    await world.mine(2)
    world.adapters["fake"].faults.fail("locate")

    await one.sent(refund["id"], txid)
    await world.scan()

    assert "refunded" == await one.invoice.status()


@pytest.mark.parametrize("has_mempool", [True, False])
async def test_a_transaction_that_is_mined_while_it_is_looked_for_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, *, has_mempool: bool
) -> None:
    world.add(has_mempool=has_mempool)
    await world.scan()
    one = await till(world)
    await pay(one, 1)
    refund = await one.refund()
    txid = world.chains["fake"].pay(payer(), COIN)
    locate = world.adapters["fake"].locate

    async def slowly(txid: str, address: str) -> Located | None:
        found = await locate(txid, address)
        await world.mine(2)
        return found

    monkeypatch.setattr(world.adapters["fake"], "locate", slowly)
    await one.sent(refund["id"], txid)
    await world.mine()

    assert ["confirmed"] == await one.states()


async def test_a_node_that_lies_about_the_transaction_is_no_reason_to_believe_it(world: World) -> None:
    one, refund = await owed(world)
    world.adapters["fake"].faults.fail("locate", NodeMisbehaved("another id"))

    assert "chain_not_ready" == await refused(one.sent(refund, "00" * 32))
    assert ["requested"] == await one.states()


async def test_telling_it_twice_changes_nothing(world: World) -> None:
    one, refund = await owed(world)
    txid = world.chains["fake"].pay(payer(), PAID)
    await one.sent(refund, txid)
    await world.scan()
    told = await one.invoice.told()

    assert "sent" == await one.sent(refund, txid.upper())
    await world.scan()

    assert told == await one.invoice.told()
    await world.mine(2)
    assert "already_confirmed" == await refused(one.sent(refund, txid))


async def test_a_higher_fee_is_another_transaction_that_takes_its_place(world: World) -> None:
    one, refund = await owed(world)
    chain = world.chains["fake"]
    txid = chain.pay(payer(), PAID)
    await one.sent(refund, txid)
    await world.scan()
    bumped = chain.replace(txid, Credit(payer(), PAID))

    await one.sent(refund, bumped)
    await world.mine(2)

    assert "refunded" == await one.invoice.status()
    assert 2 == (await one.invoice.told()).count("refund.sent")
    assert "refund.reverted" not in await one.invoice.told()


@pytest.mark.parametrize("how", ["dropped", "replaced"])
async def test_a_transaction_that_leaves_the_mempool_leaves_the_money_owed(world: World, how: str) -> None:
    one, refund = await owed(world)
    chain = world.chains["fake"]
    txid = chain.pay(payer(), PAID)
    await one.sent(refund, txid)
    await world.scan()
    if how == "dropped":
        chain.drop(txid)
    else:
        chain.replace(txid, Credit(payer(5), PAID))
    await world.mine()

    assert ("refunding", ["requested"]) == (await one.invoice.status(), await one.states())
    assert await one.needs_action()
    assert "refund.reverted" == (await one.invoice.told())[-1]
    await one.give_back({"id": refund, "chain": "fake"})
    assert "refunded" == await one.invoice.status()


async def test_a_confirmed_refund_that_is_reorganised_away_is_owed_again_until_it_is_confirmed_again(
    world: World,
) -> None:
    one, refund = await owed(world)
    chain = world.chains["fake"]
    txid = chain.pay(payer(), PAID)
    await one.sent(refund, txid)
    await world.mine(2)
    assert "refunded" == await one.invoice.status()

    chain.reorg(2, to_pool=False)
    await world.scan()
    assert ("refunding", ["requested"]) == (await one.invoice.status(), await one.states())
    assert await one.needs_action()
    assert 1 == (await one.invoice.told()).count("refund.reverted")

    chain.pool[txid] = chain._transactions[txid]
    await world.mine(2)
    assert "refunded" == await one.invoice.status()
    assert 2 == (await one.invoice.told()).count("refund.confirmed")
    assert 2 == (await one.invoice.told()).count("invoice.refunded")


async def test_a_refund_that_moves_to_another_block_is_not_confirmed_before_it_is_deep_there(
    world: World,
) -> None:
    one, refund = await owed(world)
    chain = world.chains["fake"]
    txid = chain.pay(payer(), PAID)
    await one.sent(refund, txid)
    await world.mine(2)

    chain.reorg(2, {txid: 2})
    await world.scan()
    assert ("refunding", ["sent"]) == (await one.invoice.status(), await one.states())
    await world.mine()

    assert "refunded" == await one.invoice.status()


async def test_a_withdrawn_refund_whose_transaction_appears_was_sent_all_the_same(world: World) -> None:
    """Else the merchant would be asked to give the money back a second time."""
    one, refund = await owed(world)
    txid, hidden = hide(world, Credit(payer(), PAID))
    await one.sent(refund, txid)
    assert "cancelled" == await one.withdraw(refund)
    assert "underpaid" == await one.invoice.status()

    world.chains["fake"].pool[txid] = hidden
    await world.mine()
    await world.mine()

    assert ("refunded", ["confirmed"]) == (await one.invoice.status(), await one.states())
    assert "already_refunded" == await refused(one.refund())
    told = [event for event in await one.invoice.told() if event.startswith("refund.")]
    assert ["refund.requested", "refund.sent", "refund.cancelled", "refund.sent", "refund.confirmed"] == told


async def test_a_withdrawn_refund_gives_its_unseen_transaction_to_another_one(world: World) -> None:
    one, refund = await owed(world)
    txid, hidden = hide(world, Credit(payer(), PAID))
    await one.sent(refund, txid)
    await one.withdraw(refund)
    again = await one.refund()

    await one.sent(again["id"], txid)
    world.chains["fake"].pool[txid] = hidden
    await world.mine(2)

    assert ["cancelled", "confirmed"] == await one.states()


async def test_a_refund_that_was_seen_cannot_be_withdrawn(world: World) -> None:
    one, refund = await owed(world)
    await one.sent(refund, world.chains["fake"].pay(payer(), PAID))
    await world.scan()

    assert "already_sent" == await refused(one.withdraw(refund))
    assert "already_sent" == await refused(one.destine(refund, payer(1)))


async def test_a_refund_to_an_address_of_ours_is_a_payment_there_too(world: World) -> None:
    """The other invoice is confirmed although the refund, in the same transaction, is looked after first."""
    one, _ = await owed(world)
    (refund,) = (await one.invoice.record()).refunds
    await one.withdraw(refund.id)
    others = [Till(world, await world.invoice(amount="0.4")) for _ in range(6)]
    await one.give_back(await one.refund(address=others[0].invoice.address))

    assert "refunded" == await one.invoice.status()
    assert "paid overpaid" == await others[0].invoice.status()
    assert {True} == {row.settled for row in await world.rows(DEPOSIT)}


async def test_a_transaction_to_an_address_of_ours_may_be_told_after_it_was_mined(world: World) -> None:
    one, refund = await owed(world)
    other = Till(world, await world.invoice())
    await one.destine(refund, other.invoice.address)
    txid = await pay(other, 0.5)

    await one.sent(refund, txid)

    assert ["confirmed"] == await one.states()
    assert "partial" == await other.invoice.status()


async def test_what_else_reaches_a_destination_is_not_recorded(world: World) -> None:
    one, refund = await owed(world)
    chain = world.chains["fake"]
    await one.sent(refund, chain.pay(payer(), PAID))
    chain.pay(payer(), 7 * COIN)
    await world.mine(3)

    assert 2 == len(await world.rows(DEPOSIT))
    assert "refunded" == await one.invoice.status()
