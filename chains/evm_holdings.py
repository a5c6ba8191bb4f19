"""What accounts hold at two blocks, to be compared with the deposits that were recorded in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from chains.base import BlocksMissing, Holding
from chains.evm_balances import Balances, Held
from chains.evm_blocks import account, quantity
from chains.evm_pruned import is_told
from chains.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Asset, BlockRef
    from chains.rpc import Node

_log = structlog.get_logger()


class Holdings:
    """Asks one chain's endpoints for what accounts hold."""

    def __init__(self, name: str, assets: Sequence[Asset]) -> None:
        self._name = name
        self._assets = assets
        self._contracts = {asset.symbol: asset.contract for asset in assets if asset.contract is not None}
        self._warned: set[str] = set()

    async def between(
        self, node: Node, first: BlockRef, last: BlockRef, addresses: Sequence[str]
    ) -> list[Holding]:
        """Return what each address held of each asset at the end of the two blocks.

        Raises BlocksMissing if the node no longer has the state of the first one.
        """
        held = [Held(asset.symbol, _bytes(each)) for each in addresses for asset in self._assets]
        try:
            amounts = await Balances(self._contracts).at(
                node, [(block.hash, each) for block in (first, last) for each in held]
            )
            movers = await self._movers(node, first, last, addresses)
        except RpcError as error:
            if is_told(error):
                message = f"{node.url}: the node no longer has the balances of block {first.height}"
                raise BlocksMissing(message, first.height, first.height) from None
            raise
        return [
            Holding(
                address,
                asset.symbol,
                amounts[first.hash, key],
                amounts[last.hash, key],
                moved=address in movers or asset.contract is not None,
            )
            for address in addresses
            for asset in self._assets
            if (key := Held(asset.symbol, _bytes(address)))
        ]

    async def _movers(
        self, node: Node, first: BlockRef, last: BlockRef, addresses: Sequence[str]
    ) -> set[str]:
        """Return the accounts that may have sent the coin away: by a transaction of their own, or by code.

        A token may be taken from any account (transferFrom after a permit): of it nothing is known.
        """
        counts = [
            ("eth_getTransactionCount", [address, {"blockHash": block.hash}])
            for address in addresses
            for block in (first, last)
        ]
        codes = [("eth_getCode", [address, {"blockHash": last.hash}]) for address in addresses]
        answers = await node.calls([*counts, *codes], of=str)
        nonces, found = [quantity(each) for each in answers[: len(counts)]], answers[len(counts) :]
        coded = {address for address, code in zip(addresses, found, strict=True) if code != "0x"}
        self._warn(coded)
        sent = zip(addresses, nonces[::2], nonces[1::2], strict=True)
        return coded | {address for address, before, after in sent if before != after}

    def _warn(self, coded: set[str]) -> None:
        for address in sorted(coded - self._warned):
            self._warned.add(address)
            _log.warning(
                "account.has_code",
                chain=self._name,
                address=address,
                meaning="a contract, or delegated by EIP-7702: it may send on what it receives, "
                "and is credited with what it keeps",
            )


def _bytes(address: str) -> bytes:
    found = account(address)
    if found is None:
        raise ValueError("no account")
    return found
