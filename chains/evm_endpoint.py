"""What one EVM endpoint is: the right chain, the right tokens, and how far it can look into transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from chains.base import NodeMisbehaved, NodeUnavailable
from chains.evm_blocks import Header, quantity
from chains.rpc import MethodMissing, RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Asset
    from chains.evm_config import Config
    from chains.rpc import Node

TRACES = "traces"
PARITY = "parity"
NONE = "none"

_log = structlog.get_logger()


class Prover:
    """Proves each endpoint of one chain and remembers its trace format."""

    def __init__(self, name: str, config: Config, assets: Sequence[Asset]) -> None:
        self._name = name
        self._config = config
        self._tokens = [(asset, asset.contract) for asset in assets if asset.contract is not None]
        self._formats: dict[Node, str] = {}

    def forget(self) -> None:
        """Ask everything again: a node may have been replaced or set up anew."""
        self._formats.clear()

    @property
    def best(self) -> str:
        """The trace format of the chain: that of any endpoint that has one."""
        return next((each for each in self._formats.values() if each != NONE), NONE)

    def traces(self, node: Node) -> str:
        """Return an endpoint's trace format, for one that was proven.

        NodeUnavailable if it has none while another of the chain's endpoints has: what moves inside
        contracts would be missed in silence.
        """
        found = self._formats.get(node)
        if found is None:
            raise NodeUnavailable(f"{node.url}: the node has to be proven again")
        if found == NONE != self.best:
            raise NodeUnavailable(f"{node.url}: the node cannot trace, as another of this chain can")
        return found

    def format_of(self, node: Node) -> str:
        """Return a proven endpoint's trace format."""
        return self._formats.get(node, NONE)

    async def _check_tokens(self, node: Node) -> None:
        if not self._tokens:
            return
        from chains.evm_contract import check_decimals  # noqa: PLC0415 - web3 takes a second to import

        for token, contract in self._tokens:
            await check_decimals(node, token, contract)

    async def prove(self, node: Node) -> None:
        """Raise NodeMisbehaved unless the endpoint serves this chain; learn what it can do the first time."""
        await self.check_chain(node)
        if node not in self._formats:
            await self._check_tokens(node)
            self._formats[node] = await self._probe(node)
            if self._formats[node] == NONE:
                _log.warning("traces.missing", chain=self._name, endpoint=node.url)

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

    async def _probe(self, node: Node) -> str:
        """Return the trace format, tried on the newest block; an error is no proof that there is none."""
        if self._config.traces == "off":
            return NONE
        head = await node.call("eth_getBlockByNumber", ["latest", False], of=Header)
        if await _has(node, "debug_traceBlockByHash", [head.hash, {"tracer": "callTracer"}]):
            return TRACES
        if await _has(node, "trace_block", [head.number]):
            return PARITY
        return NONE


async def _has(node: Node, method: str, params: Sequence[Any]) -> bool:
    try:
        await node.call(method, params)
    except MethodMissing:
        return False
    except RpcError as error:
        if "genesis is not traceable" in error.message:  # geth, on a chain without a block yet
            return True
        message = f'{error}; if the node cannot trace at all, set traces = "off" for this chain'
        raise NodeUnavailable(f"{node.url}: {message}", error.retry_after) from None
    return True
