"""Native value that moves inside contracts, from either trace format. Pure but for the two requests.

A failed call undoes everything below it, although nothing below it says so: a failure is handed down. Both
formats become the same frames, so that a movement has the same slot whichever node tells of it.
Sources: geth's callTracer, OpenEthereum's trace module.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from chains.base import ChainMoved, NodeUnavailable
from chains.evm_blocks import account, quantity
from chains.evm_moves import Move
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from chains.evm_blocks import Block
    from chains.rpc import Node

BATCH = 10
"""Blocks traced in one HTTP request."""
TRANSACTIONS = 300
"""Transactions traced in one HTTP request, unless one block has more. Traces carry all call data, up to 50 MB
a block on a busy chain, and all that one answer holds is decoded in one go, in which nothing else runs."""
_MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
"""The others run foreign code (DELEGATECALL, CALLCODE) or forbid value (STATICCALL): they move nothing."""
_PRECOMPILED = frozenset(number.to_bytes(20, "big") for number in (*range(1, 0x12), 0x100))


class Frame(msgspec.Struct):
    """A call, a creation or a self-destruction, as the callTracer tells it."""

    type: str
    sender: str = msgspec.field(name="from", default="")
    to: str | None = None
    value: str | None = None
    error: str | None = None
    calls: list[Frame] = []


class _TracedTx(msgspec.Struct, rename="camel"):
    tx_hash: str | None = None
    result: Frame | None = None
    error: str | None = None


class _Action(msgspec.Struct, rename="camel"):
    call_type: str = ""
    creation_method: str = ""
    sender: str = msgspec.field(name="from", default="")
    to: str | None = None
    value: str | None = None
    address: str = ""
    refund_address: str | None = None
    balance: str | None = None


class _Result(msgspec.Struct):
    address: str | None = None


class ParityTrace(msgspec.Struct, rename="camel"):
    """One entry of trace_block, with so many `subtraces`. `transaction_hash` is None for a block reward."""

    type: str
    action: _Action
    trace_address: list[int]
    transaction_hash: str | None = None
    block_hash: str | None = None
    error: str | None = None
    result: _Result | None = None
    subtraces: int | None = None


Frames = dict[str, Frame]
"""The outermost call of each transaction, by its hash."""


async def call_traces(node: Node, blocks: Sequence[Block]) -> list[Frames]:
    """Return each block's frames through debug_traceBlockByHash."""
    tracer = {"tracer": "callTracer"}
    found: list[Frames] = []
    for portion in _portions(blocks):
        requests = [("debug_traceBlockByHash", [block.hash, tracer]) for block in portion]
        answers = await node.calls(requests, of=list[_TracedTx] | None)
        found += map(_by_transaction, portion, answers)
    return found


async def parity_traces(node: Node, blocks: Sequence[Block]) -> list[Frames]:
    """Return each block's frames through trace_block; it takes a height, so each entry's block is checked."""
    found: list[Frames] = []
    for portion in _portions(blocks):
        requests = [("trace_block", [block.number]) for block in portion]
        answers = await node.calls(requests, of=list[ParityTrace] | None)
        found += map(_of_block, portion, answers)
    return found


