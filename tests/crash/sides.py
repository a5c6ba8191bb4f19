"""The two real chains below the crash test: paid on, mined, reorganised, and for one night switched off."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from watcher.money import format_amount
from watcher.sandbox import token
from watcher.sandbox.rpc import CallError

if TYPE_CHECKING:
    from random import Random

    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

_SPENT = -8
"""The change of the payment was spent by a later one: it cannot be replaced any more."""
DEPTH = 3
"""Blocks that a reorganisation takes back, at most."""


class EvmSide:
    """anvil, with a token. Every coin payment has a sender of its own, so that nonces leave no holes."""

    name = "dev"

    def __init__(self, node: Anvil, random: Random) -> None:
        self.node = node
        self.token = token.create(node, name="Test Tether", symbol="USDT", decimals=6, supply=10**15)
        node.mine(5)
        self.born = node.height
        self._random = random
        self._accounts = node.accounts[1:]
        self._lock = asyncio.Lock()

    async def pay(self, asset: str, address: str, units: int) -> str:
        async with self._lock:
            return await asyncio.to_thread(self._pay, asset, address, units)

    def _pay(self, asset: str, address: str, units: int) -> str:
        if asset == "USDT":
            return token.send(self.node, self.token, address, units)
        return self.node.send(address, units, sender=self._random.choice(self._accounts))

    async def give_back(self, asset: str, address: str, units: int) -> str:
        """Pay a refund."""
        return await self.pay(asset, address, units)

    async def depth(self, txid: str) -> int:
        """Return a transaction's confirmations, -1 if it is gone for ever, or there is none."""
        async with self._lock:
            return await asyncio.to_thread(self._depth, txid)

    def _depth(self, txid: str) -> int:
        found = self.node.rpc("eth_getTransactionByHash", txid) if txid else None
        if found is None:
            return -1
        return self.node.height - int(found["blockNumber"], 16) + 1 if found["blockNumber"] else 0

    async def mine(self) -> None:
        async with self._lock:
            await asyncio.to_thread(self.node.mine)

    async def reorganise(self) -> None:
        """Replace the last blocks by others that hold some of their transactions, in other places."""
        async with self._lock:
            await asyncio.to_thread(self._reorganise)

    def _reorganise(self) -> None:
        self.node.mine()
        depth = min(self._random.randint(1, DEPTH), self.node.height - self.born - 1)
        if depth < 1:
            return
        kept = [(self.node.rpc("eth_getRawTransactionByHash", id_), n) for id_, n in self._kept(depth)]
        self.node.rpc("anvil_rollback", depth)
        self.node.rpc("evm_setTime", int(time.time()))  # anvil_reorg would put its clock back
        for number in range(depth + 1):
            for raw in (raw for raw, place in kept if place == number):
                self.node.rpc("eth_sendRawTransaction", raw)
            self.node.mine()

    def _kept(self, depth: int) -> list[tuple[str, int]]:
        """Choose the transactions that stay, each with its new block; none follows a dropped one's nonce."""
        dropped: set[str] = set()
        kept = []
        place = 0
        for height in range(self.node.height - depth + 1, self.node.height + 1):
            for each in self.node.rpc("eth_getBlockByNumber", hex(height), True)["transactions"]:
                if each["from"] in dropped or self._random.random() < 0.4:
                    dropped.add(each["from"])
                    continue
                place = min(depth - 1, max(place, self._random.randrange(depth)))
                kept.append((each["hash"], place))
        return kept

    async def balances(self, addresses: list[str]) -> dict[tuple[str, str], int]:
        """Return what each address has of each asset: the chain's own sum of all credits."""
        return await asyncio.to_thread(self._balances, addresses)

    def _balances(self, addresses: list[str]) -> dict[tuple[str, str], int]:
        found = {}
        for address in addresses:
            call = {"to": self.token, "data": "0x70a08231" + "0" * 24 + address[2:].lower()}
            found[address, "ETH"] = int(self.node.rpc("eth_getBalance", address, "latest"), 16)
            found[address, "USDT"] = int(self.node.rpc("eth_call", call, "latest"), 16)
        return {place: units for place, units in found.items() if units}


