"""What `watcher check` asks of a node of Bitcoin's family, and how it judges the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains import bitcoin_calls as ask
from chains.base import ChainError, Finding, NodeMisbehaved

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from chains.bitcoin_reader import BlockReader
    from chains.rpc import Node, Rpc

_OFFSET = 600
"""Seconds by which a node's clock may differ from those of its peers."""


class Checker:
    """Examines every endpoint of one chain."""

    def __init__(
        self, rpc: Rpc, reader: BlockReader, clock: Callable[[], datetime], drift: timedelta, *, peers: bool
    ) -> None:
        """`drift`: how far ahead a block's time may lie; `peers`: whether the node needs others."""
        self._rpc = rpc
        self._reader = reader
        self._clock = clock
        self._drift = drift
        self._peers = peers

    async def findings(self) -> tuple[Finding, ...]:
        """Return the rows of the table, endpoint by endpoint."""
        found: list[Finding] = []
        for node in self._rpc.nodes:
            found += await self._endpoint(node)
        return tuple(found)

    async def _endpoint(self, node: Node) -> list[Finding]:
        try:
            await self._rpc.prove(node)
        except NodeMisbehaved as error:
            return [
                Finding("reachable", ok=True, detail=node.url),
                Finding("chain", ok=False, detail=str(error)),
            ]
        except ChainError as error:
            return [Finding("reachable", ok=False, detail=str(error))]
        try:
            return [
                Finding("reachable", ok=True, detail=node.url),
                Finding("chain", ok=True, detail=await ask.genesis(node)),
                *await self._state(node),
                self._rest(node),
            ]
        except ChainError as error:
            return [Finding("reachable", ok=False, detail=str(error))]

    async def _state(self, node: Node) -> list[Finding]:
        info, network = await ask.chain_info(node), await ask.network_info(node)
        head = await ask.block_ref(node, info.bestblockhash)
        return [
            self._synced(info, network),
            Finding("version", ok=True, detail=network.subversion),
            _pruned(info),
            _mempool(await ask.mempool_info(node)),
            self._skew(head.time, network),
        ]

    def _synced(self, info: ask.ChainInfo, network: ask.NetworkInfo) -> Finding:
        detail = f"block {info.blocks} of {info.headers}"
        if self._peers and not network.connections:
            return Finding("synced", ok=False, detail=f"{detail}; the node has no peers")
        behind = info.headers > info.blocks or (self._peers and info.initialblockdownload)
        return Finding("synced", ok=not behind, detail=detail)

    def _skew(self, head: datetime, network: ask.NetworkInfo) -> Finding:
        ahead = head - self._clock()
        if ahead > self._drift:
            return Finding(
                "clock", ok=None, detail=f"the head's time lies {ahead} ahead of this machine's clock"
            )
        if abs(network.timeoffset) > _OFFSET:
            return Finding(
                "clock", ok=None, detail=f"the node's clock is {network.timeoffset} s off its peers'"
            )
        return Finding("clock", ok=True, detail="agrees")

    def _rest(self, node: Node) -> Finding:
        if self._reader.by_rest(node):
            return Finding("rest", ok=True, detail="blocks are fetched by REST")
        return Finding("rest", ok=None, detail="off: blocks are fetched as hex; rest=1 makes it faster")


def _pruned(info: ask.ChainInfo) -> Finding:
    if not info.pruned:
        return Finding("pruned", ok=True, detail="no")
    return Finding("pruned", ok=None, detail=f"blocks below {info.pruneheight} are gone")


def _mempool(info: ask.MempoolInfo) -> Finding:
    if not info.loaded:
        return Finding("mempool", ok=None, detail="the node is still loading it")
    return Finding("mempool", ok=True, detail=f"{info.size} transactions")
