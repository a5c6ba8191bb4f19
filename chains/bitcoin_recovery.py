"""What a pruned node can still say of blocks that it has thrown away: by filters, and by unspent outputs.

Filters prove that a block holds nothing of ours. For the others the set of unspent outputs gives what was not
spent since; what was, only the block itself would show, so such a block stays unproven.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING

import msgspec

from chains import bitcoin_calls as ask
from chains.base import NodeUnavailable
from chains.bitcoin_filters import matching
from chains.bitcoin_wire import Output, WireError
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from chains.base import BlockRef
    from chains.rpc import Node

SCAN_PATIENCE = 240.0
"""Seconds: the node walks through its whole set of unspent outputs, minutes on a main network."""


@dataclass(frozen=True, slots=True)
class Found:
    """Unspent outputs by the block that made them, and the blocks that hold nothing else of ours."""

    outputs: tuple[tuple[BlockRef, Output], ...]
    proven: tuple[BlockRef, ...]


class _Unspent(msgspec.Struct):
    txid: str
    vout: int
    script: str = msgspec.field(name="scriptPubKey")
    amount: Decimal
    height: int


class _Scan(msgspec.Struct):
    success: bool
    unspents: list[_Unspent] = []


class _Filter(msgspec.Struct):
    filter: str


async def recover(node: Node, first: int, last: int, scripts: Collection[bytes]) -> Found:
    """Return what can be found of the blocks `first` to `last` without their contents."""
    hashes = await ask.block_hashes(node, first, last)
    blocks = [await ask.block_ref(node, each) for each in hashes]
    suspects = await _suspects(node, blocks, scripts)
    wanted = {script for found in suspects.values() for script in found}
    outputs = await _unspent(node, {b.height: b for b in blocks if suspects[b.height]}, wanted)
    return Found(tuple(outputs), tuple(block for block in blocks if not suspects[block.height]))


async def _suspects(
    node: Node, blocks: Sequence[BlockRef], scripts: Collection[bytes]
) -> dict[int, Collection[bytes]]:
    """Return by height the scripts that a block may concern: all of them where the node has no filters."""
    requests = [("getblockfilter", [block.hash]) for block in blocks]
    answers = await node.calls(requests, of=_Filter, keep_errors=True)
    found: dict[int, Collection[bytes]] = {}
    for block, answer in zip(blocks, answers, strict=True):
        if isinstance(answer, RpcError):
            found[block.height] = scripts
            continue
        try:
            found[block.height] = matching(ask.unhex(answer.filter, "getblockfilter"), block.hash, scripts)
        except WireError as error:
            raise NodeUnavailable(f"{node.url}: {error}") from error
    return found


async def _unspent(
    node: Node, blocks: dict[int, BlockRef], scripts: Collection[bytes]
) -> list[tuple[BlockRef, Output]]:
    if not scripts:
        return []
    wanted = [{"desc": f"raw({script.hex()})"} for script in sorted(scripts)]
    scan = await node.call("scantxoutset", ["start", wanted], of=_Scan, patience=SCAN_PATIENCE)
    if not scan.success:
        raise NodeUnavailable(f"{node.url}: scantxoutset was broken off")
    return [(blocks[each.height], _output(each)) for each in scan.unspents if each.height in blocks]


def _output(unspent: _Unspent) -> Output:
    """Return the output; no node prunes blocks that are young enough for an output to be immature."""
    script = ask.unhex(unspent.script, "scantxoutset")
    return Output(unspent.txid, unspent.vout, script, ask.base_units(unspent.amount))
