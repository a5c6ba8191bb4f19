"""What a node's best chain says, read the slow and obvious way: what the ledger is held against.

Shares no code with the adapters: litecoind decodes its blocks itself, anvil gives its receipts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from watcher.model import Standing
from watcher.tables import DEPOSIT, EVENT

if TYPE_CHECKING:
    from followed import Credit, Followed
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak("Transfer(address,address,uint256)")"""


class Witness:
    """Remembers what was told, because nothing of it may ever change."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._told: list[tuple[int, str, bytes]] = []

    async def litecoin(self, node: Litecoind, name: str = "ltc") -> None:
        """Hold the ledger against a litecoind: blocks, mempool, cursor and kept hashes."""
        addresses = await self._followed.addresses(name)
        assert _litecoin_blocks(node, addresses) == await self._followed.credits(name)
        rows = [r for r in await self._followed.rows(DEPOSIT) if r.chain == name]
        waiting = {(r.txid, r.slot, r.amount) for r in rows if r.standing == Standing.MEMPOOL}
        assert _litecoin_pool(node, addresses) == waiting
        await self._common(name, lambda height: node.rpc("getblockhash", height), node.height)

    async def ether(self, node: Anvil, name: str = "dev", tokens: dict[str, str] | None = None) -> None:
        """Hold the ledger against an anvil; `tokens`: contract to symbol. No address ever spends."""
        addresses = await self._followed.addresses(name)
        credited = await self._followed.credits(name)
        direct = {c for c in credited if not c[1].startswith("call:")}
        assert _ether_blocks(node, addresses, tokens or {}) == direct
        for address in addresses:
            held = int(node.rpc("eth_getBalance", address, "latest"), 16)
            assert held == sum(c[4] for c in credited if c[2] == address and c[3] == "ETH")

        def hash_of(height: int) -> str:
            return str(node.rpc("eth_getBlockByNumber", hex(height), False)["hash"])

        await self._common(name, hash_of, node.height)

    async def _common(self, name: str, hash_of: Any, height: int) -> None:
        assert (height, hash_of(height)) == await self._followed.scanned(name)
        kept = await self._followed.kept(name)
        assert list(range(min(kept), height + 1)) == sorted(kept)
        assert {h: hash_of(h) for h in kept} == kept
        assert Standing.UNPLACED not in await self._followed.standings(name)
        await self.history()

    async def history(self) -> None:
        """What was told stays told, each invoice's events without a hole."""
        rows = await self._followed.rows(EVENT)
        told = [(row.seq, row.id, row.body) for row in rows]
        assert self._told == told[: len(self._told)]
        self._told = told
        for invoice in {row.invoice_id for row in rows if row.invoice_id}:
            own = [row.sequence for row in rows if row.invoice_id == invoice]
            assert list(range(1, len(own) + 1)) == own


def _litecoin_blocks(node: Litecoind, addresses: set[str]) -> set[Credit]:
    found: set[Credit] = set()
    for height in range(node.height + 1):
        block = node.rpc("getblock", node.rpc("getblockhash", height), 2)
        for transaction in block["tx"]:
            for slot, address, amount in _outputs(transaction, addresses):
                found.add((transaction["txid"], slot, address, "LTC", amount, height, block["hash"]))
    return found


def _litecoin_pool(node: Litecoind, addresses: set[str]) -> set[tuple[str, str, int]]:
    pool = [node.rpc("getrawtransaction", txid, True) for txid in node.rpc("getrawmempool")]
    return {(t["txid"], slot, amount) for t in pool for slot, _, amount in _outputs(t, addresses)}


def _outputs(transaction: dict[str, Any], addresses: set[str]) -> list[tuple[str, str, int]]:
    return [
        (f"vout:{output['n']}", address, int(Decimal(str(output["value"])) * 10**8))
        for output in transaction["vout"]
        for address in output["scriptPubKey"].get("addresses", ())
        if address in addresses
    ]


def _ether_blocks(node: Anvil, addresses: set[str], tokens: dict[str, str]) -> set[Credit]:
    found: set[Credit] = set()
    by_bytes = {address.lower(): address for address in addresses}
    symbols = {contract.lower(): symbol for contract, symbol in tokens.items()}
    for height in range(node.height + 1):
        block = node.rpc("eth_getBlockByNumber", hex(height), True)
        receipts = {r["transactionHash"]: r for r in node.rpc("eth_getBlockReceipts", hex(height))}
        for transaction in block["transactions"]:
            receipt = receipts[transaction["hash"]]
            for slot, address, asset, amount in _paid(transaction, receipt, by_bytes, symbols):
                found.add((transaction["hash"], slot, address, asset, amount, height, block["hash"]))
    return found


def _paid(
    transaction: dict[str, Any], receipt: dict[str, Any], by_bytes: dict[str, str], symbols: dict[str, str]
) -> list[tuple[str, str, str, int]]:
    if receipt["status"] != "0x1":
        return []
    to, value = (transaction["to"] or "").lower(), int(transaction["value"], 16)
    found = [("value", by_bytes[to], "ETH", value)] if to in by_bytes and value else []
    for number, entry in enumerate(receipt["logs"]):
        symbol = symbols.get(entry["address"].lower())
        payee = by_bytes.get("0x" + entry["topics"][2][-40:]) if len(entry["topics"]) == 3 else None
        if symbol and payee and entry["topics"][0] == TRANSFER:
            found.append((f"log:{number}", payee, symbol, int(entry["data"], 16)))
    return found
