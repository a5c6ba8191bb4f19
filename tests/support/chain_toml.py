"""The configuration of a chain on one of the tests' own nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from public_keys import account

if TYPE_CHECKING:
    from watcher.sandbox.anvil import Anvil


def anvil_chain(
    node: Anvil, *, name: str = "dev", confirmations: int = 1, poll: float = 0.2, more: str = ""
) -> str:
    """Return a chain on anvil with a key of its own; `more` lines, such as assets, go behind."""
    return f"""
[chains.{name}]
kind = "evm"
chain_id = 31337
native = "ETH"
rpc = ["{node.url}"]
xpub = "{account("m/44'/60'/0'")}"
confirmations = {confirmations}
poll_interval = {poll}
stalled_after = 0
{more}"""
