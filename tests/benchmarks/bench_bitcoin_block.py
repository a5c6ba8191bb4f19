"""A full Bitcoin block: fetched, parsed and matched against few, many and very many watched scripts."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import full_block
from chains import keys_bitcoinlib
from chains.base import Watched
from chains.bitcoin import Adapter, Config
from chains.bitcoin_block import parse_block
from chains.bitcoin_coins import COINS
from harness import Report, Timing, Unavailable, race, timed
from watcher.sandbox.install import Missing, find_litecoind
from watcher.sandbox.litecoind import Litecoind

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from full_block import FullBlock
    from harness import Scale

_OURS = 10
"""Payments in the block to scripts that are watched, where it has any."""
_DIALECT = COINS["litecoin"].dialect


async def run(scale: Scale, folder: Path) -> Report:
    binary = find_litecoind()
    if isinstance(binary, Missing):
        raise Unavailable(str(binary))
    with Litecoind(binary, folder, wallet=False) as node:
        block = full_block.mine(node, scale.weight)
        most = max(scale.watched)
        sets = {size: _watched(size) for size in scale.watched}
        report = Report(_title(block))
        await _parsing(report, block, sets, scale.rounds)
        await _fetching(report, block, sets, scale.rounds, node)
        report.add("bytes_per_script", f"memory a script, {most:,} watched", _memory(sets[most]) / most, "B")
    report.notes.append(
        "A block of a private litecoind, which validated it: coins that need no signature, spent by inputs "
        "of the sizes of signed ones. Nothing in it pays a watched script, as in most blocks, but where "
        "payments are named: then the block is also held against its merkle root. Parsing is told in time on "
        "the processor, fetching in time on the clock."
    )
    return report


def _title(block: FullBlock) -> str:
    return f"Bitcoin block: {len(block.data) / 1e6:.2f} MB, {block.transactions:,} transactions"


def _watched(size: int) -> set[bytes]:
    chance = random.Random(size)
    return {full_block.random_script(chance) for _ in range(size)}


async def _parsing(report: Report, block: FullBlock, sets: dict[int, set[bytes]], rounds: int) -> None:
    few, *_, most = sets
    ours = set(block.scripts[:: len(block.scripts) // _OURS][:_OURS])
    works = {str(size): partial(_parse, block.data, scripts, 0) for size, scripts in sets.items()}
    found = await race(works | {"ours": partial(_parse, block.data, sets[few] | ours, len(ours))}, rounds)
    for size in sets:
        label = f"parse and match, {size:,} watched"
        report.add(f"parse_ms_{size}", label, found[str(size)].cpu, "ms")
    ratio = found[str(most)].cpu / found[str(few)].cpu
    report.add("parse_ratio", f"the same, {most:,} against {few}", ratio, "times", at_most=1.5)
    report.add("parse_ours_ms", f"parse and match, {_OURS} payments for us", found["ours"].cpu, "ms")
    theirs = await _bitcoinlib(block)
    report.add("bitcoinlib_ms", "bitcoinlib's block parser", theirs.cpu, "ms")
    factor, with_payments = theirs.cpu / found[str(most)].cpu, theirs.cpu / found["ours"].cpu
    report.add("faster_than_bitcoinlib", f"faster than it, {most:,} watched", factor, "times", at_least=100)
    report.add("faster_with_payments", f"faster than it, {_OURS} payments for us", with_payments, "times")


async def _parse(data: bytes, scripts: AbstractSet[bytes], hits: int) -> None:
    found = parse_block(data, _DIALECT, scripts, prove=True)
    if len(found.outputs) != hits:
        raise AssertionError(f"{len(found.outputs)} payments found, {hits} made")


async def _bitcoinlib(block: FullBlock) -> Timing:
    """Time the other parser once: it takes seconds."""
    parse = keys_bitcoinlib.load().blocks.Block.parse_bytes

    async def work() -> None:
        parsed: Any = parse(block.data, parse_transactions=True, network="litecoin")
        if len(parsed.transactions) != block.transactions:
            raise AssertionError("bitcoinlib has not read the whole block")

    return await timed(work)


async def _fetching(
    report: Report, block: FullBlock, sets: dict[int, set[bytes]], rounds: int, node: Litecoind
) -> None:
    """Read the block as the scanner does: its hash, the block by REST, parsed and matched."""
    few, *_, most = sets
    config = Config(kind="bitcoin", coin="litecoin", network="regtest", rpc=(node.url,), confirmations=1)
    adapter = Adapter("litecoin", config, lambda: datetime.now(UTC))
    try:
        await adapter.open()
        read = {
            str(n): partial(adapter.read, block.height, block.height, Watched(each))
            for n, each in sets.items()
        }
        found = await race(read, rounds)
    finally:
        await adapter.close()
    for size in sets:
        report.add(
            f"read_ms_{size}", f"fetch, parse and match, {size:,} watched", found[str(size)].wall, "ms"
        )
        report.add(f"read_cpu_ms_{size}", "  of it on our processor", found[str(size)].cpu, "ms")
    ratio = found[str(most)].wall / found[str(few)].wall
    report.add("read_ratio", f"the same, {most:,} against {few}", ratio, "times", at_most=1.5)


def _memory(scripts: set[bytes]) -> int:
    """Return the bytes of the set and of what is in it, each in the steps of 16 that Python allocates."""
    return sys.getsizeof(scripts) + sum(-(-sys.getsizeof(script) // 16) * 16 for script in scripts)