class LitecoinSide:
    """litecoind with its wallet."""

    name = "litecoin"

    def __init__(self, node: Litecoind, random: Random) -> None:
        self.node = node
        self.born = node.height
        self._random = random
        self._lock = asyncio.Lock()
        self._unconfirmed: list[str] = []

    async def pay(self, asset: str, address: str, units: int) -> str:
        del asset
        async with self._lock:
            txid = await asyncio.to_thread(self.node.pay, address, format_amount(units, 8))
            self._unconfirmed.append(txid)
            return txid

    async def give_back(self, asset: str, address: str, units: int) -> str:
        """Pay a refund, which is not replaced."""
        del asset
        async with self._lock:
            return await asyncio.to_thread(self.node.pay, address, format_amount(units, 8))

    async def depth(self, txid: str) -> int:
        """Return a transaction's confirmations, -1 if it is gone: a fork took what it spends."""
        return await asyncio.to_thread(self._depth, txid)

    def _depth(self, txid: str) -> int:
        found = int(self.node.rpc("gettransaction", txid)["confirmations"]) if txid else -1
        return found if found or txid in self.node.rpc("getrawmempool") else -1

    async def mine(self) -> None:
        async with self._lock:
            await asyncio.to_thread(self.node.mine)
            self._unconfirmed.clear()

    async def bump(self) -> None:
        """Replace an unconfirmed payment by one with a higher fee."""
        async with self._lock:
            if self._unconfirmed:
                await asyncio.to_thread(self._bump, self._random.choice(self._unconfirmed))
                self._unconfirmed.clear()

    def _bump(self, txid: str) -> None:
        try:
            self.node.rpc("bumpfee", txid)
        except CallError as error:
            if error.code != _SPENT:
                raise

    async def reorganise(self) -> None:
        """Take blocks back; their payments wait in the mempool for the second or third block after."""
        async with self._lock:
            await asyncio.to_thread(self._reorganise)

    def _reorganise(self) -> None:
        depth = min(self._random.randint(1, DEPTH), self.node.height - self.born - 1)
        if depth < 1:
            return
        self.node.rpc("invalidateblock", self.node.rpc("getblockhash", self.node.height - depth + 1))
        empty = self._random.randint(0, depth)
        for _ in range(empty):
            self.node.mine_only()
        self.node.mine(depth + 1 - empty)

    async def flush(self) -> None:
        """Write the chain down: what comes after it is lost when the power goes."""
        async with self._lock:
            await asyncio.to_thread(self.node.rpc, "gettxoutsetinfo")

    async def lose_power(self) -> int:
        """kill -9, and on again: return how many blocks are gone."""
        async with self._lock:
            return await asyncio.to_thread(self._lose_power)

    def _lose_power(self) -> int:
        before = self.node.height
        self.node.kill()
        self.node.start()
        return before - self.node.height

    async def restart(self) -> None:
        """Switch it off and on as an operator does: it answers -28 while it warms up."""
        async with self._lock:
            await asyncio.to_thread(self.node.restart)

    async def outputs(self, addresses: list[str]) -> dict[tuple[str, str], tuple[str, int, int]]:
        """Return what the addresses hold, by (txid, slot): address, base units and height."""
        return await asyncio.to_thread(self._outputs, addresses)

    def _outputs(self, addresses: list[str]) -> dict[tuple[str, str], tuple[str, int, int]]:
        scripts = {self._script(address): address for address in addresses}
        found: dict[str, Any] = self.node.rpc("scantxoutset", "start", [f"addr({a})" for a in addresses])
        return {
            (one["txid"], f"vout:{one['vout']}"): (
                scripts[one["scriptPubKey"]],
                int(one["amount"].scaleb(8)),
                one["height"],
            )
            for one in found["unspents"]
        }

    def _script(self, address: str) -> str:
        return str(self.node.rpc("validateaddress", address)["scriptPubKey"])
