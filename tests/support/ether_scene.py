"""One anvil, followed for real: pay, mine, and replace the newest blocks by others."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import vyper_contracts
from followed import Followed, ether, following
from naive_scan import Witness
from watcher.sandbox import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil
    from world import Made

NAME = "dev"
ETHER = 10**18
TOKEN = "TUSD"


class EtherScene:
    """A node, the deployment that follows it, and the witness of all that it told."""

    def __init__(self, node: Anvil, followed: Followed, token_at: str) -> None:
        self.node = node
        self.followed = followed
        self.token = token_at
        self.witness = Witness(followed)

    async def invoice(self, amount: str = "1", asset: str = "ETH", **fields: Any) -> Made:
        return await self.followed.invoice(chain=NAME, asset=asset, amount=amount, **fields)

    async def paid(self, depth: int, **fields: Any) -> tuple[Made, str]:
        """Pay an invoice in a block that is then `depth` deep; the raw transaction."""
        fields.setdefault("confirmations", min(depth, 3))
        invoice = await self.invoice(**fields)
        raw = self.pay(invoice.address)
        self.node.mine(depth)
        assert ["paid"] == await self.right(invoice)
        return invoice, raw

    def pay(self, address: str, value: int = ETHER) -> str:
        """Put a payment into the pool; the raw transaction."""
        return self.raw(self.node.send(address, value))

    def raw(self, txid: str) -> str:
        return str(self.node.rpc("eth_getRawTransactionByHash", txid))

    def unsent(self, txid: str) -> str:
        """Take a transaction out of the pool again: the raw transaction, whose nonce is free."""
        raw = self.raw(txid)
        self.node.rpc("anvil_dropTransaction", txid)
        return raw

    def sweep(self, contract: str, address: str) -> str:
        """Put a payment of all that a sweeper holds into the pool; the raw transaction."""
        data = vyper_contracts.calldata("sweep(address)", address)
        fields = {"from": self.node.accounts[0], "to": contract, "data": data, "gas": hex(200_000)}
        return self.raw(self.node.rpc("eth_sendTransaction", fields))

    def replace(self, depth: int, *keep: tuple[str, int]) -> None:
        """Replace the last `depth` blocks by as many; `keep`: raw transactions and the block they are in."""
        self.node.rpc("anvil_reorg", depth, [list(each) for each in keep])

    async def right(self, *invoices: Made) -> list[str]:
        """Scan, hold everything against the node, and return the invoices' statuses."""
        await self.followed.caught_up()
        await self.witness.ether(self.node, NAME, {self.token: TOKEN})
        return [await invoice.status() for invoice in invoices]


@asynccontextmanager
async def ether_scene(
    node: Anvil, folder: Path, history: int = 200, **keys: Any
) -> AsyncIterator[EtherScene]:
    """Follow an anvil with one token from its head; `keys` are those of `[chains.NAME]`."""
    address = token.create(node, name="Test Dollar", symbol=TOKEN, decimals=6, supply=10**15)
    keys.setdefault("assets", [{"symbol": TOKEN, "contract": address, "decimals": 6}])
    async with following(folder, {NAME: history}, **{NAME: ether(node.url, **keys)}) as followed:
        await followed.caught_up()
        yield EtherScene(node, followed, address)
