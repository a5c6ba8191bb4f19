"""Refunds on a real litecoind: the PSBT is signed with the merchant's key, sent, mined and found again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import refund_signer
from bitcoin_adapters import COIN, connecting, mined, watch
from chains.base import ChainMoved, NodeUnavailable
from chains.base import Coin as Received
from public_keys import account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bitcoin_adapters import Connect
    from chains.bitcoin import Adapter
    from node_fixtures import LitecoindFactory
    from watcher.sandbox.litecoind import Litecoind

PURPOSE = {"p2pkh": 44, "p2sh-p2wpkh": 49, "p2wpkh": 84, "p2tr": 86}
SCRIPTS = [pytest.param(script, id=script) for script in PURPOSE]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with connecting() as adapters:
        yield adapters


def keys(script: str, *, origin: bool = True) -> dict[str, Any]:
    """Return the keys of `[chains.NAME]` that make the adapter derive addresses of this script."""
    purpose = PURPOSE[script]
    made = {"xpub": account(f"m/{purpose}'/1'/0'", test=True), "script": script}
    return made | ({"key_origin": refund_signer.origin(f"{purpose}h/1h/0h")} if origin else {})


def pay(node: Litecoind, adapter: Adapter, amounts: Mapping[str, int]) -> str:
    """Pay addresses in one transaction; those of taproot are unknown to this node's own calls."""
    others = {node.new_address(): address for address in amounts}
    raw: str = node.rpc(
        "createrawtransaction",
        [],
        [{other: str(Decimal(amounts[address]).scaleb(-8))} for other, address in others.items()],
    )
    for other, address in others.items():
        ours, theirs = adapter.key(address), adapter.key(other)
        raw = raw.replace(f"{len(theirs):02x}{theirs.hex()}", f"{len(ours):02x}{ours.hex()}")
    funded = node.rpc("fundrawtransaction", raw)["hex"]
    return str(node.rpc("sendrawtransaction", node.rpc("signrawtransactionwithwallet", funded)["hex"]))


async def received(node: Litecoind, adapter: Adapter, *amounts: int, first: int = 5) -> list[Received]:
    """Return what is confirmed at the addresses 0/first, 0/first+1, … after paying each one amount."""
    places = {adapter.derive(first + number): first + number for number in range(len(amounts))}
    pay(node, adapter, dict(zip(places, amounts, strict=True)))
    node.mine()
    found = await mined(adapter, watch(adapter, *places))
    return [
        Received(
            each.asset, each.txid, each.slot, each.address, each.amount, each.block, places[each.address]
        )
        for each in found
        if each.block is not None
    ]


def moved(node: Litecoind, raw: str) -> dict[str, int]:
    """Send a transaction; what it pays, by script."""
    node.rpc("sendrawtransaction", raw)
    decoded = node.rpc("decoderawtransaction", raw)
    return {
        each["scriptPubKey"]["hex"]: int(Decimal(str(each["value"])).scaleb(8)) for each in decoded["vout"]
    }


