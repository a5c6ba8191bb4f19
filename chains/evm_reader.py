"""Reads a range of blocks from one EVM endpoint and states every credit in it, or raises.

Requests go out in batches over many blocks; what needs no question (empty blocks, a bloom filter without our
tokens) gets none. The rules of the credits stand in the files that it calls.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import structlog

from chains import (
    evm_differences,
    evm_fees,
    evm_native_logs,
    evm_proof,
    evm_pruned,
    evm_receipts,
    evm_tokens,
    evm_traces,
)
from chains.base import (
    UNATTRIBUTED,
    BlockRef,
    BlocksMissing,
    ChainMoved,
    NodeMisbehaved,
    NodeUnavailable,
    Reading,
    Transfer,
)
from chains.evm_balances import Balances, Held
from chains.evm_blocks import Block, Header, bloom, quantity, reference
from chains.evm_credits import Inner, Terms
from chains.evm_differences import Books, Found, Residues
from chains.evm_modes import BALANCE, LOGS, PARITY, TRACES
from chains.keys import checksum
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chains.base import Asset, Watched
    from chains.evm_config import Config
    from chains.evm_modes import Offer
    from chains.evm_receipts import Receipts
    from chains.evm_traces import Frames
    from chains.rpc import Node

CHUNK = 50
"""Blocks that are held in memory together."""
SWEPT = 1000
"""Up to so many watched accounts, the balance of each is read for every token with `verify_balance`; with
more, those that are credited, and all in turn by the cross-check."""

_log = structlog.get_logger()


class Reader:
    """What one chain's configuration makes of its blocks."""

    def __init__(self, name: str, config: Config, assets: Sequence[Asset]) -> None:
        tokens = [(asset, asset.contract) for asset in assets if asset.contract is not None]
        self._name = name
        self._native = assets[0].symbol
        self._contracts = {contract.lower(): asset.symbol for asset, contract in tokens}
        self._doubted = {asset.symbol: contract for asset, contract in tokens if asset.verify_balance}
        self._masks = evm_tokens.bloom_masks([bytes.fromhex(contract[2:]) for _, contract in tokens])
        self._bloom_proves = config.logs_bloom
        self._root_proves = config.receipts_root
        self._balances = Balances({asset.symbol: contract for asset, contract in tokens})
        self._logged_since: int | None = None

    async def read(self, node: Node, offer: Offer, first: int, last: int, watched: Watched) -> Reading:
        """Return the blocks and transfers, found in the way that the node offers."""
        refs: list[BlockRef] = []
        found: list[Transfer] = []
        for start in range(first, last + 1, CHUNK):
            blocks = await self._blocks(node, start, min(start + CHUNK - 1, last))
            refs += map(reference, blocks)
            try:
                found += await self._transfers(node, offer, blocks, watched.scripts)
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
            if not block.transactions and self._root_proves and not evm_proof.is_empty(block):
                raise NodeUnavailable(f"{node.url}: the node left out the transactions of block {height}")
            blocks.append(block)
        return blocks

    async def _transfers(
        self, node: Node, offer: Offer, blocks: Sequence[Block], watched: set[bytes]
    ) -> list[Transfer]:
        blocks = [block for block in blocks if quantity(block.number) > 0]
        if not watched or not blocks:
            return []
        receipts = await self._receipts(node, offer.mode, blocks)
        terms = Terms(
            self._native, self._contracts, self._doubted, watched, self._sweeps(offer, blocks, receipts)
        )
        inner = await self._inner(node, offer.mode, terms, blocks, receipts)
        missing = {block: list(moves) for block, moves in inner.items() if moves and block not in receipts}
        whole = set(receipts)
        receipts |= await evm_receipts.of_unlogged(node, missing)
        books = Books()
        found: list[Found] = []
        for place, block in enumerate(blocks):
            told = receipts.get(block.hash, {})
            credited = list(terms.credits(place, block, inner.get(block.hash, {}), told, books))
            if block.hash in whole and (credited or evm_proof.is_open(block, told, watched)):
                self._prove(block, told)
            found += credited
        rest = await self._rest(node, terms, blocks, books)
        found = evm_differences.borne_out(found, rest, books, self._native)
        return _stated(blocks, found, rest)

    def _prove(self, block: Block, told: Receipts) -> None:
        if self._root_proves:
            evm_proof.check(block, told)

    async def _receipts(self, node: Node, mode: str, blocks: Sequence[Block]) -> dict[str, Receipts]:
        """Return the receipts of the blocks in which a log may tell something."""
        logged = [block for block in blocks if block.transactions and self._may_tell(block, mode)]
        try:
            return await evm_receipts.of_blocks(node, logged) if logged else {}
        except RpcError as error:
            await evm_pruned.refuse(
                node, error, logged, lambda block: evm_receipts.of_blocks(node, [block]), evm_pruned.RECEIPTS
            )
            raise

    def _may_tell(self, block: Block, mode: str) -> bool:
        """Tell whether a block may hold logs of our tokens or, where those are asked, of the coin."""
        if mode == LOGS and any(evm_native_logs.paying(block.transactions)):
            return True
        masks = (*self._masks, *(evm_native_logs.MASKS if mode == LOGS else ()))
        if not masks:
            return False
        return not self._bloom_proves or evm_tokens.may_hold(bloom(block.logs_bloom), masks)

    def _sweeps(self, offer: Offer, blocks: Sequence[Block], receipts: Mapping[str, Receipts]) -> bool:
        """Tell whether the coin's balances have to be looked at in these blocks."""
        if offer.mode != LOGS:
            return offer.mode == BALANCE
        unlogged = [block for block in blocks if block.transactions and not self._logs(block, receipts)]
        if unlogged and not offer.by_hash:
            heights = [quantity(block.number) for block in unlogged]
            _log.warning("native_logs.absent", chain=self._name, first=min(heights), last=max(heights))
        return bool(unlogged) and offer.by_hash

    def _logs(self, block: Block, receipts: Mapping[str, Receipts]) -> bool:
        """Tell whether the chain logs its coin in a block: it began to at some height, and never stops."""
        height, since = quantity(block.number), self._logged_since
        shown = evm_native_logs.shows(block, receipts.get(block.hash, {}))
        if shown:
            self._logged_since = height if since is None else min(height, since)
        return shown if shown is not None else since is not None and height >= since

    async def _inner(
        self,
        node: Node,
        mode: str,
        terms: Terms,
        blocks: Sequence[Block],
        receipts: Mapping[str, Receipts],
    ) -> dict[str, Inner]:
        """Return by block what moved inside the transactions that matter."""
        busy = [block for block in blocks if block.transactions]
        if mode == LOGS:
            return {block.hash: terms.logged(block, receipts.get(block.hash, {})) for block in busy}
        frames = await _traced(node, mode, busy)
        return {block.hash: terms.traced(block, each) for block, each in zip(busy, frames, strict=True)}

    async def _rest(self, node: Node, terms: Terms, blocks: Sequence[Block], books: Books) -> Residues:
        """Return what the balances say beyond the movements that were found."""
        if terms.sweeps:
            books.swept |= {Held(self._native, each) for each in terms.watched}
            await evm_fees.explain(node, blocks, terms.watched, self._native, books)
        if len(terms.watched) <= SWEPT:
            books.swept |= {Held(asset, each) for asset in self._doubted for each in terms.watched}
        books.checked |= {held for held in books.exact if held.asset in self._doubted}
        if not books.swept | books.checked:
            return {}
        try:
            return await evm_differences.residues(node, self._balances, blocks, books)
        except BlocksMissing:
            if terms.sweeps:
                raise
        books.swept.clear()  # what a token did without a log is left to the cross-check
        return await evm_differences.residues(node, self._balances, blocks, books)


