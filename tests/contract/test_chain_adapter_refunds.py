"""The contract of chains.base.ChainAdapter for refunds: what there is to sign, and where a transaction is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from chains.base import AddressError, Coin, NodeUnavailable, Watched

if TYPE_CHECKING:
    from chains.base import ChainAdapter
    from drivers import ChainDriver

PAYER = 90
"""The index of an address that stands for the payer's own."""


async def received(driver: ChainDriver, adapter: ChainAdapter, *amounts: int) -> list[Coin]:
    """Return what is confirmed at the address 0/0 after one payment of each amount."""
    address = adapter.derive(0)
    first = driver.height() + 1
    for amount in amounts:
        driver.pay(address, amount)
    driver.mine()
    reading = await adapter.read(first, driver.height(), Watched({adapter.key(address)}))
    return [
        Coin(each.asset, each.txid, each.slot, each.address, each.amount, each.block, 0)
        for each in reading.transfers
        if each.block is not None
    ]


async def test_a_refund_arrives_whole_where_the_coins_leave_something_for_the_fee(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    coins = await received(driver, adapter, 20_000_000, 30_000_000)
    made = await adapter.unsigned(coins, adapter.derive(PAYER), driver.asset, 40_000_000)

    assert 40_000_000 == made.arrives
    assert "kind" in made.fields
    assert made.fields == json.loads(json.dumps(made.fields))
    assert adapter.derive(PAYER).lower().removeprefix("0x") in json.dumps(made.fields).lower()


async def test_a_refund_of_all_arrives_less_the_fee_at_most(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    coins = await received(driver, adapter, 20_000_000, 30_000_000)
    made = await adapter.unsigned(coins, adapter.derive(PAYER), driver.asset, 50_000_000)

    fee = made.fields.get("fee", 0)
    assert 50_000_000 - fee == made.arrives
    assert 0 <= fee < 1_000_000


async def test_what_is_to_be_signed_does_not_change_between_two_questions(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    coins = await received(driver, adapter, 20_000_000, 20_000_000, 30_000_000)
    asked = (adapter.derive(PAYER), driver.asset, 40_000_000)

    assert await adapter.unsigned(coins, *asked) == await adapter.unsigned(coins, *asked)


async def test_an_unconfirmed_transaction_is_located_outside_of_blocks(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    txid = driver.pay(address, 500_000, 700_000)
    found = await adapter.locate(txid, address)

    assert found is not None
    assert found.block is None
    assert found.transfers is not None or not adapter.has_mempool
    if found.transfers is not None:
        assert [(txid, 500_000), (txid, 700_000)] == [(each.txid, each.amount) for each in found.transfers]


async def test_what_it_pays_to_others_is_not_credited_to_the_address(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    txid = driver.pay(adapter.derive(0), 500_000)
    waiting = await adapter.locate(txid, adapter.derive(1))
    driver.mine()
    mined = await adapter.locate(txid, adapter.derive(1))

    assert [()] * 2 == [each.transfers or () if each else () for each in (waiting, mined)]


async def test_a_mined_transaction_is_located_in_its_block_as_it_is_read(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    txid = driver.pay(address, 500_000)
    driver.mine()
    head = driver.height()
    found = await adapter.locate(txid, address)

    assert found is not None
    reading = await adapter.read(head, head, Watched({adapter.key(address)}))
    assert (reading.blocks[0], reading.transfers) == (found.block, found.transfers)


async def test_h33_after_a_reorganisation_the_old_block_is_no_place(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    address = adapter.derive(0)
    txid = driver.pay(address, 500_000)
    driver.mine()
    old = await adapter.block(driver.height())
    driver.reorg(1, {})
    found = await adapter.locate(txid, address)

    assert found is None or found.block is None
    assert await adapter.block(driver.height() - 1) != old


async def test_a_transaction_is_named_in_any_form_and_written_in_one(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    txid = driver.pay(adapter.derive(0), 500_000)
    plain = txid.removeprefix("0x")

    forms = [plain, plain.upper(), f"0x{plain}", f"0X{plain.upper()}", f" {txid}\n"]
    assert [txid] * len(forms) == [adapter.transaction_id(form) for form in forms]
    for form in forms:
        assert await adapter.locate(form, adapter.derive(0)) is not None


@pytest.mark.parametrize("text", ["", "0x", "ab" * 31, "ab" * 33, "xy" * 32, "0x" + "ab" * 31 + "a "])
async def test_what_cannot_be_a_transaction_is_refused_in_one_line(adapter: ChainAdapter, text: str) -> None:
    with pytest.raises(AddressError) as refusal:
        adapter.transaction_id(text)
    with pytest.raises(AddressError):
        await adapter.locate(text, adapter.derive(0))

    assert "\n" not in str(refusal.value)


async def test_an_unknown_transaction_is_none_and_a_node_that_is_down_is_not(
    driver: ChainDriver, adapter: ChainAdapter
) -> None:
    unknown = await adapter.locate("ab" * 32, adapter.derive(0))
    driver.stop()

    assert unknown is None
    with pytest.raises(NodeUnavailable):
        await adapter.locate("ab" * 32, adapter.derive(0))
