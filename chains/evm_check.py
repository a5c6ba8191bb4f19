"""What `watcher check` shows of each endpoint of an EVM chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains import evm_modes
from chains.base import ChainError, Finding, NodeMisbehaved
from chains.evm_blocks import Header, reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chains.evm_config import Config
    from chains.evm_endpoint import Prover
    from chains.rpc import Node, Rpc

_LONGEST = 80
_YOUNG = 200
"""Blocks below which a chain may have nothing final yet: three epochs of Ethereum, and some to spare."""


class Checker:
    """Examines every endpoint of one chain."""

    def __init__(self, rpc: Rpc, prover: Prover, config: Config, clock: Callable[[], datetime]) -> None:
        self._rpc = rpc
        self._prover = prover
        self._config = config
        self._clock = clock

    async def findings(self) -> tuple[Finding, ...]:
        """Return the rows of the table, endpoint by endpoint."""
        found: list[Finding] = []
        for node in self._rpc.nodes:
            found += await self._endpoint(node)
        return tuple(found)

    async def _endpoint(self, node: Node) -> list[Finding]:
        reached = Finding("reachable", ok=True, detail=node.url)
        try:
            await self._rpc.prove(node)
        except NodeMisbehaved as error:
            return [reached, Finding("chain", ok=False, detail=str(error))]
        except ChainError as error:
            return [Finding("reachable", ok=False, detail=str(error))]
        try:
            return [reached, self._chain(), self._genesis(), *await self._state(node), *self._depth(node)]
        except ChainError as error:
            return [reached, Finding("answers", ok=False, detail=str(error))]

    def _chain(self) -> Finding:
        tokens = ", ".join(f"{each.symbol} ({each.decimals} decimals)" for each in self._config.assets)
        detail = f"chain id {self._config.chain_id}"
        return Finding("chain", ok=True, detail=f"{detail}; tokens {tokens}" if tokens else detail)

    def _genesis(self) -> Finding:
        if self._config.genesis is None:
            return Finding("genesis", ok=None, detail="not pinned; set `genesis` to the hash of block 0")
        return Finding("genesis", ok=True, detail=self._config.genesis)

    async def _state(self, node: Node) -> list[Finding]:
        version = await node.call("web3_clientVersion", of=str)
        syncing = await node.call("eth_syncing")
        head = reference(await node.call("eth_getBlockByNumber", ["latest", False], of=Header))
        node.height = head.height
        synced = Finding("synced", ok=True, detail=f"block {head.height}")
        if syncing:
            synced = Finding("synced", ok=False, detail=f"still syncing, at block {head.height}")
        return [
            synced,
            Finding("version", ok=True, detail=version[:_LONGEST]),
            self._skew(head.time),
            await self._finality(node),
            Finding("mempool", ok=True, detail="not used on this kind of chain"),
        ]

    def _skew(self, head: datetime) -> Finding:
        """Compare the head's time with our own: an old head is a node that stands still, or a quiet chain."""
        age = (self._clock() - head).total_seconds()
        if abs(age) <= self._config.clock_skew:
            return Finding("clock", ok=True, detail=f"the newest block is {age:.0f} s old")
        where = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s in the future"
        return Finding(
            "clock", ok=None, detail=f"the newest block is {where}: check both clocks and the node"
        )

    async def _finality(self, node: Node) -> Finding:
        requests = [("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "safe", "finalized")]
        answers = await node.calls(requests, of=Header | None, keep_errors=True)
        head, *heights = [reference(each).height if isinstance(each, Header) else None for each in answers]
        detail = f"safe {heights[0]}, finalized {heights[1]}"
        young = head is not None and head < _YOUNG and None not in heights
        if all(heights) or young:
            return Finding("finality", ok=True, detail=detail)
        rules = [
            self._config.confirmations,
            *(each.confirmations for each in self._config.confirmations_by_amount),
        ]
        needed = any(isinstance(each, str) for each in rules)
        return Finding(
            "finality", ok=False if needed else None, detail=f"{detail}: the node names no such block"
        )

    def _depth(self, node: Node) -> list[Finding]:
        return [self._traces(node), self._cross_check(node)]

    def _traces(self, node: Node) -> Finding:
        """Say how what contracts move is found here, what is not seen so, and whether another does better."""
        found, best = self._prover.mode_of(node) or evm_modes.NONE, self._prover.best
        detail = f"{found}: {evm_modes.UNSEEN[found]}" if found in evm_modes.UNSEEN else found
        if evm_modes.is_lesser(found, best):
            return Finding("traces", ok=None, detail=f"{detail}; not read from: another endpoint has {best}")
        return Finding("traces", ok=None if found in evm_modes.UNSEEN else True, detail=detail)

    def _cross_check(self, node: Node) -> Finding:
        if self._prover.by_hash(node):
            return Finding("balances", ok=True, detail="at any block the node still has the state of")
        detail = "not given for a block by its hash (EIP-1898): nothing is cross-checked through this node"
        return Finding("balances", ok=None, detail=detail)
