"""What a node of the Ethereum family can get wrong in its answers."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from fault_answers import BEHIND
from fault_proxy import Failed
from watcher.sandbox.rpc import CallError

if TYPE_CHECKING:
    from fault_proxy import Call
    from watcher.sandbox.anvil import Anvil

INVENTED = 777
"""Base units of whatever is made up."""
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


class EvmLiar:
    """Lies about one anvil. `ours` is the account that is being paid; `stranger` is another chain."""

    def __init__(self, node: Anvil, stranger: Anvil) -> None:
        self.ours = ""
        self._node = node
        self._stranger = stranger

    def height_of(self, hash_: str) -> int | None:
        block = self._node.rpc("eth_getBlockByHash", hash_, False)
        return int(block["number"], 16) if block else None

    def stale(self, call: Call, result: Any) -> Any:
        if call.method == "eth_getBlockByNumber" and not call.params[0].startswith("0x"):
            return self._header(int(result["number"], 16) - BEHIND)
        height = self._height(call, result)
        if height is None or height <= self._node.height - BEHIND:
            return result
        if call.method.startswith("eth_get") and "Balance" not in call.method:
            return None
        raise Failed(-32000, "header not found")

    def dropped(self, call: Call, result: Any) -> Any:
        result = copy.deepcopy(result)
        logs = [each["logs"] for each in _receipts(result) if each["logs"]]
        if logs:
            (logs[-1].pop() if call.number % 2 == 0 else logs[0].pop(0))
        elif isinstance(result, dict) and result.get("transactions"):
            result["transactions"].pop()
        elif isinstance(result, list):
            result[-1:] = []
        return result

    def injected(self, call: Call, result: Any) -> Any:
        result = copy.deepcopy(result)
        if call.resource == "eth_getBlockByNumber whole":
            result["transactions"] += [self._payment(each) for each in result["transactions"][-1:]]
        elif call.method == "debug_traceBlockByHash":
            for traced in result[-1:]:
                _outer(traced["result"]).append(self._inner(traced["result"]))
        elif call.method == "trace_block":
            result += [self._parity(each) for each in result[-1:]]
        else:
            self._log_to_us(result)
        return result

    def hidden(self, _: Call, result: Any) -> Any:
        """Let what is paid to us seem to be paid to somebody else."""
        return json.loads(re.sub(self.ours[2:], "77" * 20, json.dumps(result), flags=re.IGNORECASE))

    def foreign(self, call: Call, _: Any) -> Any:
        behind = self._node.height + 3 - self._stranger.height
        if behind > 0:
            self._stranger.mine(behind)
        try:
            return self._stranger.rpc(call.method, *call.params)
        except CallError as error:
            raise Failed(error.code, error.message) from None

    def _header(self, height: int) -> Any:
        return self._node.rpc("eth_getBlockByNumber", hex(max(0, height)), False)

    def _height(self, call: Call, result: Any) -> int | None:
        """Return the height of the block that a call is about."""
        for each in call.params:
            named = each.get("blockHash") if isinstance(each, dict) else each
            if isinstance(named, str) and len(named) == 66 and (height := self.height_of(named)) is not None:
                return height
            if isinstance(named, str) and len(named) < 20 and named.startswith("0x"):
                return int(named, 16)
        return (
            int(result["blockNumber"], 16) if isinstance(result, dict) and "blockNumber" in result else None
        )

    def _payment(self, like: dict[str, Any]) -> dict[str, Any]:
        return {**like, "hash": "0x" + "77" * 32, "to": self.ours, "value": hex(INVENTED)}

    def _inner(self, outer: dict[str, Any]) -> dict[str, Any]:
        gas = {"gas": "0x0", "gasUsed": "0x0", "input": "0x"}
        return {"type": "CALL", "from": outer["to"], "to": self.ours, "value": hex(INVENTED), **gas}

    def _parity(self, like: dict[str, Any]) -> dict[str, Any]:
        action = {"callType": "call", "from": "0x" + "44" * 20, "to": self.ours, "value": hex(INVENTED)}
        return {**like, "type": "call", "traceAddress": [0], "action": action, "result": None}

    def _log_to_us(self, result: Any) -> None:
        """Repeat a log that pays us, with another amount and its proper number: the bloom filter agrees."""
        ours = "0x" + "0" * 24 + self.ours[2:].lower()
        for receipt in _receipts(result):
            like = [
                log for log in receipt["logs"] if log["topics"][:1] == [_TRANSFER] and ours in log["topics"]
            ]
            receipt["logs"] += [{**log, "data": f"0x{INVENTED:064x}"} for log in like[-1:]]
        for number, log in enumerate(log for each in _receipts(result) for log in each["logs"]):
            log["logIndex"] = hex(number)


def _receipts(result: Any) -> list[dict[str, Any]]:
    entries = result if isinstance(result, list) else [result]
    return [each for each in entries if isinstance(each, dict) and "logs" in each]


def _outer(frame: dict[str, Any]) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = frame.setdefault("calls", [])
    return calls
