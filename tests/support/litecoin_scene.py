"""One litecoind, followed for real: pay, mine, and replace the newest blocks by others."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bitcoin_adapters import conflict
from followed import Followed, following, litecoin
from naive_scan import Witness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from watcher.sandbox.litecoind import Litecoind
    from world import Made

NAME = "ltc"


class LitecoinScene:
    """A node, the deployment that follows it, and the witness of all that it told."""

    def __init__(self, node: Litecoind, followed: Followed) -> None:
        self.node = node
        self.followed = followed
        self.witness = Witness(followed)

    async def invoice(self, amount: str = "1", **fields: Any) -> Made:
        return await self.followed.invoice(chain=NAME, asset="LTC", amount=amount, **fields)

    async def paid(self, depth: int, **fields: Any) -> tuple[Made, str]:
        """Pay an invoice in a block that is then `depth` deep; the transaction's id."""
        fields.setdefault("confirmations", min(depth, 3))
        invoice = await self.invoice(**fields)
        txid = self.node.pay(invoice.address, "1")
        self.node.mine(depth)
        await self.followed.caught_up()
        assert "paid" == await invoice.status()
        return invoice, txid

    def raw(self, txid: str) -> str:
        return str(self.node.rpc("gettransaction", txid)["hex"])

    def conflict(self, txid: str, address: str, amount: str) -> str:
        """Sign another transaction that spends the coins of an unconfirmed one and pays `address`."""
        return conflict(self.node, txid, {address: amount})

    def replace(self, depth: int, keep: Mapping[str, int] | None = None, blocks: int | None = None) -> str:
        """Replace the last `depth` blocks by `depth + 1` (or `blocks`) others; the first that was replaced.

        `keep` names raw transactions and the new block (0 is the first) that they are in. The node puts
        what it took out of at most ten blocks back into its mempool, of more blocks nothing.
        """
        first = str(self.node.rpc("getblockhash", self.node.height - depth + 1))
        self.node.rpc("invalidateblock", first)
        for number in range(depth + 1 if blocks is None else blocks):
            self.node.mine_only(*(raw for raw, place in (keep or {}).items() if place == number))
        return first

    async def right(self, *invoices: Made) -> list[str]:
        """Scan, hold everything against the node, and return the invoices' statuses."""
        await self.followed.caught_up()
        await self.witness.litecoin(self.node)
        return [await invoice.status() for invoice in invoices]


@asynccontextmanager
async def litecoin_scene(
    node: Litecoind, folder: Path, history: int = 200, **keys: Any
) -> AsyncIterator[LitecoinScene]:
    """Follow a litecoind from its head; `keys` are those of `[chains.NAME]`."""
    async with following(folder, {NAME: history}, **{NAME: litecoin(node.url, **keys)}) as followed:
        await followed.caught_up()
        yield LitecoinScene(node, followed)
