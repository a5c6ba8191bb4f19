"""The test wallet of each private chain, in this process or in another one's sandbox. Knows no invoice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from watcher.money import format_amount, parse_amount
from watcher.sandbox import reorganise, token
from watcher.sandbox.anvil import Anvil
from watcher.sandbox.litecoind import Litecoind

if TYPE_CHECKING:
    from collections.abc import Mapping

_COIN_DECIMALS = 8


class Wallet(Protocol):
    """Test money on one chain. Raises CallError when the node refuses, OSError when it is gone."""

    def height(self) -> int:
        """Return the head's height."""

    def held(self, contract: str | None) -> int:
        """Return the base units that can be paid; `contract` None is the chain's coin."""

    def pay(self, address: str, contract: str | None, units: int) -> str:
        """Put a payment of base units into the mempool. Its id."""

    def mine(self, blocks: int) -> None:
        """Mine blocks."""

    def reorganise(self, depth: int, *, keep: bool) -> None:
        """Replace the last blocks; `keep`: by others with the same transactions."""


def connect(record: Mapping[str, Any]) -> Wallet:
    """Return the wallet of a chain by what the sandbox left about it."""
    return _Anvil(record) if record["node"] == Anvil.name else _Litecoind(record)


class _Anvil:
    def __init__(self, record: Mapping[str, Any]) -> None:
        self._node = Anvil(Path(), Path())
        self._node.port = record["port"]

    def height(self) -> int:
        return self._node.height

    def held(self, contract: str | None) -> int:
        owner = self._node.accounts[0]
        if contract is None:
            return int(self._node.rpc("eth_getBalance", owner, "pending"), 16)
        return token.balance(self._node, contract, owner)

    def pay(self, address: str, contract: str | None, units: int) -> str:
        if contract is None:
            return self._node.send(address, units)
        return token.send(self._node, contract, address, units)

    def mine(self, blocks: int) -> None:
        self._node.mine(blocks)

    def reorganise(self, depth: int, *, keep: bool) -> None:
        reorganise.anvil(self._node, depth, keep=keep)


class _Litecoind:
    def __init__(self, record: Mapping[str, Any]) -> None:
        self._node = Litecoind(Path(), Path())
        self._node.port, self._node.user = record["port"], record["user"]
        self._node.password = record["password"]

    def height(self) -> int:
        return self._node.height

    def held(self, contract: str | None) -> int:
        del contract
        return parse_amount(str(self._node.rpc("getbalance")), _COIN_DECIMALS)

    def pay(self, address: str, contract: str | None, units: int) -> str:
        del contract
        return self._node.pay(address, format_amount(units, _COIN_DECIMALS))

    def mine(self, blocks: int) -> None:
        self._node.mine(blocks)

    def reorganise(self, depth: int, *, keep: bool) -> None:
        reorganise.litecoind(self._node, depth, keep=keep)
