"""The chains of the sandbox: starts the nodes that there are, and says what the daemon is told of each.

Knows nodes and configuration keys; knows no invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from watcher.sandbox import install, token
from watcher.sandbox.anvil import CHAIN_ID, Anvil
from watcher.sandbox.litecoind import Litecoind
from watcher.sandbox.node import StartError
from watcher.testbed import Coin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watcher.sandbox.node import Node

ETHEREUM_KEY = (
    "xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEsh"
    "uqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt"
)
"""m/44'/60'/0' of the test mnemonic of BIP-39 (eleven times "abandon", then "about"): its private keys are
known to all the world. Never send anything of value there."""

LITECOIN_KEY = (
    "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWb"
    "Vm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M"
)
"""m/84'/1'/0' of the same mnemonic."""

SUPPLY = 10**15
"""Base units of the test token: a thousand million, with six decimals."""

_ETHEREUM = """
[chains.ethereum]
kind = "evm"
chain_id = {chain_id}
native = "ETH"
rpc = ["{url}"]
xpub = "{xpub}"
confirmations = 2
poll_interval = 0.5
stalled_after = 0
[[chains.ethereum.assets]]
symbol = "USDT"
contract = "{contract}"
decimals = 6
"""

_LITECOIN = """
[chains.litecoin]
preset = "litecoin-regtest"
rpc = ["{url}"]
xpub = "{xpub}"
script = "p2wpkh"
confirmations = 1
poll_interval = 0.5
stalled_after = 0
"""


@dataclass(frozen=True, slots=True)
class PrivateChain:
    """A private chain that runs. `config`: its table in TOML. `mine`: to be called `every` so many seconds.

    `example` is an asset and an amount to try; `record` is what `wallet` needs to pay from another process.
    `born`: the height below which nothing may be replaced: the tokens and the wallet's first coins are there.
    """

    name: str
    node: Node
    config: str
    coins: tuple[Coin, ...]
    born: int
    example: tuple[str, str]
    record: dict[str, Any]
    mine: Callable[[], object]
    every: float

    @property
    def symbols(self) -> list[str]:
        """What the daemon is told of."""
        return [coin.symbol for coin in self.coins if coin.known]


def start(folder: Path, say: install.Say) -> list[PrivateChain]:
    """Start what there is, installing what may be installed; what cannot be had is said with its remedy.

    Call it from the thread that lives longest: the nodes end with it.
    """
    found = [
        _started(install.ensure_anvil(say), partial(_ethereum, folder=folder / "anvil"), say),
        _started(install.ensure_litecoind(say), partial(_litecoin, folder=folder / "litecoind"), say),
    ]
    return [chain for chain in found if chain]


def _started(
    binary: Path | install.Missing, begin: Callable[[Path], PrivateChain], say: install.Say
) -> PrivateChain | None:
    if isinstance(binary, install.Missing):
        say(str(binary))
        return None
    try:
        return begin(binary)
    except StartError as error:
        say(str(error))
        return None


def _ethereum(binary: Path, folder: Path) -> PrivateChain:
    node = Anvil(binary, folder).start()
    contract, fake = [
        token.create(node, name="Test USDT", symbol="USDT", decimals=6, supply=SUPPLY) for _ in range(2)
    ]
    coins = (
        Coin("ETH", "ETH", 18),
        Coin("USDT", "USDT", 6, contract),
        Coin("fake-USDT", "USDT", 6, fake, known=False),
    )
    return PrivateChain(
        name="ethereum",
        node=node,
        config=_ETHEREUM.format(chain_id=CHAIN_ID, url=node.url, xpub=ETHEREUM_KEY, contract=contract),
        coins=coins,
        born=node.height,
        example=("USDT", "25.50"),
        record={"node": Anvil.name, "port": node.port},
        mine=node.mine,
        every=2.0,
    )


def _litecoin(binary: Path, folder: Path) -> PrivateChain:
    node = Litecoind(binary, folder).start()
    node.fund()
    return PrivateChain(
        name="litecoin",
        node=node,
        config=_LITECOIN.format(url=node.url, xpub=LITECOIN_KEY),
        coins=(Coin("LTC", "LTC", 8),),
        born=node.height,
        example=("LTC", "0.25"),
        record={"node": Litecoind.name, "port": node.port, "user": node.user, "password": node.password},
        mine=partial(node.mine, 1, node.new_address()),
        every=10.0,
    )
