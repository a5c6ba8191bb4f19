"""What moved inside one transaction, from the node's trace of it. For the naive reading alone.

A failed call undoes all that happened below it, which the frames below do not say themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chains.base import NodeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chains.rpc import Node

METHODS = {"traces": "debug_traceTransaction", "parity": "trace_transaction"}
_PAYING = {"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"}
_PRECOMPILED = {*range(1, 0x12), 0x100}

Frame = dict[str, Any]
"""A call as the callTracer tells it: type, from, to, value, error, calls."""
Payment = tuple[str, bytes, bytes, int]
"""Slot, sender, receiver and amount in wei."""


async def of(node: Node, mode: str, txid: str) -> Frame:
    """Return a transaction's outermost call; `mode` is one of METHODS."""
    if mode == "traces":
        frame = await node.call(METHODS[mode], [txid, {"tracer": "callTracer"}])
    else:
        frame = _nested(await node.call(METHODS[mode], [txid]) or [])
    if not isinstance(frame, dict):
        raise NodeUnavailable(f"{node.url}: the node has no trace of {txid}")
    return frame


def payments(outermost: Frame) -> Iterator[Payment]:
    """Yield what moved below the outermost call, which is the transaction itself, as it was executed."""
    waiting = [(outermost, "")]
    while waiting:
        frame, path = waiting.pop()
        if frame.get("error"):
            continue
        if path and _value(frame):
            yield f"call:{path}", _account(frame.get("from")), _account(frame.get("to")), _value(frame)
        told = [each for each in frame.get("calls") or () if not _untold(each)]
        below = [(each, f"{path}.{place}" if path else str(place)) for place, each in enumerate(told)]
        waiting += reversed(below)


def _value(frame: Frame) -> int:
    return int(frame.get("value") or "0x0", 16) if frame["type"].upper() in _PAYING else 0


def _untold(frame: Frame) -> bool:
    """Whether only some nodes tell of the call: one without value to a precompiled contract has no place."""
    to = int.from_bytes(_account(frame.get("to")), "big")
    return to in _PRECOMPILED and not _value(frame) and not frame.get("calls")


def _account(text: str | None) -> bytes:
    return bytes.fromhex(text[2:]) if text else bytes(20)


def _nested(flat: Iterable[dict[str, Any]]) -> Frame | None:
    """Return the flat entries of trace_transaction as one nested call; a missing one hides those below."""
    frames: dict[tuple[int, ...], Frame] = {}
    for entry in sorted(flat, key=lambda each: tuple(each["traceAddress"])):
        path = tuple(entry["traceAddress"])
        frames[path] = frame = {**_frame(entry), "error": entry.get("error"), "calls": []}
        if path and path[:-1] not in frames:
            raise NodeUnavailable("the node left out a part of a trace")
        if path:
            frames[path[:-1]]["calls"].append(frame)
    return frames.get(())


def _frame(entry: dict[str, Any]) -> Frame:
    action, made = entry["action"], (entry.get("result") or {}).get("address")
    match entry["type"]:
        case "call":
            kind = action["callType"].upper()
            return {"type": kind, "from": action["from"], "to": action["to"], "value": action.get("value")}
        case "create":
            return {"type": "CREATE", "from": action["from"], "to": made, "value": action.get("value")}
        case "suicide" | "selfdestruct":
            heir, left = action["refundAddress"], action["balance"]
            return {"type": "SELFDESTRUCT", "from": action["address"], "to": heir, "value": left}
        case other:
            raise NodeUnavailable(f"the node's trace has an unknown type {other!r}")