async def _traced(node: Node, mode: str, busy: Sequence[Block]) -> list[Frames]:
    """Return each block's frames; none of a node that does not trace."""
    trace = {TRACES: evm_traces.call_traces, PARITY: evm_traces.parity_traces}.get(mode)
    if trace is None:
        return [{} for _ in busy]
    try:
        return await trace(node, busy)
    except RpcError as error:
        await evm_pruned.refuse(node, error, busy, lambda block: trace(node, [block]), evm_pruned.TRACES)
        raise


def _stated(blocks: Sequence[Block], found: Sequence[Found], rest: Residues) -> list[Transfer]:
    """Return the credits, and what only the balances tell, in the order of the blocks."""
    stated = [
        (
            place,
            Transfer(
                each.asset, txid, each.slot, _shown(each.account), each.amount, reference(blocks[place])
            ),
        )
        for place, txid, each in found
    ]
    stated += [
        (place, _unattributed(blocks[place], held, amount))
        for (held, place), amount in rest.items()
        if amount > 0
    ]
    return [transfer for _, transfer in sorted(stated, key=lambda each: each[0])]


def _unattributed(block: Block, held: Held, amount: int) -> Transfer:
    address = _shown(held.account)
    ref = reference(block)
    return Transfer(held.asset, ref.hash, f"{UNATTRIBUTED}{held.asset}:{address}", address, amount, ref)


def _shown(account: bytes) -> str:
    return checksum("0x" + account.hex())


async def _stop_if_moved(node: Node, block: Block) -> None:
    """Raise ChainMoved if the block left the chain: no answer about it means no outage then."""
    now = await node.call("eth_getBlockByNumber", [block.number, False], of=Header | None)
    if now is not None and now.hash != block.hash:
        raise ChainMoved(f"block {quantity(block.number)} left the chain while it was read")
