"""A shop that takes ether and a token on anvil, its daemon as a process, and what passes time for both."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import public_keys
from daemon import Daemon
from shop import SECRET, Shop
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watcher.sandbox.anvil import Anvil

ETH = {"chain": "dev", "asset": "ETH"}
USDT = {"chain": "dev", "asset": "USDT"}
_UNITS = {"ETH": 10**18, "USDT": 10**6}
_WITHIN = 30.0
_LATER = Path(__file__).with_name("later_watcher.py")
_KEYS = """
[checkout]
shop = "Tea & Biscuits"
contact = "help@shop.example"

[chains.dev]
title = "Ethereum (test)"
explorer = "https://explorer.example/tx/{{txid}}"
kind = "evm"
chain_id = 31337
native = "ETH"
rpc = ["{anvil}"]
xpub = "{ether}"
confirmations = 2
poll_interval = 0.1
stalled_after = 0
[[chains.dev.assets]]
symbol = "USDT"
contract = "{usdt}"
decimals = 6
"""


@dataclass
class Town:
    """One deployment and its payers. Amounts are in coins."""

    daemon: Daemon
    shop: Shop
    anvil: Anvil
    usdt: str
    ahead: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.daemon.port}"

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        """Create an invoice of ether; `return_url` is the shop's page."""
        asked = {} if "options" in fields else ETH
        return await self.daemon.invoice(**asked, return_url=self.shop.thanks, **fields)

    def pay(self, address: str, asset: str, amount: str, blocks: int = 0) -> str:
        """Pay from a wallet of its own, into so many blocks; the transaction's id."""
        units = int(Decimal(amount) * _UNITS[asset])
        if asset == "USDT":
            txid = token.send(self.anvil, self.usdt, address, units)
        else:
            txid = self.anvil.send(address, units)
        if blocks:
            self.anvil.mine(blocks)
        return txid

    async def later(self, seconds: int) -> None:
        """Let time pass, for the daemon and for the chain, whose next block says so.

        The shop keeps the machine's time, and believes no message that is 300 seconds off.
        """
        passed = int(self.ahead.read_text()) + seconds
        self.ahead.write_text(str(passed))
        self.anvil.rpc("evm_setNextBlockTimestamp", int(time.time()) + passed)
        self.anvil.mine()

    async def becomes(self, id_: str, status: str) -> dict[str, Any]:
        """Wait for a status."""
        async with asyncio.timeout(_WITHIN):
            while True:
                shown: dict[str, Any] = await self.daemon.call("GET", f"/v1/invoices/{id_}")
                if shown["status"] == status:
                    return shown
                await asyncio.sleep(0.05)


@asynccontextmanager
async def open_town(folder: Path, anvil: Anvil, *, with_time: bool = False) -> AsyncIterator[Town]:
    """Run all of it to the end of the block. `with_time`: so that `later` works."""
    usdt = token.create(anvil, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)
    shop, ahead = Shop(), folder / "ahead"
    ahead.write_text("0")
    await shop.start()
    keys = _KEYS.format(anvil=anvil.url, usdt=usdt, ether=public_keys.account("m/44'/60'/0'"))
    daemon = Daemon(folder, keys, shop.url, SECRET)
    if with_time:
        daemon.program, daemon.environment = [sys.executable, str(_LATER)], {"AHEAD": str(ahead)}
    try:
        await daemon.start(key=False)
        await daemon.make_key()
        await daemon.ready()
        yield Town(daemon, shop, anvil, usdt, ahead)
    finally:
        daemon.kill()
        await shop.stop()
