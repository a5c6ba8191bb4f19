"""Drivers of real nodes for the contract suite: anvil with its coin, with a token, and Bitcoin's family."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import chains
import vyper_contracts as contracts
from public_keys import account
from watcher.sandbox import token
from watcher.sandbox.anvil import CHAIN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chains.base import ChainAdapter
    from watcher.sandbox.anvil import Anvil
    from watcher.sandbox.litecoind import Litecoind

_PLENTY = 10**30
_FILLER = 12
"""Blocks between what a driver prepares and what a test does: reorganisations must not reach the former."""


def load(name: str, **keys: Any) -> ChainAdapter:
    """Return an adapter of the kind that the keys of `[chains.NAME]` name, on the machine's clock."""
    kind = chains.load(keys["kind"])
    adapter: ChainAdapter = kind.Adapter(name, kind.Config.model_validate(keys), lambda: datetime.now(UTC))
    return adapter


class AnvilDriver:
    """anvil; it pays the coin from an account, and several amounts at once from inside a contract."""

    asset: str = "ETH"
    refused: tuple[str, ...] = (
        "rltc1qqcwgcvwkt3n2ypuvdxw7vdhe4cuyesm4apyj35",
        "0x52908400098527886E0F7030069857D2E4169Ee7",
        "0x52908400098527886E0F7030069857D2E4169E",
    )

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.payer = node.deploy(contracts.bytecode("payer"))
        self.assets: list[dict[str, Any]] = []
        self._prepare()
        node.mine(_FILLER)

    def _prepare(self) -> None:
        """Create what else the payments need."""

    def adapter(self) -> ChainAdapter:
        keys = {"chain_id": CHAIN_ID, "native": "ETH", "confirmations": 1, "assets": self.assets}
        return load("dev", kind="evm", rpc=[self.node.url], xpub=account("m/44'/60'/0'"), **keys)

    def height(self) -> int:
        return self.node.height

    def pay(self, address: str, *amounts: int) -> str:
        if len(amounts) == 1:
            return self.node.send(address, amounts[0])
        data = contracts.calldata("coin(address,uint256[])", address, amounts)
        return self.node.send(self.payer, sum(amounts), data)

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int, keep: Mapping[str, int]) -> None:
        """The node's own reorganisation keeps the height; what comes above it is mined afterwards."""
        raw = {txid: self.node.rpc("eth_getRawTransactionByHash", txid) for txid in keep}
        within = [[raw[txid], place] for txid, place in keep.items() if place < depth]
        self.node.rpc("anvil_reorg", depth, within)
        for txid, place in keep.items():
            if place >= depth:
                self.node.rpc("eth_sendRawTransaction", raw[txid])
        self.node.mine()

    def stop(self) -> None:
        self.node.stop()

    def start(self) -> None:
        self.node.start()


class TokenDriver(AnvilDriver):
    """anvil, paying an ERC-20 token."""

    asset: str = "TUSD"

    def _prepare(self) -> None:
        self.token = token.create(
            self.node, name="Test Dollar", symbol=self.asset, decimals=6, supply=_PLENTY
        )
        self.assets = [{"symbol": self.asset, "contract": self.token, "decimals": 6}]
        data = contracts.calldata("approve(address,uint256)", self.payer, _PLENTY)
        self.node.send(self.token, data=data)
        self.node.mine()

    def pay(self, address: str, *amounts: int) -> str:
        if len(amounts) == 1:
            return token.send(self.node, self.token, address, amounts[0])
        data = contracts.calldata("tokens(address,address,uint256[])", self.token, address, amounts)
        return self.node.send(self.payer, data=data)


class BitcoinDriver:
    """litecoind or Bitcoin Core, paying from the node's wallet."""

    def __init__(
        self, node: Litecoind, *, coin: str, asset: str, refused: tuple[str, ...], rest: bool
    ) -> None:
        self.node = node
        self.asset = asset
        self.refused = refused
        self._coin = coin
        self._rest = rest

    def adapter(self) -> ChainAdapter:
        key = {"xpub": account("m/84'/1'/0'", test=True), "script": "p2wpkh", "confirmations": 1}
        chain = {"coin": self._coin, "network": "regtest", "rest": self._rest}
        return load(self._coin, kind="bitcoin", rpc=[self.node.url], **chain, **key)

    def height(self) -> int:
        return self.node.height

    def pay(self, address: str, *amounts: int) -> str:
        if len(amounts) == 1:
            return self.node.pay(address, _coins(amounts[0]))
        raw = self._pay_again(address, amounts)
        funded = self.node.rpc("fundrawtransaction", raw)
        signed = self.node.rpc("signrawtransactionwithwallet", funded["hex"])
        return str(self.node.rpc("sendrawtransaction", signed["hex"]))

    def _pay_again(self, address: str, amounts: tuple[int, ...]) -> str:
        """Return a raw transaction that pays one address several times, which no call of the node offers.

        It is made with other addresses of the same kind, whose scripts are then replaced.
        """
        others = [self.node.new_address() for _ in amounts]
        outputs = [{other: str(_coins(amount))} for other, amount in zip(others, amounts, strict=True)]
        raw: str = self.node.rpc("createrawtransaction", [], outputs)
        for other in others:
            raw = raw.replace(self._script(other), self._script(address))
        return raw

    def _script(self, address: str) -> str:
        return str(self.node.rpc("validateaddress", address)["scriptPubKey"])

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int, keep: Mapping[str, int]) -> None:
        raw = {txid: self.node.rpc("gettransaction", txid)["hex"] for txid in keep}
        first = self.node.rpc("getblockhash", self.node.height - depth + 1)
        self.node.rpc("invalidateblock", first)
        for number in range(depth + 1):
            self.node.mine_only(*(raw[txid] for txid, place in keep.items() if place == number))

    def stop(self) -> None:
        self.node.stop()

    def start(self) -> None:
        self.node.start()


def _coins(base_units: int) -> Decimal:
    return Decimal(base_units).scaleb(-8)
