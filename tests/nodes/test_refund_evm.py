"""Refunds on a real anvil: what there is to sign is signed by an unlocked account, mined and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import refund_signer
import vyper_contracts as contracts
from chains.base import AddressError, Coin, Located, NodeUnavailable
from evm_chain import OTHER, OURS, Chain
from node_drivers import load
from public_keys import account
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chains.base import BlockRef, ChainAdapter
    from watcher.sandbox.anvil import Anvil

ETHER = 10**18
ORIGIN = "44h/60h/0h"


@pytest.fixture
async def tusd(anvil: Anvil) -> str:
    return token.create(anvil, name="Test Dollar", symbol="TUSD", decimals=6, supply=10**15)


@pytest.fixture
async def adapter(anvil: Anvil, tusd: str) -> AsyncIterator[ChainAdapter]:
    adapter = load(
        "dev",
        kind="evm",
        rpc=[anvil.url],
        chain_id=31337,
        native="ETH",
        confirmations=1,
        xpub=account("m/44'/60'/0'"),
        key_origin=refund_signer.origin(ORIGIN),
        assets=[{"symbol": "TUSD", "contract": tusd, "decimals": 6}],
    )
    await adapter.open()
    yield adapter
    await adapter.close()


def coin(adapter: ChainAdapter, block: BlockRef, asset: str, amount: int, index: int = 3) -> Coin:
    return Coin(asset, "0x" + "ab" * 32, "value", adapter.derive(index), amount, block, index)


def sign(node: Anvil, fields: dict[str, Any], sender: str) -> str:
    """Send the fields as they are from an account of the node's; the transaction's id."""
    assert 31337 == fields["chain_id"]
    made = {"from": sender, "to": fields["to"], "value": hex(int(fields["value"])), "data": fields["data"]}
    return str(node.rpc("eth_sendTransaction", made))


@pytest.mark.parametrize(("asset", "amount"), [("ETH", ETHER), ("TUSD", 25_500_000)])
async def test_the_fields_pay_exactly_the_refund_and_are_located(
    anvil: Anvil, adapter: ChainAdapter, asset: str, amount: int
) -> None:
    payer = adapter.canonical(OTHER.lower())
    received = [coin(adapter, (await adapter.tip()).head, asset, amount)]

    made = await adapter.unsigned(received, payer, asset, amount)
    txid = sign(anvil, made.fields["transaction"], anvil.accounts[0])
    waiting = await adapter.locate(txid, payer)
    anvil.mine()
    found = await adapter.locate(txid[2:].upper(), payer)

    path = {"address": adapter.derive(3), "path": f"m/{ORIGIN}/0/3", "amount": amount}
    assert (amount, [path]) == (made.arrives, made.fields["from"])
    assert adapter.payment_uri(payer, asset, amount) == made.fields["uri"]
    assert Located(None, None) == waiting
    assert found is not None
    assert await adapter.block(anvil.height) == found.block
    assert found.transfers is not None
    assert [(asset, txid, payer, amount)] == [
        (each.asset, each.txid, each.address, each.amount) for each in found.transfers
    ]


async def test_h33_a_transaction_of_a_replaced_block_is_located_nowhere(
    anvil: Anvil, adapter: ChainAdapter
) -> None:
    payer = adapter.canonical(OURS.lower())
    txid = anvil.send(payer, 5)
    anvil.mine()
    before = await adapter.locate(txid, payer)
    anvil.rpc("anvil_reorg", 1, [])

    assert before is not None
    assert before.block is not None
    assert await adapter.locate(txid, payer) is None
    assert await adapter.locate("0x" + "ab" * 32, payer) is None


async def test_h49_a_failed_transaction_credits_nothing(anvil: Anvil) -> None:
    chain = Chain(anvil)
    adapter = await chain.adapter()
    txid = chain.send(chain.token, 9)
    anvil.mine()
    found = await adapter.locate(txid, chain.token)
    await chain.close()

    assert found is not None
    assert found.block is not None
    assert () == found.transfers


async def test_what_a_contract_pays_inside_its_transaction_is_credited(anvil: Anvil) -> None:
    """A merchant's wallet may itself be a contract."""
    chain = Chain(anvil)
    adapter = await chain.adapter()
    txid = chain.send(chain.calls, 9, contracts.calldata("forward(address)", OURS))
    anvil.mine()
    found = await adapter.locate(txid, adapter.canonical(OURS.lower()))
    nobody = await adapter.locate(txid, adapter.canonical(OTHER.lower()))
    await chain.close()

    assert found is not None
    assert found.transfers is not None
    assert [9] == [each.amount for each in found.transfers]
    assert nobody is not None
    assert () == nobody.transfers


async def test_money_is_not_sent_to_where_nobody_gets_it_back(adapter: ChainAdapter, tusd: str) -> None:
    received = [coin(adapter, (await adapter.tip()).head, "TUSD", 7)]

    for address, said in ((adapter.canonical("0x" + "0" * 40), "zero address"), (tusd, "contract of TUSD")):
        with pytest.raises(AddressError, match=said):
            await adapter.unsigned(received, adapter.canonical(address), "TUSD", 7)


async def test_a_node_that_is_down_has_not_said_that_it_knows_nothing(
    anvil: Anvil, adapter: ChainAdapter
) -> None:
    txid = anvil.send(OURS, 5)
    anvil.stop()

    with pytest.raises(NodeUnavailable):
        await adapter.locate(txid, adapter.canonical(OURS.lower()))
