"""What a node of the Bitcoin family can get wrong in its answers, by JSON-RPC and by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fault_answers import BEHIND
from fault_proxy import Failed
from watcher.sandbox.rpc import CallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fault_proxy import Call
    from watcher.sandbox.litecoind import Litecoind

_NOT_FOUND = -5
_OUT_OF_RANGE = -8
_MAINNET = "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"
_TAIL = 40
"""Bytes that a truncated block lacks."""


class BitcoinLiar:
    """Lies about one litecoind. `ours` are the scripts that are being paid."""

    def __init__(self, node: Litecoind) -> None:
        self.ours: list[bytes] = []
        self._node = node

    def height_of(self, hash_: str) -> int | None:
        try:
            return int(self._node.rpc("getblockheader", hash_)["height"])
        except CallError:
            return None

    def stale(self, call: Call, result: Any) -> Any:
        horizon = self._node.height - BEHIND
        match call.resource:
            case "getblockchaininfo":
                best = self._node.rpc("getblockhash", horizon)
                return {**result, "blocks": horizon, "headers": horizon, "bestblockhash": best}
            case "getblockhash":
                if call.params[0] > horizon:
                    raise Failed(_OUT_OF_RANGE, "Block height out of range", 500)
            case "getrawmempool":
                return []
            case "getrawtransaction" | "getmempoolentry":
                raise Failed(_NOT_FOUND, "No such mempool transaction", 500)
            case "/rest/block" | "getblockheader" | "getblock":
                named = call.params[0] if call.params else call.method.split("/")[-1].removesuffix(".bin")
                if (self.height_of(named) or 0) > horizon:
                    raise Failed(_NOT_FOUND, "Block not found", 500 if call.params else 404)
        return result

    def dropped(self, _: Call, result: Any) -> Any:
        """Leave a transaction out of a list, and the end out of bytes."""
        if isinstance(result, list):
            return result[:-1]
        return result[: -_TAIL * (1 if isinstance(result, bytes) else 2)]

    def injected(self, _: Call, result: Any) -> Any:
        """List a transaction that nobody made; change the amount in the bytes that pay us."""
        if isinstance(result, list):
            return [*result, "77" * 32]
        return self._flipped(result, lambda place, _: place - 9)

    def hidden(self, _: Call, result: Any) -> Any:
        """Change the script in the bytes that pay us, so that they seem to pay somebody else."""
        return self._flipped(result, lambda place, size: place + size - 1)

    def foreign(self, call: Call, result: Any) -> Any:
        return _MAINNET if call.resource == "getblockhash genesis" else result

    def _flipped(self, data: bytes | str, where: Callable[[int, int], int]) -> bytes | str:
        """Change a bit near each output of ours."""
        if isinstance(data, str):
            flipped = self._flipped(bytes.fromhex(data), where)
            return flipped.hex() if isinstance(flipped, bytes) else flipped
        changed = bytearray(data)
        for script in self.ours:
            if (place := data.find(script)) > 0:
                changed[where(place, len(script))] ^= 1
        return bytes(changed)
