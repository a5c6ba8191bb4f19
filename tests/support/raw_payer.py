"""Hand-made transactions of a litecoind's wallet: which coin is spent, what replaces what, what is malleated.

Amounts are Decimals of whole coins. Coins are those of listunspent; each is handed out once.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.sandbox.litecoind import Litecoind

FINAL = 0xFFFFFFFF
SIGNALS = 0xFFFFFFFD
"""A sequence number that allows replacement (BIP-125)."""

_FEE = Decimal("0.0001")


class RawPayer:
    """Makes, signs and sends transactions of a node's wallet, one coin each."""

    def __init__(self, node: Litecoind) -> None:
        self.node = node
        self._used: set[tuple[str, int]] = set()

    def coin(self, at_least: str = "0") -> dict[str, Any]:
        """Return a confirmed coin of the wallet that nothing spends yet."""
        for each in self.node.rpc("listunspent", 1):
            place = (each["txid"], each["vout"])
            if place not in self._used and Decimal(str(each["amount"])) >= Decimal(at_least):
                self._used.add(place)
                return dict(each)
        raise LookupError("the wallet has no coin left")

    def signed(
        self,
        coin: Mapping[str, Any],
        pays: Mapping[str, str],
        *,
        fee: Decimal = _FEE,
        sequence: int = FINAL,
    ) -> str:
        """Return a transaction that spends the coin; what it does not pay goes back to the wallet."""
        back = Decimal(str(coin["amount"])) - sum(map(Decimal, pays.values())) - fee
        outputs = [{address: amount} for address, amount in pays.items()]
        if back > 0:
            outputs.append({self.node.new_address(): str(back)})
        spends = [{"txid": coin["txid"], "vout": coin["vout"], "sequence": sequence}]
        raw = self.node.rpc("createrawtransaction", spends, outputs)
        done = self.node.rpc("signrawtransactionwithwallet", raw, [_previous(coin)])
        assert done["complete"], done
        return str(done["hex"])

    def send(self, raw: str) -> str:
        """Put it into the mempool, whatever its fee; its id."""
        return str(self.node.rpc("sendrawtransaction", raw, 0))

    def pay(self, address: str, coins: str, **how: Any) -> str:
        """Pay from one coin of its own; the transaction's id."""
        return self.send(self.signed(self.coin(coins), {address: coins}, **how))

    def output(self, raw: str, address: str | None = None) -> dict[str, Any]:
        """Return an output of a transaction (its change, or that to `address`) as a coin to spend."""
        decoded = self.node.rpc("decoderawtransaction", raw)
        for out in decoded["vout"]:
            script = out["scriptPubKey"]
            mine = self.node.rpc("getaddressinfo", script["addresses"][0])["ismine"]
            if (address in script["addresses"]) if address else mine:
                place = {"txid": decoded["txid"], "vout": out["n"], "scriptPubKey": script["hex"]}
                return {**place, "amount": out["value"]}
        raise LookupError(f"{decoded['txid']} has no such output")

    def txid(self, raw: str) -> str:
        return str(self.node.rpc("decoderawtransaction", raw)["txid"])


def malleated(raw: str) -> str:
    """Return the same payment under another txid: its only input's signature is pushed the long way.

    That is valid in a block and against the rules of relay (BIP-62's minimal pushes); nobody's key is needed.
    """
    data = bytes.fromhex(raw)
    script_at = 4 + 1 + 36 + 1  # version, count of inputs, outpoint, length
    length = data[script_at - 1]
    script = data[script_at : script_at + length]
    longer = b"\x4c" + script
    return (data[: script_at - 1] + bytes([len(longer)]) + longer + data[script_at + length :]).hex()


def _previous(coin: Mapping[str, Any]) -> dict[str, Any]:
    return {key: coin[key] for key in ("txid", "vout", "scriptPubKey", "amount") if key in coin}
