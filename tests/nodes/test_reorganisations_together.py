"""Several chains reorganise at once: each is undone for itself, and an invoice on both is judged by both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ether_scene
import litecoin_scene
from followed import ether, following, litecoin
from naive_scan import Witness

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

OPTIONS = [
    {"chain": litecoin_scene.NAME, "asset": "LTC", "amount": "2"},
    {"chain": ether_scene.NAME, "asset": "ETH", "amount": "4"},
]


@pytest.mark.parametrize("depth", [2, 12], ids="depth {}".format)
async def test_two_chains_reorganise_under_an_invoice_that_was_paid_on_both(
    anvil: Anvil, litecoind: Litecoind, tmp_path: Path, depth: int
) -> None:
    tables = {
        litecoin_scene.NAME: litecoin(litecoind.url, confirmations=1),
        ether_scene.NAME: ether(anvil.url, confirmations=1),
    }
    async with following(tmp_path, **tables) as followed:
        await followed.caught_up()
        coins = litecoin_scene.LitecoinScene(litecoind, followed)
        ethers = ether_scene.EtherScene(anvil, followed, anvil.accounts[9])
        coins.witness = ethers.witness = Witness(followed)
        invoice = await followed.invoice(options=OPTIONS)
        half = coins.raw(litecoind.pay(invoice.addresses[0], "1"))
        other = ethers.pay(invoice.addresses[1], 2 * ether_scene.ETHER)
        litecoind.mine(depth)
        anvil.mine(depth)
        assert ["paid"] == await coins.right(invoice) == await ethers.right(invoice)

        coins.replace(depth)
        ethers.replace(depth)
        after = {2: "partial reverted", 12: "pending reverted"}[depth]  # a deep one empties the mempool, too
        await coins.right(invoice)
        assert [after] == await ethers.right(invoice)

        anvil.rpc("eth_sendRawTransaction", other)
        anvil.mine()
        assert ["partial reverted" if depth > 2 else "confirming reverted"] == await ethers.right(invoice)
        litecoind.mine_only(half)
        assert ["paid reverted"] == await coins.right(invoice)
        assert 2 == (await invoice.told()).count("invoice.paid")


async def test_one_chain_that_halts_delays_no_other(
    anvil: Anvil, litecoind: Litecoind, tmp_path: Path
) -> None:
    tables = {
        litecoin_scene.NAME: litecoin(litecoind.url, confirmations=1),
        ether_scene.NAME: ether(anvil.url, confirmations=1),
    }
    async with following(tmp_path, {litecoin_scene.NAME: 10}, **tables) as followed:
        await followed.caught_up()
        coins = litecoin_scene.LitecoinScene(litecoind, followed)
        ethers = ether_scene.EtherScene(anvil, followed, anvil.accounts[9])
        litecoind.mine(12)
        lost, _ = await coins.paid(11, confirmations=1)
        coins.replace(11)
        invoice = await ethers.invoice(confirmations=1)
        ethers.pay(invoice.address)
        anvil.mine()

        await followed.scan()

        assert ["halted", "live"] == [followed.status(name).state for name in followed.scanners]
        assert ["paid", "paid"] == [await lost.status(), await invoice.status()]
