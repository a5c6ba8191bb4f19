"""Fetches whole blocks and reads them, by REST where a node offers it, else by JSON-RPC.

Knows which node's REST failed; knows neither addresses nor the scanner's cursor.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chains import bitcoin_calls as ask
from chains.base import BlocksMissing, BlockUnreadable, ChainMoved, NodeUnavailable
from chains.bitcoin_block import Block, header_hash, parse_block
from chains.bitcoin_wire import Dialect, WireError

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Sequence
    from collections.abc import Set as AbstractSet

    from chains.rpc import Node

_AT_ONCE = 4
"""Blocks being fetched at the same time: 16 MB at most, and a fraction of a node's work queue."""


class BlockReader:
    """Reads blocks of the best chain in order, several at a time."""

    def __init__(self, dialect: Dialect, *, rest: bool) -> None:
        """`rest` False: JSON-RPC only."""
        self._dialect = dialect
        self._allowed = rest
        self._rest: set[str] = set()

    def by_rest(self, node: Node) -> bool:
        """Tell whether blocks of this node are fetched by REST."""
        return node.url in self._rest

    async def probe(self, node: Node) -> None:
        """Find out whether the node offers REST; until then JSON-RPC is used."""
        self._rest.discard(node.url)
        try:
            if self._allowed and await node.get("/rest/chaininfo.json") is not None:
                self._rest.add(node.url)
        except NodeUnavailable:
            return  # a proxy in front of the node may refuse the path in many ways

    async def read(
        self, node: Node, first: int, last: int, scripts: AbstractSet[bytes], outpoints: Collection[bytes]
    ) -> list[Block]:
        """Return the blocks `first` to `last` of the best chain; ChainMoved if they are not one chain."""
        hashes = await ask.block_hashes(node, first, last)
        try:
            blocks = await self._blocks(node, first, hashes, scripts, outpoints)
        except BlocksMissing as error:
            kept = await ask.kept_from(node)
            raise BlocksMissing(str(error), error.first, max(error.first, kept - 1)) from error
        _check_links(first, blocks)
        return blocks

    async def _blocks(
        self,
        node: Node,
        first: int,
        hashes: Sequence[str],
        scripts: AbstractSet[bytes],
        outpoints: Collection[bytes],
    ) -> list[Block]:
        blocks: list[Block] = []
        for start in range(0, len(hashes), _AT_ONCE):
            group = enumerate(hashes[start : start + _AT_ONCE], first + start)
            blocks += await _all([self._block(node, h, hash_, scripts, outpoints) for h, hash_ in group])
        return blocks

    async def _block(
        self, node: Node, height: int, hash_: str, scripts: AbstractSet[bytes], outpoints: Collection[bytes]
    ) -> Block:
        if self.by_rest(node):
            try:
                data = await node.get(f"/rest/block/{hash_}.bin")
                if data is not None:
                    return self._parse(data, hash_, scripts, outpoints)
            except (NodeUnavailable, WireError):
                pass  # JSON-RPC has the last word
        data = await ask.raw_block(node, height, hash_)
        self._rest.discard(node.url)
        try:
            return self._parse(data, hash_, scripts, outpoints)
        except WireError as error:
            message = f"{node.url}: block {height} cannot be read: {error}"
            if header_hash(data) != hash_:
                raise NodeUnavailable(message) from error
            raise BlockUnreadable(message, height) from error

    def _parse(
        self, data: bytes, hash_: str, scripts: AbstractSet[bytes], outpoints: Collection[bytes]
    ) -> Block:
        block = parse_block(data, self._dialect, scripts, outpoints, prove=True)
        if block.hash != hash_:
            raise WireError(f"asked for block {hash_}, got {block.hash}")
        return block


async def _all(reads: Sequence[Coroutine[None, None, Block]]) -> list[Block]:
    """Wait for every read, so that none outlives an error, and raise the first one's error."""
    blocks: list[Block] = []
    for result in await asyncio.gather(*reads, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        blocks.append(result)
    return blocks


def _check_links(first: int, blocks: Sequence[Block]) -> None:
    for number in range(1, len(blocks)):
        if blocks[number].parent != blocks[number - 1].hash:
            raise ChainMoved(f"block {first + number} does not follow block {first + number - 1}")
