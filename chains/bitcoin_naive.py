"""The naive reading of Bitcoin's family: `getblock HASH 2`, one block at a time, as plain JSON.

Amounts are read as decimals from the node's own text, scripts compared as hex. Needs no REST and no index.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from chains import keys
from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable
from chains.bitcoin_coins import COINS, GENESIS
from chains.naive import Growth, SeenBlock, Sighting
from chains.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chains.bitcoin import Config
    from chains.rpc import Node

_ABOVE_THE_HEAD = -8
_TIMEOUT = 120
"""Seconds: a full block in the widest JSON takes a node its time."""


class Reader:
    """One chain of the family; see `chains.naive.NaiveReader`."""

    by_balance = False

    def __init__(self, name: str, config: Config, mode: str | None = None) -> None:
        """`mode` is for chains with contracts."""
        del mode
        self._name = name
        self._network = keys.network(config.coin, config.network)
        self._genesis = config.genesis or GENESIS[config.coin, config.network]
        self._rpc = Rpc(config.rpc, self._verify, timeout=_TIMEOUT)
        self.coin = COINS[config.coin].symbol

    async def open(self) -> None:
        """Try each endpoint until one answers."""
        for left in reversed(range(len(self._rpc.nodes))):
            try:
                async with self._rpc.node():
                    return
            except NodeUnavailable:
                if not left:
                    raise

    async def close(self) -> None:
        """Close the connections."""
        await self._rpc.close()

    def key(self, address: str) -> bytes:
        """Return the address's scriptPubKey."""
        return keys.script_of(address, self._network)

    async def hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at a height, None above its head."""
        try:
            return str(await self._ask("getblockhash", height))
        except RpcError as error:
            if error.code == _ABOVE_THE_HEAD:
                return None
            raise

    async def block(self, height: int, watched: Mapping[bytes, str]) -> SeenBlock:
        """Return one block, every output of it looked at."""
        hash_ = await self.hash(height)
        if hash_ is None:
            raise ChainMoved(f"{self._name}: the node has no block {height} any more")
        block = await self._ask("getblock", hash_, 2)
        if (block["hash"], block["height"]) != (hash_, height):
            raise NodeMisbehaved(f"{self._name}: asked for block {height} {hash_}, the node gave another")
        wanted = {script.hex(): address for script, address in watched.items()}
        found = tuple(self._sightings(block, wanted))
        return SeenBlock(height, hash_, block.get("previousblockhash", ""), found)

    async def growth(self, address: str, first: int, last: int) -> Growth | None:
        """Return nothing: this kind of chain keeps no balances."""
        del address, first, last
        return None

    def _sightings(self, block: dict[str, Any], wanted: Mapping[str, str]) -> Iterator[Sighting]:
        """Yield every output of value to a wanted script; those inside MWEB have no script."""
        for transaction in block["tx"]:
            for output in transaction["vout"]:
                address = wanted.get(output.get("scriptPubKey", {}).get("hex"))
                if address is None:
                    continue
                slot, amount = f"vout:{output['n']}", _base_units(output["value"])
                if amount:
                    txid = transaction["txid"]
                    yield Sighting(self.coin, txid, slot, address, amount, block["height"], block["hash"])

    async def _ask(self, method: str, *parameters: object) -> Any:
        async with self._rpc.node() as node:
            raw: msgspec.Raw = await node.call(method, parameters, of=msgspec.Raw)
        return json.loads(bytes(raw), parse_float=Decimal)

    async def _verify(self, node: Node) -> None:
        found = await node.call("getblockhash", [0], of=str)
        if found != self._genesis:
            raise NodeMisbehaved(f"{node.url} serves another chain: its block 0 is {found}")


def _base_units(coins: Decimal | int) -> int:
    units = Decimal(coins).scaleb(8)
    if units != units.to_integral_value():
        raise NodeMisbehaved(f"an output of {coins} coins has more than 8 decimals")
    return int(units)
