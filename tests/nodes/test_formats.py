"""Shops with the plugins of other systems, pointed at the installed daemon: real payments, and kill -9."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from chain_toml import anvil_chain
from daemon import Daemon
from plugin_shops import KEY, BtcPayShop, OxaPayShop
from shop import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from plugin_shops import PluginShop
    from watcher.sandbox.anvil import Anvil

NOWHERE = "http://127.0.0.1:9/"
WEI = 10**18 + 1
"""More digits than a float holds."""


def _daemon(folder: Path, anvil: Anvil) -> Daemon:
    return Daemon(
        folder,
        anvil_chain(anvil, confirmations=2),
        NOWHERE,
        SECRET,
    )


def _bodies(shop: PluginShop) -> list[bytes]:
    """Return what came, each message once; every repetition of one has its bytes."""
    assert len(set(shop.got)) == len({id_ for id_, _ in shop.got})
    return list(dict(shop.got).values())


async def test_shops_of_other_systems_complete_their_orders_through_a_kill(
    tmp_path: Path, anvil: Anvil
) -> None:
    daemon = _daemon(tmp_path, anvil)
    oxapay, btcpay = OxaPayShop(), BtcPayShop()
    async with oxapay.open(), btcpay.open():
        try:
            await daemon.start()
            await daemon.ready()
            for shop, form in ((oxapay, "oxapay"), (btcpay, "btcpay")):
                made = {"url": shop.url, "format": form, "secret": KEY}
                await daemon.call("POST", "/v1/webhooks", made, expect=201)
            invoice = await daemon.invoice(
                chain="dev", asset="ETH", amount="1.000000000000000001", order_id="A-1001"
            )
            btcpay.orders[invoice["id"]] = "new"
            anvil.send(invoice["options"][0]["address"], WEI)
            anvil.mine()
            await oxapay.until("A-1001", "processing")
            daemon.kill()
            anvil.mine()
            await daemon.start()
            await oxapay.until("A-1001", "completed")
            await btcpay.until(invoice["id"], "settled")
            before = len(oxapay.got) + len(btcpay.got)
            listed = await daemon.call("GET", f"/v1/deliveries?invoice_id={invoice['id']}&state=delivered")
            for one in listed["data"]:
                await daemon.call("POST", f"/v1/deliveries/{one['id']}/redeliver", {}, expect=202)
            async with asyncio.timeout(30):
                while len(oxapay.got) + len(btcpay.got) < before + 2:  # noqa: ASYNC110 - it happens elsewhere
                    await asyncio.sleep(0.02)
        finally:
            daemon.kill()

    first, last = (_bodies(oxapay)[n] for n in (0, -1))
    assert ("Paying", "Paid") == tuple(json.loads(body)["status"] for body in (first, last))
    assert b'"amount":1.000000000000000001,' in last
    assert ["InvoiceCreated", "InvoiceReceivedPayment", "InvoiceProcessing"] == [
        json.loads(body)["type"] for body in _bodies(btcpay)[:3]
    ]
