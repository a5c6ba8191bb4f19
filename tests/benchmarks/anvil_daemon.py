"""What the benchmarks on anvil share: the node, and the configuration of a daemon that watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import public_keys
from harness import Unavailable
from watcher.sandbox import token
from watcher.sandbox.anvil import CHAIN_ID, Anvil
from watcher.sandbox.install import Missing, find_anvil

if TYPE_CHECKING:
    from pathlib import Path

DECIMALS = 6


def anvil(folder: Path) -> Anvil:
    """Return an anvil that is not started yet; Unavailable without the program."""
    binary = find_anvil()
    if isinstance(binary, Missing):
        raise Unavailable(str(binary))
    return Anvil(binary, folder / "anvil")


def tether(node: Anvil) -> str:
    """Create the watched token and return its address."""
    return token.create(node, name="Test Tether", symbol="USDT", decimals=DECIMALS, supply=10**15)


def chain(node: Anvil, usdt: str, poll_interval: float) -> str:
    """Return the chain's part of the configuration; seconds between two polls."""
    return f"""[chains.dev]
kind = "evm"
chain_id = {CHAIN_ID}
native = "ETH"
rpc = ["{node.url}"]
xpub = "{public_keys.account("m/44'/60'/0'")}"
confirmations = 1
poll_interval = {poll_interval}
stalled_after = 0
[[chains.dev.assets]]
symbol = "USDT"
contract = "{usdt}"
decimals = {DECIMALS}
"""
