"""Reads a range of blocks from one EVM endpoint and states every credit in it, or raises.

Requests go out in batches over many blocks; what needs no question (empty blocks, a bloom filter without our
tokens) gets none. The rules of the credits stand in the files that it calls.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from chains import evm_balances, evm_receipts, evm_tokens, evm_traces
from chains.base import BlockRef, ChainMoved, NodeMisbehaved, NodeUnavailable, Reading, Transfer
from chains.evm_blocks import Block, Header, Tx, account, bloom, quantity, reference
from chains.evm_moves import Credit, Move, net_credits
from chains.keys import checksum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from chains.base import Asset, Watched
    from chains.evm_blocks import Receipt
    from chains.evm_config import Config
    from chains.evm_receipts import Receipts
    from chains.evm_traces import Frames
    from chains.rpc import Node

CHUNK = 50
"""Blocks that are held in memory together."""


class Reader:
    """What one chain's configuration makes of its blocks."""

    def __init__(self, config: Config, assets: Sequence[Asset]) -> None:
        tokens = [(asset, asset.contract) for asset in assets if asset.contract is not None]
        self._native = assets[0].symbol
        self._contracts = {contract.lower(): asset.symbol for asset, contract in tokens}
        self._doubted = {asset.symbol: contract for asset, contract in tokens if asset.verify_balance}
        self._masks = evm_tokens.bloom_masks([bytes.fromhex(contract[2:]) for _, contract in tokens])
        self._bloom_proves = config.logs_bloom

    async def read(self, node: Node, traces: str, first: int, last: int, watched: Watched) -> Reading:
        """Return the blocks and transfers; `traces` is the node's format: traces, parity or none."""
        refs: list[BlockRef] = []
        found: list[Transfer] = []
        for start in range(first, last + 1, CHUNK):
            blocks = await self._blocks(node, start, min(start + CHUNK - 1, last))
            refs += map(reference, blocks)
            try:
                found += await self._transfers(node, traces, blocks, watched.scripts)
            except NodeUnavailable:
                await _stop_if_moved(node, blocks[-1])
                raise
        for parent, child in pairwise(refs):
            if child.parent != parent.hash:
                raise ChainMoved(f"block {child.height} is not the child of the one before it")
        return Reading(tuple(refs), tuple(found))

    async def _blocks(self, node: Node, first: int, last: int) -> list[Block]:
        heights = range(first, last + 1)
        requests = [("eth_getBlockByNumber", [hex(height), True]) for height in heights]
        blocks: list[Block] = []
        for height, block in zip(heights, await node.calls(requests, of=Block | None), strict=True):
            if block is None:
                raise NodeUnavailable(f"{node.url}: the node has no block {height}")
            if quantity(block.number) != height:
                raise NodeMisbehaved(
                    f"{node.url}: asked for block {height}, the node gave {block.number[:20]}"
                )
            blocks.append(block)
        return blocks

    async def _transfers(
        self, node: Node, traces: str, blocks: Sequence[Block], watched: set[bytes]
    ) -> list[Transfer]:
        busy = [block for block in blocks if block.transactions] if watched else []
        native = await self._native_moves(node, traces, busy, watched)
        logged = [block for block in busy if self._may_hold_tokens(block)]
        receipts = await evm_receipts.of_blocks(node, logged) if logged else {}
        missing = {block: list(moves) for block, moves in native.items() if moves and block not in receipts}
        receipts |= await evm_receipts.of_transactions(node, missing)
        found: list[Transfer] = []
        for block in busy:
            each = self._credits(block, native[block.hash], receipts.get(block.hash, {}), watched)
            found += await self._verified(node, block, each, receipts.get(block.hash, {}))
        return found

    async def _native_moves(
        self, node: Node, traces: str, blocks: Sequence[Block], watched: set[bytes]
    ) -> dict[str, dict[str, list[Move]]]:
        """Return by block and transaction what moved inside those that may have paid a watched account."""
        match traces:
            case "traces":
                frames = await evm_traces.call_traces(node, blocks)
            case "parity":
                frames = await evm_traces.parity_traces(node, blocks)
            case _:
                frames = [{} for _ in blocks]
        return {
            block.hash: dict(self._paying(block, inner, watched))
            for block, inner in zip(blocks, frames, strict=True)
        }

    def _paying(self, block: Block, frames: Frames, watched: set[bytes]) -> Iterator[tuple[str, list[Move]]]:
        for tx in block.transactions:
            frame = frames.get(tx.hash)
            inner = list(evm_traces.inner_moves(frame, self._native)) if frame is not None else []
            if _pays(tx, watched) or (inner and any(move.to in watched for move in inner)):
                yield tx.hash, inner

    def _may_hold_tokens(self, block: Block) -> bool:
        if not self._masks:
            return False
        return not self._bloom_proves or evm_tokens.may_hold(bloom(block.logs_bloom), self._masks)

    def _credits(
        self, block: Block, native: dict[str, list[Move]], receipts: Receipts, watched: set[bytes]
    ) -> list[tuple[str, Credit]]:
        """Return what the block's successful transactions left at the watched accounts."""
        found: list[tuple[str, Credit]] = []
        for tx in block.transactions:
            receipt = receipts.get(tx.hash)
            if receipt is None:
                continue
            moves: list[Move] = []
            if tx.hash in native:
                moves += [*_own_move(tx, receipt, self._native), *native[tx.hash]]
            if evm_tokens.pays(receipt.logs, self._contracts, watched):
                moves += evm_tokens.moves(receipt.logs, self._contracts)
            if moves and receipt.succeeded:
                found += [(tx.hash, credit) for credit in net_credits(moves, watched)]
        return found

    async def _verified(
        self, node: Node, block: Block, found: list[tuple[str, Credit]], receipts: Receipts
    ) -> Iterable[Transfer]:
        """Return the credits as transfers, those of doubted tokens held against the balances."""
        doubted = [each for each in found if each[1].asset in self._doubted]
        if doubted:
            moved = _sums(self._contracts, receipts)
            kept = await evm_balances.confirmed(node, block, self._doubted, doubted, moved)
            found = [*(each for each in found if each[1].asset not in self._doubted), *kept]
        ref = reference(block)
        return [
            Transfer(
                credit.asset, txid, credit.slot, checksum("0x" + credit.account.hex()), credit.amount, ref
            )
            for txid, credit in found
        ]


