"""Pays from the test wallets of a sandbox that another process runs. Knows no invoice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from watcher.money import format_amount
from watcher.sandbox import token
from watcher.sandbox.anvil import Anvil
from watcher.sandbox.litecoind import Litecoind

if TYPE_CHECKING:
    from collections.abc import Mapping

_COIN_DECIMALS = 8


class Wallet(Protocol):
    """Test money on one chain. Raises CallError when the node refuses, OSError when it is gone."""

    def pay(self, address: str, contract: str | None, units: int) -> str:
        """Put a payment of base units into the mempool; `contract` None is the chain's coin. Its id."""

    def mine(self, blocks: int) -> None:
        """Mine blocks."""


def connect(record: Mapping[str, Any]) -> Wallet:
    """Return the wallet of a chain by what the sandbox left about it."""
    return _Anvil(record) if record["node"] == Anvil.name else _Litecoind(record)


class _Anvil:
    def __init__(self, record: Mapping[str, Any]) -> None:
        self._node = Anvil(Path(), Path())
        self._node.port = record["port"]

    def pay(self, address: str, contract: str | None, units: int) -> str:
        if contract is None:
            return self._node.send(address, units)
        return token.send(self._node, contract, address, units)

    def mine(self, blocks: int) -> None:
        self._node.mine(blocks)


class _Litecoind:
    def __init__(self, record: Mapping[str, Any]) -> None:
        self._node = Litecoind(Path(), Path())
        self._node.port, self._node.user = record["port"], record["user"]
        self._node.password = record["password"]

    def pay(self, address: str, contract: str | None, units: int) -> str:
        del contract
        return self._node.pay(address, format_amount(units, _COIN_DECIMALS))

    def mine(self, blocks: int) -> None:
        self._node.mine(blocks)
