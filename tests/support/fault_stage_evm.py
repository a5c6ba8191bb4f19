"""The scripted payments of one cell on anvil: coin, tokens, value inside contracts, and a reorganisation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import vyper_contracts as contracts
from chains.base import UNATTRIBUTED
from chains.evm import Adapter, Config
from fault_world import Branch, Credit
from public_keys import account
from watcher.sandbox.anvil import CHAIN_ID

if TYPE_CHECKING:
    from chains.base import ChainAdapter
    from fake_clock import FakeClock
    from fault_evm import EvmLiar
    from watcher.sandbox.anvil import Anvil

_ODD, _FEE = "ODD", "FEE"
_NOBODY = "0x" + "99" * 20


class EvmStage:
    """One anvil. Its transactions come from different accounts, so that each can be left out of a branch."""

    name = "evm"
    asset = "ETH"
    decimals = 18
    amount = "0.000000000000000005"

    def __init__(self, node: Anvil, clock: FakeClock, liar: EvmLiar, *, traced: bool) -> None:
        """`traced` False: value moved inside contracts shows in the balances alone."""
        self._node = node
        self._traced = traced
        self._liar = liar
        self._clock = clock
        self._accounts = node.accounts
        self._token = node.deploy(contracts.bytecode("odd_token"))
        self._fee = node.deploy(contracts.bytecode("odd_token"))
        self._calls = node.deploy(contracts.bytecode("odd_calls"))
        node.mine(30)
        self._history: dict[str, Branch] = {}
        self._paid: dict[str, list[tuple[str, str, int]]] = {}
        self._snapshot = ""
        self._raw: dict[str, str] = {}
        self._address = ""
        self._begun = clock()

    def adapter(self, url: str, clock: FakeClock) -> ChainAdapter:
        assets = [
            {"symbol": _ODD, "contract": self._token, "decimals": 6},
            {"symbol": _FEE, "contract": self._fee, "decimals": 6, "verify_balance": True},
        ]
        keys = {"chain_id": CHAIN_ID, "native": "ETH", "confirmations": 1, "assets": assets}
        keys["xpub"] = account("m/44'/60'/0'")
        config = Config.model_validate({"kind": "evm", "rpc": [url], **keys})
        return Adapter(self.name, config, clock)

    def begin(self, address: str) -> None:
        self._history, self._paid, self._raw, self._address = {}, {}, {}, address
        self._liar.ours = address
        self._remember()
        self._snapshot = self._node.rpc("evm_snapshot")
        self._begun = self._clock()
        self._pay("coin", address, 5, [("ETH", "value", 5)])
        self._call(
            "fee", self._fee, "pay(address,uint256,uint256)", (address, 100, 90), [(_FEE, "log:0", 90)]
        )
        self._call("forward", self._calls, "forward(address)", (address,), [("ETH", "call:0", 7)], value=7)
        self._call("attempt", self._calls, "attempt(address)", (address,), [], value=11)
        tokens = [(_ODD, "log:0", 2), (_ODD, "log:1", 3)]
        self._call("tokens", self._token, "pay_each(address,uint256[])", (address, [2, 3]), tokens)

    def blocks(self) -> None:
        self._mine(10)
        self._pay("late", self._address, 13, [("ETH", "value", 13)])
        self._mine(4000)

    def fork(self) -> None:
        self._node.rpc("evm_revert", self._snapshot)
        for block, names in ((12, ("coin", "forward")), (4010, ("attempt",)), (4020, ("tokens",))):
            for name in names:
                self._node.rpc("eth_sendRawTransaction", self._raw[name])
            self._mine(block)

    def grow(self) -> None:
        self._node.send(_NOBODY, 1, sender=self._accounts[0])
        self._pay("last", self._address, 17, [("ETH", "value", 17)])
        self._mine(4030)

    def settle(self) -> None:
        self._mine(4040)

    def history(self) -> dict[str, Branch]:
        return self._history

    def unconfirmed(self) -> frozenset[Credit]:
        return frozenset()

    def head(self) -> tuple[int, str]:
        block = self._node.rpc("eth_getBlockByNumber", "latest", False)
        return int(block["number"], 16), block["hash"]

    def _pay(
        self, name: str, to: str, value: int, found: list[tuple[str, str, int]], data: str = "0x"
    ) -> None:
        sender = self._accounts[
            1 + ("coin", "fee", "forward", "attempt", "tokens", "late", "last").index(name)
        ]
        txid = self._node.send(to, value, data, sender)
        self._paid[txid] = found
        self._raw[name] = self._node.rpc("eth_getRawTransactionByHash", txid)

    def _call(
        self,
        name: str,
        to: str,
        signature: str,
        arguments: tuple[Any, ...],
        found: list[tuple[str, str, int]],
        value: int = 0,
    ) -> None:
        self._pay(name, to, value, found, contracts.calldata(signature, *arguments))

    def _mine(self, seconds: int) -> None:
        """Mine a block so long after the begin of the cell."""
        moment = int(self._begun.timestamp()) + seconds
        self._clock.now = max(self._clock.now, datetime.fromtimestamp(moment, UTC))
        self._node.rpc("evm_setNextBlockTimestamp", moment)
        self._node.rpc("evm_mine")
        self._remember()

    def _remember(self) -> None:
        """Note the newest block."""
        block = self._node.rpc("eth_getBlockByNumber", "latest", False)
        found = {
            self._credit(block["hash"], txid, *each)
            for txid in block["transactions"]
            for each in self._paid.get(txid, ())
        }
        height = int(block["number"], 16)
        self._history[block["hash"]] = Branch(height, block["parentHash"], frozenset(found))

    def _credit(self, block: str, txid: str, asset: str, slot: str, amount: int) -> Credit:
        """Without traces, what moved inside a contract is told as a growth of the balance in its block."""
        if self._traced or not slot.startswith("call"):
            return Credit(asset, txid, slot, amount)
        return Credit(asset, block, f"{UNATTRIBUTED}{asset}:{self._address}", amount)
