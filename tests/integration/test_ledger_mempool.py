"""Unconfirmed payments: replaced, dropped, returned, mined; and what a node forgets to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_chain import Credit
from watcher.tables import DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from world import World

SEEN = ["payment.detected", "invoice.confirming"]
GONE = ["payment.replaced", "invoice.reverted"]


async def test_a_replacement_that_pays_someone_else_takes_the_payment_back(world: World) -> None:
    """Hazard 16."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    chain.replace(txid, Credit("fake199999999", COIN))
    await world.scan()

    assert "pending reverted" == await invoice.status()
    assert SEEN + GONE == await invoice.told()
    assert "replaced" == (await invoice.events())[-1]["data"]["reason"]


async def test_a_replacement_mined_without_having_been_seen_takes_the_payment_back(world: World) -> None:
    """The conflict shows only in a block, by the outpoint that it spends."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    chain.replace(txid, Credit("fake199999999", COIN))
    await world.mine(1)

    assert ["replaced"] == await world.standings()
    assert SEEN + GONE == await invoice.told()


async def test_a_fee_bump_that_pays_as_much_counts_once(world: World) -> None:
    """Hazard 18."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    chain.replace(txid, Credit(invoice.address, COIN))
    await world.scan()
    assert "confirming" == await invoice.status()
    await world.mine(2)

    assert "paid" == await invoice.status()
    assert ["mined 1", "replaced"] == await world.standings()


async def test_a_replacement_that_pays_less_leaves_what_it_pays(world: World) -> None:
    """Hazard 19."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    chain.replace(txid, Credit(invoice.address, COIN // 4))
    await world.mine(2)

    assert "partial reverted" == await invoice.status()


async def test_a_dropped_payment_returns_and_is_detected_once(world: World) -> None:
    """Hazard 20, with CONTRACT: each payment sends `payment.detected` once."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    transaction = chain.pool[txid]
    chain.drop(txid)
    await world.scan()
    assert "pending reverted" == await invoice.status()

    chain.pool[txid] = transaction
    await world.scan()
    assert "confirming reverted" == await invoice.status()
    await world.mine(2)

    again = ["invoice.confirming", "payment.confirmed", "invoice.paid"]
    assert SEEN + GONE + again == await invoice.told()
    assert 1 == await world.count(DEPOSIT)


async def test_a_dropped_payment_past_the_deadline_is_expired(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    world.clock.advance(4000)
    await world.scan()
    assert "confirming" == await invoice.status()
    chain.drop(txid)
    await world.scan()

    assert [*SEEN, *GONE, "invoice.expired"] == await invoice.told()


async def test_zero_confirmations_pay_from_the_mempool_and_are_taken_back_with_it(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(confirmations=0)
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    assert "paid" == await invoice.status()

    chain.drop(txid)
    await world.scan()

    assert "pending reverted" == await invoice.status()


async def test_a_mempool_read_beside_another_head_is_no_reason_to_drop_anything(world: World) -> None:
    """A block came between: what it mined is missing from the mempool, and is not gone."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    chain.pay(invoice.address, COIN)
    await world.scan()
    world.adapters["fake"].faults.before("mempool", chain.mine)

    await world.scanners["fake"].turn()
    assert ["mempool"] == await world.standings()
    await world.mine(1)

    assert "paid" == await invoice.status()
    assert [*SEEN, "payment.confirmed", "invoice.paid"] == await invoice.told()


async def test_a_mempool_that_still_lists_what_was_mined_moves_nothing_back(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.mine(2)
    before = await invoice.told()

    chain.pool[txid] = chain._transactions[txid]
    world.clock.advance(20)
    await world.scan()

    assert ["mined 1"] == await world.standings()
    assert before == await invoice.told()


async def test_a_coinbase_that_is_reorganised_away_does_not_return(world: World) -> None:
    """Hazard 15."""
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(confirmations=1)
    chain.send([Credit(invoice.address, COIN)], maturity=100)
    await world.mine(1)
    assert "confirming" == await invoice.status()

    chain.reorg(1)
    await world.scan()

    assert ["reorganised"] == await world.standings()
    assert "pending reverted" == await invoice.status()


async def test_a_coinbase_pays_at_a_hundred_confirmations(world: World) -> None:
    chain = world.add()
    await world.scan()
    invoice = await world.invoice(confirmations=1, expires_in=86400)
    chain.send([Credit(invoice.address, COIN)], maturity=100)
    await world.mine(99)
    assert "confirming" == await invoice.status()

    await world.mine(1)

    assert "paid" == await invoice.status()


async def test_what_was_final_stays_final_while_the_node_forgets_it(world: World) -> None:
    """Hazards 9 and 11: `finalized` becomes null, then zero, then lower; nothing is taken back."""
    chain, adapter = world.add(has_mempool=False, safe=1, finalized=2), world.adapters["fake"]
    await world.scan()
    invoice = await world.invoice(confirmations="finalized")
    chain.pay(invoice.address, COIN)
    await world.mine(2)
    assert "confirming" == await invoice.status()
    await world.mine(1)
    assert "paid" == await invoice.status()

    kept = []
    for depths in ((None, None), (10**6, 10**6), (1, 3)):
        adapter._depths = depths
        chain.pay(invoice.address, 1)
        await world.mine(1)
        assert "paid overpaid" == await invoice.status()
        view = await world.ledger.view("fake")
        assert view is not None
        kept.append((view.safe, view.finalized))
    assert [(2, 1), (2, 1), (5, 3)] == kept


async def test_finality_that_stalls_confirms_nothing(world: World) -> None:
    chain = world.add(has_mempool=False, finalized=10**6)
    await world.scan()
    invoice = await world.invoice(confirmations="finalized")
    chain.pay(invoice.address, COIN)
    await world.mine(50)

    assert "confirming" == await invoice.status()


async def test_finality_pays_without_a_new_block(world: World) -> None:
    chain, adapter = world.add(has_mempool=False, finalized=5), world.adapters["fake"]
    await world.scan()
    invoice = await world.invoice(confirmations="finalized")
    chain.pay(invoice.address, COIN)
    await world.mine(3)
    assert "confirming" == await invoice.status()

    adapter._depths = (None, 1)
    await world.scan()

    assert "paid" == await invoice.status()


async def test_the_same_transaction_mined_again_with_another_amount_counts_as_it_stands(world: World) -> None:
    """EVM: what a call moves may depend on the block it is in."""
    chain = world.add(has_mempool=False)
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.mine(2)
    assert "paid" == await invoice.status()

    old = chain._transactions[txid]
    chain._transactions[txid] = type(old)(
        txid, (Credit(invoice.address, COIN // 2),), old.spends, old.seen_at
    )
    chain.reorg(2, keep={txid: 0})
    await world.scan()

    assert "partial reverted" == await invoice.status()
    (option,) = (await invoice.record()).decision.options
    assert (COIN // 2, COIN // 2) == (option.confirmed, option.missing)
    assert 1 == await world.count(DEPOSIT)


async def test_a_transaction_that_fails_on_the_new_branch_is_gone(world: World) -> None:
    """EVM: mined again, but it moves nothing there."""
    chain = world.add(has_mempool=False)
    await world.scan()
    invoice = await world.invoice()
    txid = chain.pay(invoice.address, COIN)
    await world.mine(2)

    old = chain._transactions[txid]
    chain._transactions[txid] = type(old)(txid, (), old.spends, old.seen_at)
    chain.reorg(2, keep={txid: 0})
    await world.scan()

    assert ["reorganised"] == await world.standings()
    assert "pending reverted" == await invoice.status()
