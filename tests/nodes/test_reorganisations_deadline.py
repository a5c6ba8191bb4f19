"""A litecoind reorganises while an invoice is at its deadline: mined again after it, or truly gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bitcoin_adapters import BURN
from litecoin_scene import NAME, litecoin_scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from litecoin_scene import LitecoinScene
    from watcher.sandbox.litecoind import Litecoind

NEVER = {"invoice.expired", "invoice.underpaid"}


@pytest.fixture
async def scene(litecoind: Litecoind, tmp_path: Path) -> AsyncIterator[LitecoinScene]:
    async with litecoin_scene(litecoind, tmp_path, history=200) as one:
        yield one


@pytest.mark.parametrize("at", ["before the reorganisation", "after it", "never"])
async def test_h105_paid_in_time_in_a_block_that_is_replaced_and_mined_again_after_the_deadline(
    scene: LitecoinScene, at: str
) -> None:
    invoice = await scene.invoice(expires_in=60, confirmations=2)
    txid = scene.node.pay(invoice.address, "1")
    scene.node.mine()
    assert ["confirming"] == await scene.right(invoice)

    if at == "before the reorganisation":
        scene.followed.clock.advance(3600)
        assert ["confirming"] == await scene.right(invoice)
    scene.replace(1)
    assert ["confirming"] == await scene.right(invoice)
    if at == "after it":
        scene.followed.clock.advance(3600)
        assert ["confirming"] == await scene.right(invoice)

    scene.node.mine_only(txid)
    scene.node.mine()
    assert ["paid"] == await scene.right(invoice)
    assert not NEVER & set(await invoice.told())


@pytest.mark.parametrize(
    ("left", "status", "told"),
    [
        pytest.param("0", "expired reverted", "invoice.expired", id="all is gone"),
        pytest.param("0.4", "underpaid reverted", "invoice.underpaid", id="a part is left"),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["deadline after it", "deadline before it"])
async def test_money_that_is_truly_gone_expires_the_invoice_once_the_deadline_is_proven(
    scene: LitecoinScene, left: str, status: str, told: str, *, late: bool
) -> None:
    invoice = await scene.invoice(expires_in=60, confirmations=1)
    if left != "0":
        scene.node.pay(invoice.address, left)
        scene.node.mine()
        await scene.right()
    lost = scene.node.pay(invoice.address, "1")
    other = scene.conflict(lost, BURN, "1")
    scene.node.mine()
    assert "paid" == (await scene.right(invoice))[0].split()[0]

    if late:
        scene.followed.clock.advance(61)
        assert "paid" == (await scene.right(invoice))[0].split()[0]
    scene.replace(1, {other: 0})
    if not late:
        assert (await scene.right(invoice))[0].split()[0] in {"pending", "partial"}
        assert told not in await invoice.told()
        scene.followed.clock.advance(61)

    assert [status] == await scene.right(invoice)
    assert 1 == (await invoice.told()).count(told)


async def test_nothing_expires_while_a_reorganisation_cannot_be_read(scene: LitecoinScene) -> None:
    invoice = await scene.invoice(expires_in=60, confirmations=2)
    txid = scene.node.pay(invoice.address, "1")
    scene.node.mine()
    await scene.right()
    scene.replace(1)
    raw = scene.raw(txid)
    scene.node.stop()
    scene.followed.clock.advance(3600)

    for _ in range(3):
        await scene.followed.scan()
        assert "confirming" == await invoice.status()
    scene.node.start()
    scene.node.mine_only(raw)
    scene.node.mine()

    assert ["paid"] == await scene.right(invoice)
    assert not NEVER & set(await invoice.told())


async def test_h15_a_coinbase_payment_counts_at_100_confirmations_and_is_gone_when_orphaned(
    scene: LitecoinScene,
) -> None:
    invoice = await scene.invoice("10", confirmations=1, expires_in=86400)
    scene.node.mine(1, invoice.address)
    scene.node.mine(98)
    assert ["confirming overpaid"] == await scene.right(invoice)
    scene.node.mine()
    assert ["paid overpaid"] == await scene.right(invoice)

    scene.replace(100)

    assert ["pending reverted"] == await scene.right(invoice)
    assert ["reorganised"] == await scene.followed.standings(NAME)


async def test_h22_a_transaction_that_the_nodes_own_list_names_twice_is_one_payment(
    scene: LitecoinScene,
) -> None:
    invoice, txid = await scene.paid(1)
    cursor = scene.node.rpc("getbestblockhash")
    scene.replace(1, {scene.raw(txid): 0})

    listed = scene.node.rpc("listsinceblock", cursor)
    named = [t["txid"] for t in [*listed["transactions"], *listed["removed"]] if t["txid"] == txid]
    assert 2 == len(named)
    assert ["paid"] == await scene.right(invoice)
    assert 1 == len(await scene.followed.standings(NAME))


async def test_h33_a_node_that_still_shows_a_transaction_of_an_orphaned_block_credits_nothing(
    scene: LitecoinScene,
) -> None:
    invoice = await scene.invoice(confirmations=1)
    txid = scene.node.pay(invoice.address, "1")
    other = scene.conflict(txid, BURN, "1")
    scene.node.mine()
    stale = scene.node.rpc("getbestblockhash")
    await scene.right()

    scene.replace(1, {other: 0})

    shown = scene.node.rpc("getrawtransaction", txid, True, stale)
    assert (stale, False) == (shown["blockhash"], shown["in_active_chain"])
    assert ["pending reverted"] == await scene.right(invoice)


async def test_h13_a_burst_of_100_blocks_confirms_by_their_number_and_only_so_far(
    scene: LitecoinScene,
) -> None:
    """Who fears bursts asks for more confirmations: an invoice may name as many as it likes."""
    usual, careful = [await scene.invoice(confirmations=n) for n in (2, 101)]
    for invoice in (usual, careful):
        scene.node.pay(invoice.address, "1")

    scene.node.mine(100)
    assert ["paid", "confirming"] == await scene.right(usual, careful)
    scene.node.mine()
    assert ["paid", "paid"] == await scene.right(usual, careful)
