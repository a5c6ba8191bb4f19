"""Bitcoin Core in its regression-test mode. It comes from no package registry: its users name their own.

Knows what differs from litecoind: no extension blocks, no listening by default, descriptor wallets only.
"""

from __future__ import annotations

from typing import ClassVar

from watcher.sandbox.litecoind import Litecoind


class Bitcoind(Litecoind):
    """As Litecoind, without `mweb`."""

    name: ClassVar[str] = "bitcoind"

    def command(self) -> list[str]:
        """Return the command line for the present port."""
        litecoin_only = ("-upnp=", "-mempoolreplacement=", "-walletrbf=", "-vbparams=mweb")
        return [word for word in super().command() if not word.startswith(litecoin_only)]