def _portions(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield the blocks in order, as many at a time as may be traced in one request."""
    portion: list[Block] = []
    transactions = 0
    for block in blocks:
        transactions += len(block.transactions)
        if portion and (len(portion) == BATCH or transactions > TRANSACTIONS):
            yield portion
            portion, transactions = [], len(block.transactions)
        portion.append(block)
    if portion:
        yield portion


def from_parity(traces: Iterable[ParityTrace]) -> Frames:
    """Return flat traces as frames."""
    flat: dict[str, dict[tuple[int, ...], Frame]] = defaultdict(dict)
    counted: list[tuple[Frame, int]] = []
    for trace in traces:
        if trace.transaction_hash is not None:
            frame = flat[trace.transaction_hash][tuple(trace.trace_address)] = _frame(trace)
            counted.append((frame, trace.subtraces or 0))
    for frames in flat.values():
        for path, frame in sorted(frames.items(), key=lambda item: item[0]):
            if path and path[:-1] in frames:
                frames[path[:-1]].calls.append(frame)
            elif path:
                raise NodeUnavailable("the node left out a part of a trace")
    if any(len(frame.calls) < count for frame, count in counted if not frame.error):
        raise NodeUnavailable("the node left out a call of a trace")
    return {txid: frames[()] for txid, frames in flat.items() if () in frames}


def inner_moves(outermost: Frame, asset: str) -> Iterator[Move]:
    """Yield what moved below the outermost call, in the order of execution.

    The slot is the path of positions, "call:0.1": calls without value to precompiled contracts are not
    counted, because only some nodes tell of them.
    """
    if outermost.error:
        return
    waiting = [(frame, path) for path, frame in _numbered(outermost, ())][::-1]
    while waiting:
        frame, path = waiting.pop()
        if frame.error:
            continue
        if (move := _move(frame, path, asset)) is not None:
            yield move
        waiting += [(each, below) for below, each in _numbered(frame, path)][::-1]


def _numbered(frame: Frame, path: tuple[int, ...]) -> list[tuple[tuple[int, ...], Frame]]:
    told = [each for each in frame.calls if not _untold(each)]
    return [((*path, number), each) for number, each in enumerate(told)]


def _untold(frame: Frame) -> bool:
    return len(frame.calls) == 0 and not _amount(frame) and account(frame.to) in _PRECOMPILED


def _amount(frame: Frame) -> int:
    return quantity(frame.value) if frame.value and frame.type.upper() in _MOVING else 0


def _move(frame: Frame, path: tuple[int, ...], asset: str) -> Move | None:
    amount, to, sender = _amount(frame), account(frame.to), account(frame.sender)
    if not amount or to is None or sender is None:
        return None
    return Move(asset, "call:" + ".".join(map(str, path)), sender, to, amount)


def _frame(trace: ParityTrace) -> Frame:
    action = trace.action
    match trace.type:
        case "call":
            kind = action.call_type.upper() or "CALL"
            return Frame(kind, action.sender, action.to, action.value, trace.error, [])
        case "create" | "create2":
            made = trace.result.address if trace.result is not None else None
            return Frame("CREATE", action.sender, made, action.value, trace.error, [])
        case "suicide" | "selfdestruct":
            return Frame(
                "SELFDESTRUCT", action.address, action.refund_address, action.balance, trace.error, []
            )
        case other:
            raise NodeUnavailable(f"the node's trace has an unknown type {other[:20]!r}")


def _of_block(block: Block, answer: Sequence[ParityTrace] | None) -> Frames:
    if any(each.block_hash not in (None, block.hash) for each in answer or ()):
        raise ChainMoved(f"the traces of block {quantity(block.number)} belong to another block")
    return _complete(block, from_parity(answer or ()))


def _by_transaction(block: Block, answer: Sequence[_TracedTx] | None) -> Frames:
    """Old versions of geth name no transaction: then the order is that of the block."""
    hashes = [tx.hash for tx in block.transactions if not tx.is_system]
    frames: Frames = {}
    for place, traced in enumerate(answer or ()):
        txid = traced.tx_hash or (hashes[place] if place < len(hashes) else "")
        if traced.result is None:
            reason = (traced.error or "no reason given")[:100]
            raise RpcError("debug_traceBlockByHash", 0, f"the node cannot trace {txid}: {reason}")
        frames[txid] = traced.result
    return _complete(block, frames)


def _complete(block: Block, frames: Frames) -> Frames:
    """Refuse a transaction without a trace, and a trace without a transaction of this block."""
    needed = {tx.hash for tx in block.transactions if not tx.is_system}
    if not needed <= frames.keys() <= {tx.hash for tx in block.transactions}:
        raise NodeUnavailable(f"the node did not trace the transactions of block {quantity(block.number)}")
    return frames
