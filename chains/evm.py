"""The adapter of Ethereum and its family: it states facts about one such chain and decides nothing.

The work is done beside it: evm_reader (blocks to credits), evm_endpoint (is it the right chain), evm_check.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chains import evm_located, evm_refund
from chains.base import AddressError, BlockRef, Mempool, NodeMisbehaved, NodeUnavailable, Recovery, Tip
from chains.evm_blocks import Header, quantity, reference
from chains.evm_check import Checker
from chains.evm_config import Config, assets
from chains.evm_endpoint import Prover
from chains.evm_holdings import Holdings
from chains.evm_reader import Reader
from chains.keys import EvmPublicKey, checksum, evm_key, origin
from chains.rpc import Rpc, RpcError, Survey, known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from chains.base import (
        Asset,
        Coin,
        EndpointHealth,
        Finding,
        Holding,
        Located,
        Reading,
        Unsigned,
        Watched,
    )
    from chains.rpc import Node

__all__ = ["Adapter", "Config"]

TIMEOUT = 60.0
"""Seconds for one request: a batch of traces of a busy chain takes its time."""
COIN_TRANSFER_GAS = 21_000
"""Yellow paper, G_transaction: what sending the native coin on costs."""
MAINNET = 1


class Adapter:
    """One chain of the Ethereum family behind one or several endpoints."""

    has_mempool = False
    namespace = "eip155"
    span = 200
    clock_drift = timedelta(seconds=15)
    """A block's time is the begin of its slot: it was made at most a slot (12 s) and its broadcast later."""

    def __init__(self, name: str, config: Config, clock: Callable[[], datetime]) -> None:
        self.name = name
        self.chain_id = f"eip155:{config.chain_id}"
        self._number = config.chain_id
        self._clock = clock
        self._assets = assets(config)
        self._key = EvmPublicKey.parse(config.xpub) if config.xpub is not None else None
        self._origin = origin(self._key.xpub, config.key_origin) if self._key is not None else None
        self._reader = Reader(name, config, self._assets)
        self._holdings = Holdings(name, self._assets)
        self._prover = Prover(name, config, self._assets)
        self._rpc = Rpc(config.rpc, self._prover.prove, timeout=TIMEOUT)
        self._survey = Survey(self._rpc, _height, _hash, config.agreement)
        self._checker = Checker(self._rpc, self._prover, config, clock)

    @property
    def contract_transfers(self) -> str:
        """How value moved inside contracts is found: traces, parity, logs, balance or none."""
        return self._prover.best

    async def open(self) -> None:
        """Prove one endpoint anew: chain id, genesis, the tokens' decimals, what it offers."""
        self._prover.forget()
        for node in self._rpc.nodes:
            node.verified = False
        async with self._rpc.node():
            pass

    async def close(self) -> None:
        """Close the connections."""
        await self._rpc.close()

    async def tip(self) -> Tip:
        """Return the head, and the blocks that the node calls safe and finalized (None: it names none).

        A tag that is unknown, null or the genesis of a living chain is not supported: never a lesser one.
        """
        requests = [("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "safe", "finalized")]
        async with self._rpc.node() as node:
            latest, safe, finalized = await node.calls(requests, of=Header | None, keep_errors=True)
            if isinstance(latest, RpcError):
                raise latest
            if latest is None:
                raise NodeUnavailable(f"{node.url}: the node has no newest block")
            head = reference(latest)
            node.height = head.height
            tags = [_tagged(each, head.height) for each in (safe, finalized)]
        return Tip(head, min(head.time, self._clock()), tags[0], tags[1], self._rpc.nodes.index(node))

    async def block(self, height: int) -> BlockRef | None:
        """Return the block at that height, None above the node's head."""
        async with self._rpc.node() as node:
            return await _block(node, height)

    async def read(self, first: int, last: int, watched: Watched) -> Reading:
        """Return the blocks from `first` to `last` and every credit in them, from one endpoint."""
        if not 0 <= first <= last:
            raise ValueError(f"no range of blocks: {first} to {last}")
        async with self._rpc.node() as node:
            reading = await self._reader.read(node, self._prover.offer(node), first, last, watched)
        return replace(reading, endpoint=self._rpc.nodes.index(node))

    async def recover(self, first: int, last: int, watched: Watched) -> Recovery:
        """Return nothing: no endpoint can look for an address in blocks that it lacks."""
        del first, last, watched
        return Recovery()

    async def mempool(self, watched: Watched) -> Mempool:  # noqa: ARG002 - nothing unconfirmed proves anything
        """Return nothing: an unconfirmed transaction can still fail, or never be mined."""
        return Mempool()

    def distrust(self, reason: str) -> None:
        """Set the endpoint that answered last aside for a while."""
        self._rpc.distrust(reason)

    async def agree(self, block: BlockRef) -> None:
        """Raise NodeUnavailable unless enough endpoints show this block at its height."""
        await self._survey.agree(block)

    async def survey(self) -> None:
        """Look at every endpoint's head, and set aside what lags or is on another fork; never raises."""
        await self._survey.look()

    async def holdings(self, first: BlockRef, last: BlockRef, addresses: Sequence[str]) -> Sequence[Holding]:
        """Return what these addresses held of each asset at the end of two blocks, as one endpoint says.

        () if the endpoint gives no balances by a block's hash; BlocksMissing if it has thrown them away.
        """
        async with self._rpc.aside() as node:
            if not self._prover.by_hash(node):
                return ()
            return await self._holdings.between(node, first, last, addresses)

    async def check(self) -> tuple[Finding, ...]:
        """Probe every endpoint for `watcher check`."""
        return await self._checker.findings()

    def health(self) -> tuple[EndpointHealth, ...]:
        """Return what is known of each endpoint."""
        return tuple(
            replace(health, contract_transfers=self._prover.mode_of(node))
            for node, health in zip(self._rpc.nodes, self._rpc.health(), strict=True)
        )

    def assets(self) -> tuple[Asset, ...]:
        """Return the native coin, then the tokens of the allow-list."""
        return self._assets

    def canonical(self, address: str) -> str:
        """Return the address in EIP-55 form."""
        return checksum(address)

    def key(self, address: str) -> bytes:
        """Return the address's 20 bytes."""
        return evm_key(address)

    def derive(self, index: int) -> str:
        """Return the address 0/index below the configured key."""
        if self._key is None:
            raise AddressError(f"chains.{self.name} has no xpub: give the invoice an address of its own")
        return self._key.address(index)

    def key_fingerprint(self) -> str | None:
        """Return what identifies the configured key."""
        return self._key.fingerprint if self._key is not None else None

    async def spending_cost(self, asset: str) -> int:
        """Return the gas of a coin transfer at the node's present price, in wei; 0 for a token."""
        if asset != self._assets[0].symbol:
            return 0
        async with self._rpc.aside() as node:
            return quantity(await node.call("eth_gasPrice", of=str)) * COIN_TRANSFER_GAS

    async def unsigned(self, coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
        """Return a link and a transaction's fields; asks no node, and cannot know what a token keeps."""
        evm_refund.check_destination(address, self._assets)
        chosen = next(each for each in self._assets if each.symbol == asset)
        return evm_refund.unsigned(
            self.payment_uri(address, asset, amount),
            evm_refund.transaction(self._number, chosen, address, amount),
            evm_refund.sources((each for each in coins if each.asset == asset), self._key, self._origin),
            amount,
        )

    async def locate(self, txid: str, address: str) -> Located | None:
        """Return where a transaction is, its credits read from its block as in `read`."""
        hash_, account = self.transaction_id(txid), evm_key(address)

        async def ask(node: Node) -> Located | None:
            return await evm_located.located(node, hash_, account, partial(self._read_one, node))

        return await known(self._rpc, ask, TIMEOUT)

    async def _read_one(self, node: Node, height: int, watched: Watched) -> Reading:
        return await self._reader.read(node, self._prover.offer(node), height, height, watched)

    def transaction_id(self, txid: str) -> str:
        """Return a transaction's id as this chain writes it."""
        return evm_located.transaction_id(txid)

    def payment_uri(self, address: str, asset: str, amount: int) -> str:
        """Return the EIP-681 link; the chain id is left out for Ethereum itself."""
        chain = "" if self._number == MAINNET else f"@{self._number}"
        contract = next(each.contract for each in self._assets if each.symbol == asset)
        if contract is None:
            return f"ethereum:{address}{chain}?value={amount}"
        return f"ethereum:{contract}{chain}/transfer?address={address}&uint256={amount}"


async def _height(node: Node) -> int:
    return quantity(await node.call("eth_blockNumber", of=str))


async def _hash(node: Node, height: int) -> str | None:
    found = await _block(node, height)
    return None if found is None else found.hash


async def _block(node: Node, height: int) -> BlockRef | None:
    found = await node.call("eth_getBlockByNumber", [hex(height), False], of=Header | None)
    if found is None:
        return None
    if quantity(found.number) != height:
        raise NodeMisbehaved(f"{node.url}: asked for block {height}, the node gave {found.number[:20]}")
    return reference(found)


def _tagged(answer: Header | RpcError | None, head: int) -> int | None:
    """Return the height behind a tag; a node that asks for patience has not said that it lacks the tag."""
    if isinstance(answer, RpcError) and answer.retry_after is not None:
        raise answer
    if not isinstance(answer, Header):
        return None
    height = min(quantity(answer.number), head)
    return height if height > 0 or head == 0 else None