async def _stop_if_moved(node: Node, block: Block) -> None:
    """Raise ChainMoved if the block left the chain: no answer about it means no outage then."""
    now = await node.call("eth_getBlockByNumber", [block.number, False], of=Header | None)
    if now is not None and now.hash != block.hash:
        raise ChainMoved(f"block {quantity(block.number)} left the chain while it was read")


def _pays(tx: Tx, watched: set[bytes]) -> bool:
    """Tell whether the transaction's own value may go to a watched account, as that of a creation may."""
    return (tx.to is None or account(tx.to) in watched) and quantity(tx.value) > 0


def _own_move(tx: Tx, receipt: Receipt, asset: str) -> Iterator[Move]:
    to, sender, amount = account(tx.to or receipt.contract_address), account(tx.sender), quantity(tx.value)
    if to is not None and sender is not None and amount > 0:
        yield Move(asset, "value", sender, to, amount)


def _sums(contracts: dict[str, str], receipts: Receipts) -> dict[tuple[str, bytes], int]:
    """Return by asset and account what a block's logs say that its balance grew by."""
    sums: dict[tuple[str, bytes], int] = defaultdict(int)
    for receipt in receipts.values():
        moves = list(evm_tokens.moves(receipt.logs, contracts))
        for move in moves if moves and receipt.succeeded else ():
            sums[move.asset, move.to] += move.amount
            sums[move.asset, move.sender] -= move.amount
    return sums
