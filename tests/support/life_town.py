"""A merchant with the installed command, payers with wallets on real nodes, and a book of all that moved.

Stories are asynchronous generators, which go on together: each names with `yield` how it wants to find the
daemon the next time. Between two turns the daemon is killed, so no story's step outlives its process.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import aiohttp

import refund_signer
from watcher.sandbox import token

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from daemon import Daemon
    from mail_office import Office
    from shop import Shop
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

ETHER = 10**18
MINUTE = 60
"""The shortest time to pay; every invoice that is to run out has it, and one wait serves them all."""


class Then(Enum):
    """How a story wants to find the daemon when it goes on: started anew, killed, or past the deadlines."""

    STARTED = 1
    DEAD = 2
    LATE = 3


@dataclass
class Book:
    """What the wallets sent: transaction -> kind, asset and amount; what was lost again is taken out."""

    moved: dict[str, tuple[str, str, Decimal]] = field(default_factory=dict)

    def note(self, txid: str, kind: str, asset: str, amount: str) -> str:
        self.moved[txid.lower()] = (kind, asset, Decimal(amount))
        return txid

    def sums(self) -> dict[tuple[str, str], Decimal]:
        found: dict[tuple[str, str], Decimal] = {}
        for kind, asset, amount in self.moved.values():
            found[kind, asset] = found.get((kind, asset), Decimal(0)) + amount
        return found


@dataclass
class Town:
    """One deployment and those who deal with it."""

    daemon: Daemon
    shop: Shop
    office: Office
    anvil: Anvil
    litecoind: Litecoind
    usdt: str
    book: Book = field(default_factory=Book)
    late_at: float = 0.0
    """When every invoice that is to run out has run out, in seconds since 1970."""

    # The merchant

    async def said(self, *words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(self.daemon.command, *words)

    async def text(self, *words: str) -> str:
        """Return what a command that has to succeed printed."""
        result = await self.said(*words)
        assert (0, "") == (result.returncode, result.stderr), result
        return result.stdout

    async def does(self, *words: str) -> Any:
        """Return the JSON that a command answers."""
        return json.loads(await self.text(*words, "--json"))

    async def refused(self, id_: str, act: str, **body: Any) -> str:
        """Return the code by which an act is refused; the command says the same in one line."""
        answer = await self.daemon.call("POST", f"/v1/invoices/{id_}/{act}", body, expect=409)
        words = [word for name, value in body.items() for word in (f"--{name}", value)]
        result = await self.said("invoice", act, id_, *words)
        assert (1, "", 1) == (result.returncode, result.stdout, len(result.stderr.splitlines())), result
        return str(answer["error"]["code"])

    async def invoice(self, **body: Any) -> dict[str, Any]:
        made = await self.daemon.invoice(**body)
        if body.get("expires_in") == MINUTE:
            self.late_at = max(self.late_at, datetime.fromisoformat(made["expires_at"]).timestamp() + 1)
        return made

    async def show(self, id_: str) -> dict[str, Any]:
        shown: dict[str, Any] = await self.daemon.call("GET", f"/v1/invoices/{id_}")
        return shown

    async def becomes(self, id_: str, status: str) -> dict[str, Any]:
        """Wait for a status."""
        return await self.until(lambda: self.show(id_), lambda one: bool(one["status"] == status))

    async def until(
        self, ask: Callable[[], Awaitable[dict[str, Any]]], right: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        one: dict[str, Any] = {}
        try:
            async with asyncio.timeout(30):
                while not right(one := await ask()):  # noqa: ASYNC110 - it happens elsewhere
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(json.dumps(one, indent=1)) from None
        return one

    async def public(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask as somebody who has no key."""
        url = f"http://127.0.0.1:{self.daemon.port}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as answer:
            return answer.status, await answer.json()

    # The payers, and the merchant's wallet

    def pay_ether(self, address: str, amount: str, blocks: int = 2, kind: str = "payment") -> str:
        txid = self.anvil.send(address, int(Decimal(amount) * ETHER))
        self.anvil.mine(blocks)
        return self.book.note(txid, kind, "ETH", amount)

    def pay_tether(self, address: str, amount: str, kind: str = "payment") -> str:
        txid = token.send(self.anvil, self.usdt, address, int(Decimal(amount) * 10**6))
        self.anvil.mine(2)
        return self.book.note(txid, kind, "USDT", amount)

    def pay_litecoin(self, address: str, amount: str, blocks: int = 1, kind: str = "payment") -> str:
        txid = self.litecoind.pay(address, amount)
        if blocks:
            self.litecoind.mine(blocks)
        return self.book.note(txid, kind, "LTC", amount)

    def send_unsigned(self, refund: dict[str, Any]) -> str:
        """Send from an account of anvil's what the daemon asked to be signed, into no block yet."""
        fields = refund["unsigned"]["transaction"]
        assert int(self.anvil.rpc("eth_chainId"), 16) == fields["chain_id"]
        sender = self.anvil.accounts[3 if fields["data"] == "0x" else 0]  # the first one has the tokens
        txid = self.anvil.send(fields["to"], int(fields["value"]), fields["data"], sender)
        return self.book.note(txid, "refund", refund["asset"], refund["arrives"])

    def send_psbt(self, file: Path, refund: dict[str, Any]) -> str:
        """Sign the PSBT of a file with the merchant's key and broadcast it, into no block yet."""
        raw = refund_signer.signed(base64.b64encode(file.read_bytes()).decode())
        txid = str(self.litecoind.rpc("sendrawtransaction", raw))
        return self.book.note(txid, "refund", "LTC", refund["arrives"])

    # Time

    async def live(self, stories: Sequence[Callable[[Town], AsyncGenerator[Then]]]) -> None:
        """Let the stories happen, and kill the daemon between their steps until all are told."""
        wishes = {story(self): Then.STARTED for story in stories}
        while wishes:
            self.daemon.kill()
            dead = await self._turn({one: wish for one, wish in wishes.items() if wish is Then.DEAD})
            await self.daemon.start()
            await self.daemon.ready()
            waiting = {one: wish for one, wish in wishes.items() if wish is not Then.DEAD}
            ripe = {one: waiting[one] for one in waiting if waiting[one] is Then.STARTED}
            if not ripe and not dead:
                await asyncio.sleep(max(0.0, self.late_at - time.time()))
            if time.time() >= self.late_at:
                self.anvil.rpc("evm_mine")
                ripe = waiting
            rest = {one: wish for one, wish in waiting.items() if one not in ripe}
            wishes = dead | rest | await self._turn(ripe)

    async def _turn(self, stories: Iterable[AsyncGenerator[Then]]) -> dict[AsyncGenerator[Then], Then]:
        wishes = {}
        for story in stories:
            try:
                wishes[story] = await anext(story)
            except StopAsyncIteration:
                continue
        return wishes
