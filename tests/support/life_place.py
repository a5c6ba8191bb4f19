"""Where the stories of a whole life take place: nodes, shop, mail server, a configuration with policies."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import mail_office
import public_keys
import refund_signer
from daemon import Daemon
from life_town import Town
from shop import SECRET, Shop
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

_KEYS = """
[invoices]
late = "accept"
[invoices.policy]
accept_percent = "97"

[mail]
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "Shop <pay@shop.example>"

[chains.dev]
kind = "evm"
chain_id = 31337
native = "ETH"
rpc = ["{anvil}"]
xpub = "{ether}"
confirmations = 2
poll_interval = 0.2
stalled_after = 0
[[chains.dev.assets]]
symbol = "USDT"
contract = "{usdt}"
decimals = 6

[chains.litecoin]
preset = "litecoin-regtest"
rpc = ["{litecoind}"]
xpub = "{litecoin}"
key_origin = "{origin}"
confirmations = 1
poll_interval = 0.2
"""


@asynccontextmanager
async def open_town(folder: Path, anvil: Anvil, litecoind: Litecoind) -> AsyncIterator[Town]:
    """Prepare everything but the daemon's start; end it, however it comes to be started."""
    usdt = token.create(anvil, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)
    shop = Shop()
    await shop.start()
    async with mail_office.open_office() as office:
        keys = _KEYS.format(
            mail=office.port,
            anvil=anvil.url,
            litecoind=litecoind.url,
            usdt=usdt,
            ether=public_keys.account("m/44'/60'/0'"),
            litecoin=public_keys.account("m/84'/1'/0'", test=True),
            origin=refund_signer.origin("84h/1h/0h"),
        )
        daemon = Daemon(folder, keys, shop.url, SECRET)
        try:
            yield Town(daemon, shop, office, anvil, litecoind, usdt)
        finally:
            daemon.kill()
            await shop.stop()
