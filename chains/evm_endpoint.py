"""What one EVM endpoint is: the right chain, the right tokens, and how far it can look into transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from chains import evm_modes
from chains.base import NodeMisbehaved, NodeUnavailable
from chains.evm_blocks import Header, quantity
from chains.evm_modes import NONE, Offer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Asset
    from chains.evm_config import Config
    from chains.rpc import Node

_log = structlog.get_logger()


class Prover:
    """Proves each endpoint of one chain and remembers what it offers.

    What one offered before an outage is remembered until it is proven anew: another that offers less must
    not take over meanwhile, as if nothing better were known.
    """

    def __init__(self, name: str, config: Config, assets: Sequence[Asset]) -> None:
        self._name = name
        self._config = config
        self._tokens = [(asset, asset.contract) for asset in assets if asset.contract is not None]
        self._offers: dict[Node, Offer] = {}
        self._proven: set[Node] = set()

    def forget(self) -> None:
        """Ask everything again: a node may have been replaced or set up anew."""
        self._proven.clear()

    @property
    def best(self) -> str:
        """The mode of the chain: the best of any endpoint."""
        return min((offer.mode for offer in self._offers.values()), key=evm_modes.ORDER.index, default=NONE)

    def offer(self, node: Node) -> Offer:
        """Return what an endpoint that was proven offers.

        NodeUnavailable if another of the chain's endpoints offers more: what moves inside contracts would
        be missed, or told under another name.
        """
        if node not in self._proven:
            raise NodeUnavailable(f"{node.url}: the node has to be proven again")
        found, best = self._offers[node], self.best
        if evm_modes.is_lesser(found.mode, best):
            raise NodeUnavailable(
                f"{node.url}: what contracts move is found by {found.mode} here, by {best} at another "
                "endpoint of this chain: the node is not read from"
            )
        return found

    def mode_of(self, node: Node) -> str | None:
        """Return an endpoint's mode as it was last found; None for one that was never asked."""
        offer = self._offers.get(node)
        return offer.mode if offer is not None else None

    def by_hash(self, node: Node) -> bool:
        """Tell whether an endpoint gives balances at a block named by its hash."""
        return node in self._offers and self._offers[node].by_hash

    async def _check_tokens(self, node: Node) -> None:
        if not self._tokens:
            return
        from chains.evm_contract import check_decimals  # noqa: PLC0415 - web3 takes a second to import

        for token, contract in self._tokens:
            await check_decimals(node, token, contract)

    async def prove(self, node: Node) -> None:
        """Raise NodeMisbehaved unless the endpoint serves this chain; learn what it can do the first time."""
        await self.check_chain(node)
        if node in self._proven:
            return
        await self._check_tokens(node)
        by_hash = await evm_modes.balances_by_hash(node)
        offer = Offer(await evm_modes.offered(node, self._config.traces, by_hash=by_hash), by_hash)
        self._offers[node] = offer
        self._proven.add(node)
        if offer.mode in evm_modes.UNSEEN:
            _log.warning(
                "contract_transfers.limited",
                chain=self._name,
                endpoint=node.url,
                mode=offer.mode,
                unseen=evm_modes.UNSEEN[offer.mode],
            )

    async def check_chain(self, node: Node) -> None:
        """Compare chain id and, where it is pinned, genesis."""
        requests: list[tuple[str, list[Any]]] = [("eth_chainId", [])]
        if self._config.genesis is not None:
            requests.append(("eth_getBlockByNumber", ["0x0", False]))
        chain_id, *genesis = await node.calls(requests, of=str | Header | None)
        if not isinstance(chain_id, str):
            raise NodeUnavailable(f"{node.url}: the node does not say its chain id")
        if quantity(chain_id) != self._config.chain_id:
            found, wanted = quantity(chain_id), self._config.chain_id
            raise NodeMisbehaved(
                f"{node.url}: the node serves chain id {found}, the configuration says {wanted}"
            )
        for block in genesis:
            self._check_genesis(node, block)

    def _check_genesis(self, node: Node, block: object) -> None:
        if not isinstance(block, Header):
            raise NodeUnavailable(f"{node.url}: the node does not show its genesis block")
        if block.hash.lower() != self._config.genesis:
            wanted = self._config.genesis
            raise NodeMisbehaved(
                f"{node.url}: the genesis block is {block.hash[:66]}, not {wanted}: another chain"
            )
