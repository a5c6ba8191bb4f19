"""Coins that anyone can spend (a witness script of OP_TRUE): payments without a wallet, in a millisecond."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

from chains import keys

if TYPE_CHECKING:
    from watcher.sandbox.litecoind import Litecoind

_TRUE = b"\x51"
_SCRIPT = b"\x00\x20" + sha256(_TRUE).digest()
ANYONE = str(keys.address_of(_SCRIPT, keys.network("litecoin", "regtest")))
_MATURE = 101
_EACH = 150_000
"""Base units of one coin: what a payment leaves of it is its fee."""
_COINS = 900


class Coins:
    """The coins of one chain, each spent once."""

    def __init__(self, node: Litecoind) -> None:
        self._node = node
        hashes = node.mine(_MATURE, ANYONE)
        coinbase = node.rpc("getblock", hashes[0], 2)["tx"][0]
        value = int(Decimal(coinbase["vout"][0]["value"]).scaleb(8)) - 10_000_000
        outputs = [(_SCRIPT, _EACH)] * _COINS + [(_SCRIPT, value - _EACH * _COINS)]
        self._source = self._send(str(coinbase["txid"]), 0, outputs)
        node.mine(1, ANYONE)
        self._next = 0

    def pay(self, script: bytes, amount: int) -> str:
        """Put a payment of one output into the mempool; its id."""
        self._next += 1
        return self._send(self._source, self._next - 1, [(script, amount)])

    def _send(self, txid: str, vout: int, outputs: list[tuple[bytes, int]]) -> str:
        source = bytes.fromhex(txid)[::-1] + vout.to_bytes(4, "little")
        raw = b"\x02\x00\x00\x00\x00\x01\x01" + source + b"\x00\xff\xff\xff\xff" + _compact(len(outputs))
        for script, amount in outputs:
            raw += amount.to_bytes(8, "little") + bytes([len(script)]) + script
        raw += b"\x01\x01" + _TRUE + bytes(4)
        return str(self._node.rpc("sendrawtransaction", raw.hex(), 0))


def _compact(number: int) -> bytes:
    return bytes([number]) if number < 253 else b"\xfd" + number.to_bytes(2, "little")