@pytest.mark.parametrize("origin", [True, False], ids=["from-the-root", "from-the-account"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_part_is_refunded_and_the_change_goes_to_the_wallets_own_chain(
    litecoind: Litecoind, connect: Connect, script: str, *, origin: bool
) -> None:
    adapter = connect(litecoind, **keys(script, origin=origin))
    coins = await received(litecoind, adapter, 3 * COIN, 2 * COIN)
    payer = adapter.canonical(litecoind.new_address())

    made = await adapter.unsigned(coins, payer, "LTC", 4 * COIN)
    raw = refund_signer.signed(made.fields["psbt"], None if origin else f"{PURPOSE[script]}h/1h/0h")
    paid = moved(litecoind, raw)

    assert adapter._key is not None
    change = adapter._key.change(5)
    assert 4 * COIN == made.arrives
    assert {
        adapter.key(payer).hex(): 4 * COIN,
        adapter.key(change).hex(): COIN - made.fields["fee"],
    } == paid
    root = f"m/{PURPOSE[script]}h/1h/0h/" if origin else ""
    assert [f"{root}0/5", f"{root}0/6"] == [each["path"] for each in made.fields["inputs"]]
    size = litecoind.rpc("decoderawtransaction", raw)["vsize"]
    assert size <= made.fields["vsize"] <= size + 4


@pytest.mark.parametrize("script", SCRIPTS)
async def test_all_that_came_is_refunded_less_the_fee_and_located_in_its_block(
    litecoind: Litecoind, connect: Connect, script: str
) -> None:
    adapter = connect(litecoind, **keys(script))
    coins = await received(litecoind, adapter, 3 * COIN, 2 * COIN)
    payer = adapter.canonical(litecoind.new_address("legacy"))

    made = await adapter.unsigned(coins, payer, "LTC", 5 * COIN)
    raw = refund_signer.signed(made.fields["psbt"])
    assert {adapter.key(payer).hex(): made.arrives} == moved(litecoind, raw)
    txid = litecoind.rpc("decoderawtransaction", raw)["txid"]
    waiting = await adapter.locate(txid.upper(), payer)
    litecoind.mine()
    (transfer,) = await mined(adapter, watch(adapter, payer))

    assert 5 * COIN - made.fields["fee"] == made.arrives
    assert 0 < made.fields["fee"] < COIN // 100
    assert waiting is not None
    assert waiting.block is None
    assert waiting.transfers is not None
    assert [(txid, made.arrives)] == [(each.txid, each.amount) for each in waiting.transfers]
    assert (txid, made.arrives, transfer.spends) == (
        transfer.txid,
        transfer.amount,
        waiting.transfers[0].spends,
    )


async def test_only_as_many_outputs_are_spent_as_the_refund_needs(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind, **keys("p2wpkh"))
    coins = await received(litecoind, adapter, COIN, 3 * COIN, 2 * COIN)
    payer = adapter.canonical(litecoind.new_address())

    one = await adapter.unsigned(coins, payer, "LTC", 2 * COIN)
    two = await adapter.unsigned(coins[::-1], payer, "LTC", 3 * COIN)

    assert [3 * COIN] == [each["amount"] for each in one.fields["inputs"]]
    assert [3 * COIN, 2 * COIN] == [each["amount"] for each in two.fields["inputs"]]
    assert two == await adapter.unsigned(coins, payer, "LTC", 3 * COIN), "the order does not matter"


async def test_outputs_that_were_spent_already_are_said_to_be(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind, **keys("p2wpkh"))
    coins = await received(litecoind, adapter, 3 * COIN, 2 * COIN)
    payer = adapter.canonical(litecoind.new_address())
    made = await adapter.unsigned(coins, payer, "LTC", 2 * COIN)
    moved(litecoind, refund_signer.signed(made.fields["psbt"]))

    rest = await adapter.unsigned(coins, payer, "LTC", COIN)
    more = await adapter.unsigned(coins, payer, "LTC", 3 * COIN)

    assert [2 * COIN] == [each["amount"] for each in rest.fields["inputs"]]
    assert (None, 3 * COIN) == (more.fields["psbt"], more.arrives)
    assert "spent already" in more.fields["note"]


async def test_an_address_of_a_caller_leaves_no_place_for_change(
    litecoind: Litecoind, connect: Connect
) -> None:
    """All of it can be refunded, and the caller's own wallet finds the input by its script."""
    adapter = connect(litecoind)
    brought = adapter.canonical(litecoind.new_address())
    pay(litecoind, adapter, {brought: 2 * COIN})
    litecoind.mine()
    (found,) = await mined(adapter, watch(adapter, brought))
    assert found.block is not None
    coin = Received("LTC", found.txid, found.slot, brought, found.amount, found.block, None)
    payer = adapter.canonical(litecoind.new_address())

    part = await adapter.unsigned([coin], payer, "LTC", COIN)
    whole = await adapter.unsigned([coin], payer, "LTC", 2 * COIN)
    signed = litecoind.rpc("walletprocesspsbt", whole.fields["psbt"])
    paid = moved(litecoind, litecoind.rpc("finalizepsbt", signed["psbt"])["hex"])

    assert part.fields["psbt"] is None
    assert "change" in part.fields["note"]
    assert {adapter.key(payer).hex(): whole.arrives} == paid


async def test_a_refund_that_the_fee_eats_up_is_refused(litecoind: Litecoind, connect: Connect) -> None:
    adapter = connect(litecoind, **keys("p2wpkh"))
    coins = await received(litecoind, adapter, 3000)
    payer = adapter.canonical(litecoind.new_address())

    with pytest.raises(
        ValueError, match=r"the fee of \d+ base units leaves \d+ of 3000, .* below 2940"
    ) as refusal:
        await adapter.unsigned(coins, payer, "LTC", 3000)
    assert "\n" not in str(refusal.value)


async def test_h33_a_transaction_of_a_replaced_block_is_located_nowhere(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node = litecoind_factory(txindex=True)
    adapter = connect(node, **keys("p2wpkh"))
    payer = adapter.canonical(node.new_address())
    txid = node.pay(payer, "1")
    node.mine()
    head = (await adapter.tip()).head
    await indexed(node, txid)
    before = await adapter.locate(f"0x{txid}", payer)
    node.rpc("invalidateblock", head.hash)
    conflict = node.rpc("getrawmempool")
    node.mine_only()
    waiting = await adapter.locate(txid, payer)

    assert before is not None
    assert head == before.block
    assert before.transfers is not None
    assert [(payer, COIN)] == [(each.address, each.amount) for each in before.transfers]
    assert [txid] == conflict
    assert waiting is not None
    assert waiting.block is None, "it is in the mempool again"


async def indexed(node: Litecoind, txid: str) -> None:
    """The index follows the chain a moment later."""
    for _ in range(100):
        if node.rpc("getindexinfo")["txindex"]["synced"]:
            break
    assert node.rpc("getrawtransaction", txid)


async def test_h33_a_stale_block_does_not_prove_what_it_holds(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    """The index still answers from the replaced block after the mempool has forgotten the transaction."""
    node = litecoind_factory(txindex=True)
    adapter = connect(node, **keys("p2wpkh"))
    payer = adapter.canonical(node.new_address())
    coinbase = node.mine(1, payer)[0]
    txid = node.rpc("getblock", coinbase)["tx"][0]
    await indexed(node, txid)
    before = await adapter.locate(txid, payer)
    node.rpc("invalidateblock", coinbase)
    node.mine(2)
    after = await adapter.locate(txid, payer)

    assert before is not None
    assert before.block is not None
    assert coinbase == before.block.hash
    assert coinbase == node.rpc("getrawtransaction", txid, True)["blockhash"], "the node still answers"
    assert after is None


async def test_without_an_index_a_mined_transaction_is_found_while_an_output_is_unspent(
    litecoind: Litecoind, connect: Connect
) -> None:
    adapter = connect(litecoind)
    payer = adapter.canonical(litecoind.new_address())
    txid = litecoind.pay(payer, "1")
    litecoind.mine(3)
    found = await adapter.locate(txid, payer)
    outputs = [each for each in litecoind.rpc("listunspent") if each["txid"] == txid]
    total = sum(Decimal(str(each["amount"])) for each in outputs)
    spends = [{"txid": txid, "vout": each["vout"]} for each in outputs]
    raw = litecoind.rpc("createrawtransaction", spends, [{litecoind.new_address(): str(total - 1)}])
    litecoind.rpc("sendrawtransaction", litecoind.rpc("signrawtransactionwithwallet", raw)["hex"], 0)
    moving = await adapter.locate(txid, payer)
    litecoind.mine()

    assert found is not None
    assert await adapter.block(litecoind.height - 3) == found.block
    assert found.transfers is not None
    assert [(txid, payer, COIN, found.block)] == [
        (each.txid, each.address, each.amount, each.block) for each in found.transfers
    ]
    assert found == moving, "what the mempool spends is still in its block"
    assert await adapter.locate(txid, payer) is None
    assert await adapter.locate("ab" * 32, payer) is None


async def test_a_node_that_is_behind_does_not_pass_a_payment_off_as_spent(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    node, behind = litecoind_factory(), litecoind_factory()
    adapter, other = connect(node, **keys("p2wpkh")), connect(behind, **keys("p2wpkh"))
    coins = await received(node, adapter, 3 * COIN)
    payer = adapter.canonical(node.new_address())

    with pytest.raises(ChainMoved, match="is another one, or not there yet"):
        await other.unsigned(coins, payer, "LTC", COIN)


async def test_a_second_endpoint_is_asked_for_what_the_first_does_not_know(
    litecoind_factory: LitecoindFactory, connect: Connect
) -> None:
    here, there = litecoind_factory(), litecoind_factory()
    adapter = connect(here, there)
    payer = adapter.canonical(there.new_address())
    txid = there.pay(payer, "1")
    await adapter.open()

    found = await adapter.locate(txid, payer)
    there.stop()
    unknown = await adapter.locate(txid, payer)
    here.stop()
    with pytest.raises(NodeUnavailable):
        await adapter.locate(txid, payer)

    assert found is not None
    assert unknown is None
