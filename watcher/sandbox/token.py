"""The sandbox's own ERC-20 token: token.json holds the compiled token.vy, so that no compiler is needed.

Knows how to create it and to send it on a private chain, where the node signs.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_abi.abi import encode

if TYPE_CHECKING:
    from watcher.sandbox.anvil import Anvil

SOURCE = Path(__file__).with_name("token.vy")
ARTEFACT = Path(__file__).with_name("token.json")
_TRANSFER = "a9059cbb"
"""The selector of transfer(address,uint256)."""
_BALANCE_OF = "70a08231"
"""The selector of balanceOf(address)."""


@cache
def artefact() -> dict[str, Any]:
    """Return `abi` and `bytecode` as the compiler gave them."""
    loaded: dict[str, Any] = json.loads(ARTEFACT.read_text())
    return loaded


def create(node: Anvil, *, name: str, symbol: str, decimals: int, supply: int) -> str:
    """Mine the token's creation; all `supply` base units belong to the first rich account. Its address."""
    arguments = encode(["string", "string", "uint8", "uint256"], [name, symbol, decimals, supply])
    return node.deploy(artefact()["bytecode"] + arguments.hex())


def send(node: Anvil, token: str, to: str, amount: int) -> str:
    """Put a transfer of `amount` base units from the first rich account into the pool; its id."""
    arguments = encode(["address", "uint256"], [to, amount])
    return node.send(token, data=f"0x{_TRANSFER}{arguments.hex()}")


def balance(node: Anvil, token: str, owner: str) -> int:
    """Return the base units that an account holds, what waits in the pool taken into account."""
    call = {"to": token, "data": f"0x{_BALANCE_OF}{encode(['address'], [owner]).hex()}"}
    return int(node.rpc("eth_call", call, "pending"), 16)
