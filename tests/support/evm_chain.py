"""anvil with the odd contracts of one test, and adapters that look at it as nodes of every mode would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED, Watched
from chains.evm import Adapter, Config
from mode_proxy import ModeProxy

if TYPE_CHECKING:
    from chains.base import Transfer
    from watcher.sandbox.anvil import Anvil

OURS = "0x" + "Ab" * 20
OTHER = "0x" + "cD" * 20
GAS = "0x100000"
TELLING = ("traces", "parity", "logs")
"""The modes that tell of each movement."""
MODES = (*TELLING, "balance")


class Chain:
    """A node, its contracts, and what was opened for one test."""

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.opened: list[Adapter] = []
        self.proxies: list[ModeProxy] = []
        self.calls = node.deploy(contracts.bytecode("odd_calls"))
        self.token = node.deploy(contracts.bytecode("odd_token"))

    async def close(self) -> None:
        for each in (*self.opened, *self.proxies):
            await each.close()

    async def adapter(self, **keys: Any) -> Adapter:
        defaults = {
            "rpc": [self.node.url],
            "chain_id": 31337,
            "native": "ETH",
            "confirmations": 1,
            "assets": [self.asset()],
        }
        adapter = Adapter("dev", Config.model_validate({**defaults, **keys}), lambda: datetime.now(UTC))
        self.opened.append(adapter)
        await adapter.open()
        return adapter

    async def of_mode(self, mode: str, **keys: Any) -> Adapter:
        """Return an adapter behind a node of that mode, which it has to find out."""
        self.node.send(OTHER, 1)
        self.node.mine()
        adapter = await self.adapter(rpc=[await self.proxy(mode)], **keys)
        assert mode == adapter.contract_transfers
        return adapter

    async def proxy(self, mode: str, logs_from: int = 0) -> str:
        """Return the URL of a node of that mode."""
        self.proxies.append(proxy := ModeProxy(self.node.url, mode, logs_from))
        return await proxy.start()

    def asset(self, **keys: Any) -> dict[str, Any]:
        return {"symbol": "ODD", "contract": self.token, "decimals": 6, **keys}

    def send(self, to: str | None, value: int = 0, data: str = "0x", **more: str) -> str:
        """Put a transaction into the pool even if it will fail."""
        fields = {"from": self.node.accounts[0], "value": hex(value), "data": data, "gas": GAS, **more}
        if to is not None:
            fields["to"] = to
        txid: str = self.node.rpc("eth_sendTransaction", fields)
        return txid

    def call(self, signature: str, *arguments: Any, value: int = 0) -> str:
        return self.send(self.calls, value, contracts.calldata(signature, *arguments))

    def tell(self, signature: str, *arguments: Any) -> str:
        return self.send(self.token, 0, contracts.calldata(signature, *arguments))

    async def mined(self, adapter: Adapter, *watched: str) -> tuple[Transfer, ...]:
        """Mine the pool into one block and return what the adapter finds in it."""
        self.node.mine()
        return await self.read(adapter, self.node.height, *watched)

    async def read(self, adapter: Adapter, first: int, *watched: str) -> tuple[Transfer, ...]:
        """Return what the adapter finds from a height to the head."""
        await adapter.tip()
        return (await adapter.read(first, self.node.height, looking_for(*watched or (OURS,)))).transfers


def looking_for(*addresses: str) -> Watched:
    return Watched({bytes.fromhex(each[2:]) for each in addresses})


def found(transfers: tuple[Transfer, ...]) -> list[tuple[str, str, int]]:
    """Return asset, slot and amount; the slot of what is not attributed without asset and address."""
    return [
        (each.asset, UNATTRIBUTED if each.slot.startswith(UNATTRIBUTED) else each.slot, each.amount)
        for each in transfers
    ]
