"""Standing addresses on fake chains: what is told of each deposit, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chains.base import UNATTRIBUTED, Transfer
from fake_chain import TOKEN, Credit
from standing_scene import Customer, customer, customers, numbers
from watcher.deposits import Timing
from watcher.errors import Refused
from watcher.ledger_balances import Disagreement
from watcher.tables import ADDRESS, AUDIT, DEPOSIT, EVENT
from world import COIN

if TYPE_CHECKING:
    from world import World


async def _rescan(world: World) -> None:
    await world.actions().rescan("fake", 0, None)
    await world.scan()


async def test_a_deposit_is_detected_once_and_confirmed_once(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world, label="alice", metadata={"customer": 7})
    txid = chain.pay(alice.address, 3 * COIN // 2)
    await world.scan()
    assert ["detected"] == await alice.told()
    await world.mine(1)
    assert ["detected"] == await alice.told()
    await world.mine(1)
    assert ["detected", "confirmed"] == await alice.told()
    for _ in range(2):
        await world.mine(2)
        await _rescan(world)
        await world.restart()
    assert ["detected", "confirmed"] == await alice.told()

    events = await alice.events()
    assert [1, 2] == numbers(events)
    data = events[1]["data"]
    address = {**alice.shown, "sequence": 2}
    assert address == data["address"]
    paid = {name: data["payment"][name] for name in ("txid", "amount", "status", "confirmations", "asset")}
    expected = {"txid": txid, "amount": "1.5", "status": "confirmed", "confirmations": 2, "asset": "COIN"}
    assert expected == paid


async def test_mined_deep_at_once_both_are_told_in_order(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    chain.pay(alice.address, COIN)
    chain.mine(5)
    await world.scan()
    assert ["detected", "confirmed"] == await alice.told()
    assert [1, 2] == numbers(await alice.events())


async def test_two_transfers_of_one_transaction_are_two_deposits(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice, bob = await customer(world), await customer(world)
    chain.send([Credit(alice.address, COIN), Credit(bob.address, COIN), Credit(alice.address, COIN)])
    await world.mine(2)
    assert ["confirmed", "confirmed", "detected", "detected"] == sorted(await alice.told())
    slots = [(e["type"], e["data"]["payment"]["slot"]) for e in await alice.events()]
    assert len(set(slots)) == len(slots) == 4
    assert ["detected", "confirmed"] == await bob.told()


async def test_what_a_reorganisation_took_is_reverted_and_confirmed_again(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    chain.pay(alice.address, COIN)
    await world.mine(3)
    first = chain.head.hash
    chain.reorg(3)
    await world.scan()
    assert ["detected", "confirmed", "reverted reorganised"] == await alice.told()
    reverted = (await alice.events())[-1]["data"]["payment"]
    assert ("pending", None) == (reverted["status"], reverted["block_height"])
    await world.mine(2)
    again = ["detected", "confirmed", "reverted reorganised", "confirmed"]
    assert again == await alice.told()
    assert [1, 2, 3, 4] == numbers(await alice.events())
    second = chain.head.hash
    chain.adopt(first)
    chain.mine(4)
    await world.scan()
    assert again == await alice.told()
    assert second != first


async def test_moving_to_another_block_as_deep_tells_nothing(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    txid = chain.pay(alice.address, COIN)
    await world.mine(3)
    chain.reorg(3, keep={txid: 0})
    await world.scan()
    assert ["detected", "confirmed"] == await alice.told()


@pytest.mark.parametrize(
    ("fate", "reason"),
    [pytest.param("replace", "replaced", id="replaced"), pytest.param("drop", "dropped", id="dropped")],
)
async def test_what_leaves_the_mempool_is_reverted_once(world: World, fate: str, reason: str) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    txid = chain.pay(alice.address, COIN)
    await world.scan()
    getattr(chain, fate)(txid)
    await world.scan()
    expected = ["detected", f"reverted {reason}"]
    assert expected == await alice.told()
    await world.mine(3)
    await world.restart()
    await world.scan()
    assert expected == await alice.told()
    assert "replaced" == (await alice.events())[-1]["data"]["payment"]["status"]


async def test_a_dropped_deposit_that_comes_back_is_told_when_it_is_confirmed(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    transaction = chain.pool[chain.pay(alice.address, COIN)]
    await world.scan()
    chain.drop(transaction.txid)
    await world.scan()
    chain.pool[transaction.txid] = transaction
    await world.scan()
    assert ["detected", "reverted dropped"] == await alice.told()
    await world.mine(2)
    assert ["detected", "reverted dropped", "confirmed"] == await alice.told()


async def test_an_unconfirmed_deposit_counts_at_zero_confirmations_and_is_taken_back(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world, confirmations=0)
    txid = chain.pay(alice.address, COIN)
    await world.scan()
    assert ["detected", "confirmed"] == await alice.told()
    chain.replace(txid)
    await world.scan()
    assert ["detected", "confirmed", "reverted replaced"] == await alice.told()


async def test_an_archived_address_stays_watched_and_what_it_receives_is_unmatched(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    chain.pay(alice.address, COIN)
    await world.scan()
    world.clock.advance(5)
    for _ in range(2):
        await customers(world).archive(alice.id, "a key")
    world.clock.advance(5)
    late = chain.pay(alice.address, 2 * COIN)
    await world.mine(3)
    expected = ["detected", "confirmed", "unmatched"]
    assert expected == await alice.told()
    assert late == (await alice.events())[2]["data"]["payment"]["txid"]
    chain.reorg(3, to_pool=False)
    await world.scan()
    assert [*expected, "reverted reorganised", "reverted reorganised"] == await alice.told()
    noted = [(row.action, row.actor, row.subject) for row in await world.rows(AUDIT)]
    assert [("address.create", "a key", alice.id), ("address.remove", "a key", alice.id)] == noted


async def test_what_reached_an_own_address_before_it_was_made_is_not_told(world: World) -> None:
    chain = world.add()
    await world.scan()
    own = "fake177777777"
    chain.pay(own, COIN)
    await world.mine(1)
    chain.mine(2)  # nobody has read these yet
    before = chain.pay(own, COIN)
    chain.mine()
    world.clock.advance(60)
    alice = await customer(world, address=own)
    world.clock.advance(60)
    await world.scan()
    await _rescan(world)
    await world.mine(3)
    assert [] == await alice.told()
    chain.reorg(4, keep={before: 0})
    await world.scan()
    assert [] == await alice.told()
    chain.pay(own, COIN)
    await world.mine(2)
    assert ["detected", "confirmed"] == await alice.told()


async def test_an_address_made_while_blocks_are_read_is_told_of_them_once(world: World) -> None:
    chain = world.add()
    await world.scan()
    chain.mine(3)
    address = world.adapters["fake"].derive(0)
    made: list[Customer] = []

    async def _between() -> None:
        made.append(await customer(world))

    real = world.adapters["fake"].mempool

    async def mempool(watched: Any) -> Any:
        if not made:
            await _between()
        return await real(watched)

    chain.pay(address, COIN)
    chain.mine(2)
    world.adapters["fake"].mempool = mempool  # type: ignore[method-assign]
    await world.scan()
    assert ["detected", "confirmed"] == await made[0].told()


async def test_dust_is_nothing(world: World) -> None:
    chain = world.add(dust=1000)
    await world.scan()
    alice = await customer(world)
    chain.pay(alice.address, 999, 1000)
    await world.mine(2)
    assert ["detected", "confirmed"] == await alice.told()


async def test_an_address_that_anybody_had_is_in_use(world: World) -> None:
    world.add()
    await world.scan()
    own = "fake177777777"
    await customer(world, address=own)
    with pytest.raises(Refused) as refused:
        await customer(world, address=own)
    assert ("address_in_use", 409, "address") == (
        refused.value.code,
        refused.value.status,
        refused.value.field,
    )
    with pytest.raises(Refused):
        await world.invoice(address=own)
    invoice = await world.invoice()
    with pytest.raises(Refused):
        await customer(world, address=invoice.address)
    assert 2 == await world.count(ADDRESS)


async def test_invoices_and_customers_take_their_addresses_from_one_row(world: World) -> None:
    world.add()
    await world.scan()
    made = [(await customer(world)).address, (await world.invoice()).address, (await customer(world)).address]
    adapter = world.adapters["fake"]
    assert [adapter.derive(index) for index in range(3)] == made


async def test_money_on_the_wrong_chain_is_told_once_and_never_as_the_customers(world: World) -> None:
    world.add("one", namespace="same")
    other = world.add("two", namespace="same")
    await world.scan()
    alice = await customer(world)
    other.pay(alice.address, COIN)
    for _ in range(4):
        world.clock.advance(10)
        other.mine()
        await world.scan()
    assert ["wrong_asset"] == await alice.told()
    event = (await alice.events())[0]["data"]
    assert ("one", "two") == (event["address"]["chain"], event["payment"]["chain"])


async def test_growth_that_nothing_explains_is_unmatched_until_something_explains_it(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    await world.mine(2)
    base, head = (block.ref for block in chain.blocks[-2:])
    found = Disagreement(alice.address, "COIN", COIN, 0)
    for _ in range(2):
        await world.ledger.comparisons.conclude("fake", (base, head), [found], [])
    assert ["unmatched"] == await alice.told()
    assert (await world.rows(DEPOSIT))[0].slot.startswith(UNATTRIBUTED)
    explained = Transfer("COIN", "aa" * 32, "call:0", alice.address, COIN, head)
    await _absorb_again(world, [explained])
    assert ["unmatched", "reverted reorganised", "detected"] == await alice.told()


async def _absorb_again(world: World, transfers: list[Transfer]) -> None:
    """Let the newest block be read again, with these transfers in it."""
    head = world.chains["fake"].head
    await world.actions().rescan("fake", head.height, None)
    (gap,) = await world.ledger.gaps("fake")
    timing = Timing(world.clock(), timedelta())
    await world.ledger.absorb_again(gap, [head], transfers, timing)


async def test_another_amount_in_the_same_place_takes_the_told_one_back(world: World) -> None:
    """A transaction that runs on another branch may pay something else there (a contract's answer)."""
    world.add()
    await world.scan()
    alice = await customer(world, confirmations=1)
    await world.mine(1)
    head = world.chains["fake"].head
    await _absorb_again(world, [Transfer("COIN", "aa" * 32, "call:0", alice.address, 5, head)])
    assert ["detected", "confirmed"] == await alice.told()
    await _absorb_again(world, [Transfer("COIN", "aa" * 32, "call:0", alice.address, 7, head)])
    expected = ["detected", "confirmed", "reverted reorganised", "detected", "confirmed"]
    assert expected == await alice.told()
    amounts = [e["data"]["payment"]["amount"] for e in await alice.events()]
    assert ["0.00000005"] * 3 + ["0.00000007"] * 2 == amounts


STEPS = {"confirmations": 3, "confirmations_by_amount": [{"up_to": "0.5", "confirmations": 1}]}


@pytest.mark.parametrize(
    ("keys", "fields", "amount", "blocks"),
    [
        pytest.param({"confirmations": 3}, {}, COIN, 3, id="the chain's"),
        pytest.param(STEPS, {}, COIN // 2, 1, id="the chain's for a small deposit"),
        pytest.param(STEPS, {}, COIN // 2 + 1, 3, id="the chain's for a larger one"),
        pytest.param(STEPS, {"confirmations": 2}, COIN // 2, 2, id="its own"),
    ],
)
async def test_confirmations_are_those_of_its_making(
    world: World, keys: dict[str, Any], fields: dict[str, Any], amount: int, blocks: int
) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world, keys, **fields)
    chain.pay(alice.address, amount)
    await world.mine(blocks - 1)
    await world.scan()
    assert ["detected"] == await alice.told()
    await world.mine(1)
    assert ["detected", "confirmed"] == await alice.told()
    assert blocks == (await alice.events())[1]["data"]["payment"]["required_confirmations"]


async def test_finality_is_waited_for(world: World) -> None:
    chain = world.add(has_mempool=False, finalized=3)
    await world.scan()
    alice = await customer(world, confirmations="finalized")
    chain.pay(alice.address, COIN)
    await world.mine(3)
    assert ["detected"] == await alice.told()
    await world.mine(1)
    assert ["detected", "confirmed"] == await alice.told()


async def test_confirmed_deposits_are_looked_at_no_more(world: World) -> None:
    chain = world.add()
    await world.scan()
    alice = await customer(world)
    chain.pay(alice.address, COIN)
    chain.pay(alice.address, COIN, asset=TOKEN)
    await world.mine(3)
    gone = chain.pay(alice.address, COIN)
    await world.scan()
    chain.drop(gone)
    await world.scan()
    assert {True} == {row.settled for row in await world.rows(DEPOSIT)}
    assert 6 == await world.count(EVENT)


async def test_a_credit_that_goes_to_another_address_on_another_branch_leaves_the_first(world: World) -> None:
    """The invoice that it paid is decided again, too, although the credit is no longer at its address."""
    world.add()
    await world.scan()
    one, two = [await world.invoice(confirmations=1) for _ in range(2)]
    await world.mine(1)
    head = world.chains["fake"].head
    for paid in (one, two):
        await _absorb_again(world, [Transfer("COIN", "aa" * 32, "call:0", paid.address, COIN, head)])
    assert ["pending reverted", "paid"] == [await one.status(), await two.status()]


async def test_a_credit_that_goes_to_another_customer_on_another_branch_is_taken_back(world: World) -> None:
    """By the payment's id, in the events of the one who has it now; who has it no more is named in it."""
    world.add()
    await world.scan()
    alice, bob = [await customer(world, confirmations=1) for _ in range(2)]
    await world.mine(1)
    head = world.chains["fake"].head
    for paid in (alice, bob):
        await _absorb_again(world, [Transfer("COIN", "aa" * 32, "call:0", paid.address, COIN, head)])
    assert ["detected", "confirmed"] == await alice.told()
    assert ["reverted reorganised", "detected", "confirmed"] == await bob.told()
    payments = [event["data"]["payment"] for event in [*await alice.events(), *await bob.events()]]
    assert 1 == len({payment["id"] for payment in payments})
    assert 3 * [alice.address] + 2 * [bob.address] == [payment["address"] for payment in payments]
