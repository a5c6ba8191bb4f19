"""anvil as a node of one mode: without traces, without balances, or logging its own coin as EIP-7708 has it.

The logs are made from anvil's traces, by rules of their own; receipts, bloom filters and the root over the
receipts tell of them alike.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from chains.evm_blocks import Receipt, bloom_bits
from chains.evm_proof import receipts_root

if TYPE_CHECKING:
    from collections.abc import Iterator

EMITTER = "0xfffffffffffffffffffffffffffffffffffffffe"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_TRACING = ("debug_traceBlockByHash", "trace_block")
LACKS: dict[str, tuple[str, ...]] = {
    "traces": (),
    "parity": ("debug_traceBlockByHash",),
    "logs": _TRACING,
    "balance": _TRACING,
    "none": (*_TRACING, "eth_getBalance"),
}
"""What a node of each mode does not have."""


class ModeProxy:
    """Forwards to anvil what a node of this mode would answer; `asked` counts the requests by method.

    `logs_from`: the first block in which the coin is logged, in the mode "logs". `pruned`: a method, the last
    block of which it has thrown away what was asked, and what it says then.
    """

    def __init__(self, target: str, mode: str, logs_from: int = 0) -> None:
        self.mode = mode
        self.logs_from = logs_from
        self.pruned: tuple[str, int, str] = ("", 0, "")
        self.asked: Counter[str] = Counter()
        self._target = target
        application = web.Application(client_max_size=2**30)
        application.router.add_post("/", self._handle)
        self.server = TestServer(application)

    async def start(self) -> str:
        """Return the URL at which it listens."""
        await self.server.start_server()
        return str(self.server.make_url("/"))

    async def close(self) -> None:
        await self.server.close()

    async def _handle(self, request: web.Request) -> web.Response:
        asked = await request.json()
        async with aiohttp.ClientSession() as session:
            self._session = session
            if isinstance(asked, list):
                return web.json_response([await self._answer(each) for each in asked])
            return web.json_response(await self._answer(asked))

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked[asked["method"]] += 1
        if asked["method"] in LACKS[self.mode]:
            return _error(asked, -32601, "the method does not exist")
        method, upto, message = self.pruned
        if asked["method"] == method and await self._height(asked["params"]) <= upto:
            return _error(asked, -32000, message)
        answer = await self._forward(asked)
        if self.mode == "logs" and answer.get("result"):
            await self._log(asked["method"], answer["result"])
        return answer

    async def _forward(self, asked: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(self._target, json=asked) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def _call(self, method: str, *params: Any) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await self._forward(asked))["result"]

    async def _height(self, params: list[Any]) -> int:
        """Return the height of the block that a request is about."""
        block = next((each["blockHash"] for each in params if "blockHash" in each), params[0])
        if len(block) < len("0x") + 64:
            return int(block, 16)
        return int((await self._call("eth_getBlockByHash", block, False))["number"], 16)

    async def _log(self, method: str, result: Any) -> None:
        """Put the logs of the coin into an answer, in place."""
        match method:
            case "eth_getBlockReceipts" if result:
                result[:] = await self._logged(result[0]["blockHash"])
            case "eth_getTransactionReceipt":
                logged = await self._logged(result["blockHash"])
                result.update(next(r for r in logged if r["transactionHash"] == result["transactionHash"]))
            case "eth_getBlockByNumber":
                logged = await self._logged(result["hash"])
                bits = 0
                for receipt in logged:
                    bits |= int(receipt["logsBloom"], 16)
                result["logsBloom"] = f"0x{bits:0512x}"
                result["receiptsRoot"] = receipts_root(msgspec.convert(logged, list[Receipt]))

    async def _logged(self, block: str) -> list[dict[str, Any]]:
        receipts: list[dict[str, Any]] = await self._call("eth_getBlockReceipts", block)
        traces = await self._call("debug_traceBlockByHash", block, {"tracer": "callTracer"})
        number = 0
        for receipt, trace in zip(receipts, traces, strict=True):
            if int(receipt["blockNumber"], 16) >= self.logs_from:
                receipt["logs"] = [*map(_log, _moves(trace["result"])), *receipt["logs"]]
            for log in receipt["logs"]:
                log["logIndex"] = hex(number)
                number += 1
            receipt["logsBloom"] = f"0x{_bloom(receipt['logs']):0512x}"
        return receipts


def _error(asked: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": message}}


def _moves(frame: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield what moves in the order of execution, but nothing of what was undone."""
    if frame.get("error"):
        return
    value = int(frame.get("value") or "0x0", 16)
    moves = frame["type"] in {"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"}
    if moves and value and frame["from"] != frame["to"]:
        yield frame["from"], frame["to"], value
    for each in frame.get("calls", ()):
        yield from _moves(each)


def _log(move: tuple[str, str, int]) -> dict[str, Any]:
    sender, to, value = move
    topics = [TRANSFER, *("0x" + "0" * 24 + each[2:].lower() for each in (sender, to))]
    return {"address": EMITTER, "topics": topics, "data": f"0x{value:064x}", "removed": False}


def _bloom(logs: list[dict[str, Any]]) -> int:
    bits = 0
    for log in logs:
        for value in (log["address"], *log["topics"]):
            bits |= bloom_bits(bytes.fromhex(value[2:]))
    return bits
