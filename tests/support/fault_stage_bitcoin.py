"""The scripted payments of one cell on litecoind: mined, unconfirmed past the deadline, reorganised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bitcoin_adapters import BURN
from chains import keys
from chains.bitcoin import Adapter, Config
from fault_answers import BEHIND
from fault_coins import Coins
from fault_world import Branch, Credit
from public_keys import account

if TYPE_CHECKING:
    from chains.base import ChainAdapter
    from fake_clock import FakeClock
    from fault_bitcoin import BitcoinLiar
    from watcher.sandbox.litecoind import Litecoind

_AMOUNTS = {"mined": 100_000, "waiting": 110_000, "moved": 120_000, "late": 130_000}
"""Base units: "mined" and "waiting" together are what the invoice asks for."""


class BitcoinStage:
    """One litecoind, whose clock is the test's."""

    name = "ltc"
    asset = "LTC"
    decimals = 8
    amount = "0.0021"

    def __init__(self, node: Litecoind, clock: FakeClock, liar: BitcoinLiar, *, rest: bool) -> None:
        self._node = node
        self._clock = clock
        self._liar = liar
        self._rest = rest
        self._coins = Coins(node)
        node.rpc("generatetoaddress", BEHIND + 5, BURN)
        self._history: dict[str, Branch] = {}
        self._paid: dict[str, Credit] = {}
        self._ids: dict[str, str] = {}
        self._address = ""
        self._first = ""
        self._begun = clock().timestamp()
        self._remember()

    def adapter(self, url: str, clock: FakeClock) -> ChainAdapter:
        chain = {"kind": "bitcoin", "coin": "litecoin", "network": "regtest", "rest": self._rest}
        key = {"xpub": account("m/84'/1'/0'", test=True), "script": "p2wpkh", "confirmations": 1}
        return Adapter(self.name, Config.model_validate({**chain, **key, "rpc": [url]}), clock)

    def begin(self, address: str) -> None:
        self._history, self._paid, self._ids, self._address = {}, {}, {}, address
        self._liar.ours = [keys.script_of(address, keys.network("litecoin", "regtest"))]
        self._begun = self._clock().timestamp()
        self._remember()
        self._at(10)
        for name in ("mined", "waiting", "moved"):
            self._pay(name)

    def blocks(self) -> None:
        """Leave one payment in the mempool while the deadline passes."""
        self._first = self._mine("mined")
        self._mine("moved")
        self._at(4000)

    def fork(self) -> None:
        self._at(20)
        self._node.rpc("invalidateblock", self._first)
        self._mine()
        self._mine("mined")
        self._mine()

    def grow(self) -> None:
        self._at(4100)
        self._pay("late")
        self._mine("late")

    def settle(self) -> None:
        self._mine("waiting", "moved")
        self._mine()

    def history(self) -> dict[str, Branch]:
        return self._history

    def unconfirmed(self) -> frozenset[Credit]:
        return frozenset(self._paid.values())

    def head(self) -> tuple[int, str]:
        return self._node.height, self._node.rpc("getbestblockhash")

    def _at(self, seconds: int) -> None:
        """Set the node's clock, and ours where that is forward, so long after the begin of the cell."""
        self._node.rpc("setmocktime", int(self._begun) + seconds)
        self._clock.advance(max(0.0, self._begun + seconds - self._clock().timestamp()))

    def _pay(self, name: str) -> None:
        amount = _AMOUNTS[name]
        txid = self._ids[name] = self._coins.pay(self._liar.ours[0], amount)
        self._paid[txid] = Credit(self.asset, txid, "vout:0", amount)

    def _mine(self, *names: str) -> str:
        ids = [self._ids[each] for each in names]
        block: dict[str, Any] = self._node.rpc("generateblock", BURN, ids)
        self._remember()
        return str(block["hash"])

    def _remember(self) -> None:
        """Note the newest block."""
        block = self._node.rpc("getblock", self._node.rpc("getbestblockhash"), 1)
        found = frozenset(self._paid[txid] for txid in block["tx"] if txid in self._paid)
        self._history[block["hash"]] = Branch(block["height"], block["previousblockhash"], found)
