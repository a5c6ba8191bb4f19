"""litecoind in its regression-test mode: the private chain that stands for the Bitcoin family.

Knows its flags, its wallet and how to mine. The wallet holds test coins only.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from watcher.sandbox.node import HOST, Node, free_port
from watcher.sandbox.rpc import CallError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

_NEVER = 2**63 - 2
MWEB_HEIGHT = 432
"""The block that activates MWEB on the regression-test chain, unless that is put off."""
_MATURITY = 101
"""The first coinbase can be spent when the block after its hundredth confirmation is built."""


class Litecoind(Node):
    """A node with a wallet of its own that mines on demand and keeps its chain over `stop` and `start`.

    Off unless asked for: `txindex`, `filterindex` (BIP-157), `listen` (accept peers, see `peer_address`).
    `mweb`: let the extension blocks activate at block 432 instead of never. `peer`: the only node that it
    talks to. `wallet`: create or load a wallet at each start.
    """

    name: ClassVar[str] = "litecoind"
    stop_within: ClassVar[float] = 2.0
    """It would wait 30 s for each idle connection of a client to close: `closing` makes waiting needless."""

    def __init__(  # noqa: PLR0913 - each is one of the node's own options
        self,
        binary: Path,
        data_dir: Path,
        *,
        txindex: bool = False,
        filterindex: bool = False,
        rest: bool = True,
        mweb: bool = False,
        listen: bool = False,
        wallet: bool = True,
        peer: Litecoind | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(binary, data_dir)
        self.user = "watcher"
        self.password = secrets.token_hex(16)
        self.peer_port = free_port() if listen else 0
        self._wallet = wallet
        self._options = [
            f"-txindex={txindex:d}",
            f"-blockfilterindex={filterindex:d}",
            f"-rest={rest:d}",
            *([] if mweb else [f"-vbparams=mweb:{_NEVER}:{_NEVER + 1}"]),
            *([f"-bind={HOST}:{self.peer_port}"] if listen else ["-listen=0"]),
            *([f"-connect={peer.peer_address}"] if peer else ["-connect=0"]),
            *extra,
        ]

    @property
    def url(self) -> str:
        """The endpoint with user and password; the same after a restart."""
        return f"http://{self.user}:{self.password}@{HOST}:{self.port}"

    @property
    def peer_address(self) -> str:
        """Where other nodes connect to this one."""
        return f"{HOST}:{self.peer_port}"

    def command(self) -> list[str]:
        """Return the command line for the present port."""
        return [
            str(self.binary),
            *("-regtest", f"-datadir={self.data_dir}", "-server", "-printtoconsole=0"),
            *("-dnsseed=0", "-discover=0", "-upnp=0", "-par=1", "-dbcache=16", "-rpcworkqueue=128"),
            *(f"-rpcport={self.port}", f"-rpcbind={HOST}", f"-rpcallowip={HOST}"),
            *(f"-rpcuser={self.user}", f"-rpcpassword={self.password}"),
            *("-fallbackfee=0.0001", "-walletrbf=1", "-mempoolreplacement=1"),
            *self._options,
        ]

    def ready(self) -> None:
        """Return when the node has warmed up."""
        self.rpc("getblockcount")

    def opened(self) -> None:
        """Load the wallet, or create it at the first start: this node forgets it at each stop."""
        if not self._wallet:
            return
        try:
            self.rpc("loadwallet", "test")
        except CallError:
            self.rpc("createwallet", "test")

    def closing(self) -> None:
        """Write mempool, wallet, blocks and coins: a kill after this loses nothing."""
        self.rpc("savemempool")
        if self._wallet:
            self.rpc("unloadwallet", "test")
        self.rpc("gettxoutsetinfo")

    @property
    def height(self) -> int:
        """The head's height."""
        height: int = self.rpc("getblockcount")
        return height

    def new_address(self, kind: str = "bech32") -> str:
        """Return a fresh address of the wallet: bech32, legacy, p2sh-segwit or mweb."""
        address: str = self.rpc("getnewaddress", "", kind)
        return address

    def mine(self, blocks: int = 1, address: str | None = None) -> list[str]:
        """Mine to the wallet or to `address`; returns the blocks' hashes."""
        hashes: list[str] = self.rpc("generatetoaddress", blocks, address or self.new_address())
        return hashes

    def mine_only(self, *transactions: str) -> str:
        """Mine one block of just these (ids of the pool's or raw), in this order; returns its hash."""
        block: dict[str, Any] = self.rpc("generateblock", self.new_address(), transactions)
        return str(block["hash"])

    def pay(self, address: str, coins: Decimal | str) -> str:
        """Put a payment into the mempool; `coins` in whole coins. Returns its id."""
        txid: str = self.rpc("sendtoaddress", address, str(coins))
        return txid

    def fund(self) -> None:
        """Mine until the wallet has coins to spend."""
        if (missing := _MATURITY - self.height) > 0:
            self.mine(missing)

    def activate_mweb(self) -> None:
        """Mine to just above the activation, with the first coin pegged in as that block demands."""
        self.mine(MWEB_HEIGHT - 1 - self.height)
        self.pay(self.new_address("mweb"), "1")
        self.mine()
