"""All that lives around the killed daemon: chains that grow and fork, merchant and shop, the witness."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from clerk import Clerk
from node_drivers import load
from orders import LATE, SHORT, Merchant, invent
from patrons import Patrons
from public_keys import account
from receiver import MAIN
from subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from mail_office import Office
    from orders import Order
    from receiver import Receiver
    from sides import EvmSide, LitecoinSide
    from subject import Nursery

STALLED = 3
"""Seconds without a block after which the shop is told; the load mines faster, but for when it means to."""
BRISK, CALM = 0.2, 0.5
"""Seconds between two looks at a chain, of the killed daemon, and of the one that has all the time."""
AFTER = 1.0
"""Seconds from an invoice to its first payment: blocks count whole ones, and must not seem to be before."""
PAYERS = 1_000_000
"""From this number on the addresses are those that payers want money back to."""
OPEN = 3
"""Customers at a time."""
_CHAINS = """
[chains.dev]
kind = "evm"
chain_id = 31337
native = "ETH"
rpc = ["{evm.node.url}"]
confirmations = 2
poll_interval = {poll}
stalled_after = {stalled}
cross_check = 3
{evm_key}
[[chains.dev.assets]]
symbol = "USDT"
contract = "{evm.token}"
decimals = 6

[chains.litecoin]
preset = "litecoin-regtest"
rpc = ["{litecoin.node.url}"]
confirmations = 1
poll_interval = {poll}
{litecoin_key}
"""
_MAIL = """
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "Shop <pay@shop.example>"
"""


class Town:
    """Runs the load until it is told to calm down."""

    def __init__(
        self,
        folder: Path,
        random: Random,
        evm: EvmSide,
        litecoin: LitecoinSide,
        shop: Receiver,
        office: Office,
        nursery: Nursery,
        database: Callable[[str], str],
    ) -> None:
        self.random = random
        self.evm, self.litecoin, self.shop, self.office = evm, litecoin, shop, office
        keys = (account("m/44'/60'/0'"), account("m/84'/1'/0'", test=True))
        self.victim = Subject(
            folder,
            "victim",
            self._chains(BRISK, *(f'xpub = "{key}"' for key in keys)) + _MAIL.format(port=office.port),
            database=database("victim"),
            shop=f"{shop.url}/{MAIN}",
            nursery=nursery,
        )
        self.witness = Subject(
            folder, "witness", self._chains(CALM, "", ""), database=database("witness"), nursery=None
        )
        self.merchant = Merchant(self.victim, self.witness, shop.url)
        self.patrons = Patrons(self.victim, (evm, litecoin), random)
        self.mining = {"dev": True, "litecoin": True}
        self.short_until = 0.0
        """Until when (monotonic) invoices may be made that end within the test."""
        self.coins_may_be_short = False
        """Only after the power cut: what is lost there comes back too late for a deadline."""
        self._own = [
            load("dev", kind="evm", rpc=[evm.node.url], chain_id=31337, native="ETH", confirmations=1,
                 xpub=account("m/44'/60'/7'")),
            load("litecoin", kind="bitcoin", rpc=[litecoin.node.url], coin="litecoin", network="regtest",
                 confirmations=1, xpub=account("m/84'/1'/7'", test=True), script="p2wpkh"),
        ]  # fmt: skip
        self.clerk = Clerk(self.victim, self.witness, (evm, litecoin), self._fresh, random)
        self._selling = True
        self._customers: set[asyncio.Task[None]] = set()
        self._failed: list[asyncio.Task[None]] = []
        self._last_end = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    def _chains(self, poll: float, evm_key: str, litecoin_key: str) -> str:
        return _CHAINS.format(
            evm=self.evm,
            litecoin=self.litecoin,
            stalled=STALLED,
            poll=poll,
            evm_key=evm_key,
            litecoin_key=litecoin_key,
        )

    def grow(self) -> None:
        """Let the chains grow."""
        self._tasks += [asyncio.create_task(self._mine(side)) for side in (self.evm, self.litecoin)]

    def begin(self) -> None:
        """Open the shop, and let the chains fork."""
        loops = (self._sell(), self._receive(), self._trouble())
        self._tasks += [asyncio.create_task(loop) for loop in loops]

    def check(self) -> None:
        """Raise what a part of the load died of."""
        for task in (*self._tasks, *self._failed):
            if task.done() and not task.cancelled():
                task.result()

    async def end(self) -> None:
        for task in (*self._tasks, *self._customers):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._customers, return_exceptions=True)

    async def calm(self, say: Callable[[str], None]) -> None:
        """Sell nothing more, let everyone pay and every deadline pass, and bury it all below blocks."""
        self._selling = False
        while self._customers:
            say(f"{len(self._customers)} customers still pay")
            await asyncio.wait(self._customers, timeout=10)
            self.check()
        for task in self._tasks:
            task.cancel()
        self.shop.rough = 0
        wait = self._last_end - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        for _ in range(6):
            await asyncio.gather(self.evm.mine(), self.litecoin.mine())
            await asyncio.sleep(0.5)
        await asyncio.sleep(1.0)
        await self.evm.mine()

    async def _mine(self, side: EvmSide | LitecoinSide) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0.2, 0.9))
            if self.mining[side.name]:
                await side.mine()

    async def _trouble(self) -> None:
        """Fork a chain now and then, and replace a payment."""
        while True:
            await asyncio.sleep(self.random.uniform(1, 4))
            await self.random.choice([self.evm.reorganise, self.litecoin.reorganise, self.litecoin.bump])()

    async def _sell(self) -> None:
        number = 0
        while True:
            if self._selling and self._buying() < OPEN:
                number += 1
                self._customers.add(task := asyncio.create_task(self._customer(self._invent(number))))
                task.add_done_callback(self._gone)
            await asyncio.sleep(self.random.uniform(0.1, 0.6))

    async def _receive(self) -> None:
        """Have standing addresses made and paid, one after the other."""
        while self._selling:
            await self.patrons.come()
            await asyncio.sleep(self.random.uniform(0.2, 1.0))

    def _buying(self) -> int:
        """Return how many wait for their invoice."""
        return sum(order.twin is None for order in self.merchant.orders)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._customers.discard(task)
        if not task.cancelled() and task.exception():
            self._failed.append(task)

    def _invent(self, number: int) -> Order:
        short = time.monotonic() < self.short_until and self.random.random() < 0.4
        settled = self.coins_may_be_short
        order = invent(number, self.random, short=short, coins=not short or settled, safe=settled)
        if order.keyed and not order.linked and self.random.random() < 0.3:
            order.brought = [self._own[asset == "LTC"].derive(number) for asset in order.assets]
        return order

    def _fresh(self, chain: str, number: int) -> str:
        """Return an address of a payer."""
        return self._own[chain == "litecoin"].derive(PAYERS + number)

    async def _customer(self, order: Order) -> None:
        await self.merchant.sell(order)
        if order.wish == "cancel":
            await self.clerk.see_to(order)
        await self._pay(order)
        if order.wish == "extend":  # before it has ended, or after
            await asyncio.sleep(self.random.choice([0.0, SHORT + LATE]) if order.short else 0.0)
        if order.wish != "cancel":
            await self.clerk.see_to(order)

    async def _pay(self, order: Order) -> None:
        made = time.monotonic()
        if order.short:
            self._last_end = max(self._last_end, made + SHORT + LATE)
        for after, asset, address, units in order.payments():
            await asyncio.sleep(max(0.0, made + max(AFTER, after) - time.monotonic()))
            side = self.litecoin if asset == "LTC" else self.evm
            await side.pay(asset, address, units)
