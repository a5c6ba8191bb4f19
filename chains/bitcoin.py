"""Bitcoin and its family (Litecoin, Dogecoin): the adapter over a node's JSON-RPC and REST.

Needs no wallet and no transaction index. Scripts are matched as bytes; addresses are only made for hits.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chains import bitcoin_calls as ask
from chains import bitcoin_located, keys
from chains.base import (
    AddressError,
    Asset,
    BlockRef,
    EndpointHealth,
    Finding,
    Located,
    Mempool,
    NodeMisbehaved,
    NodeUnavailable,
    Reading,
    Recovery,
    Tip,
    Transfer,
)
from chains.bitcoin_check import Checker
from chains.bitcoin_coins import COINS, DECIMALS, GENESIS, PEGOUT_MATURITY, decimal, name_of
from chains.bitcoin_config import Config
from chains.bitcoin_elsewhere import elsewhere
from chains.bitcoin_mempool import MempoolReader, Unconfirmed
from chains.bitcoin_psbt import Signer
from chains.bitcoin_reader import BlockReader
from chains.bitcoin_recovery import recover
from chains.bitcoin_refund import Refunds
from chains.bitcoin_wire import Output, outpoint, outpoint_text
from chains.config import base_units
from chains.rpc import Node, Rpc, Survey, known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from chains.base import Coin, Holding, Unsigned, Watched
    from chains.bitcoin_block import Block

__all__ = ["Adapter", "Config"]

_DRIFT = timedelta(hours=2)
"""Consensus: a block's time may lie two hours ahead of its node's clock (MAX_FUTURE_BLOCK_TIME)."""
_STALE_AFTER = 3 * 3600.0
"""Seconds; on none of the main networks has a block taken as long in years."""
_PATIENCE = 20.0
"""Seconds that each endpoint has to say where a transaction is."""
_FEE_TARGET = 6
"""Blocks within which the estimated spending of a deposit should be mined."""
_INPUT_SIZE = {"p2pkh": 148, "p2sh-p2wpkh": 91, "p2wpkh": 68, "p2tr": 58}
"""Virtual bytes that one input of each script adds to a transaction."""


class Adapter:
    """States facts about one chain of Bitcoin's family; see `chains.base.ChainAdapter`."""

    contract_transfers = "none"
    clock_drift = _DRIFT
    span = 50
    has_mempool = True
    namespace = None

    def __init__(self, name: str, config: Config, clock: Callable[[], datetime]) -> None:
        """Raise AddressError for a key that does not fit the coin, the network or the script."""
        self.name = name
        self._config = config
        self._clock = clock
        self._coin = COINS[config.coin]
        self._genesis = config.genesis or GENESIS[config.coin, config.network]
        self.chain_id = f"bip122:{self._genesis[:32]}"
        self._network = keys.network(config.coin, config.network)
        self._key = keys.PublicKey.parse(config.xpub, self._network, config.script) if config.xpub else None
        self._rpc = Rpc(config.rpc, self._verify)
        self._survey = Survey(self._rpc, ask.height, ask.block_hash, config.agreement)
        self._blocks = BlockReader(self._coin.dialect, rest=config.rest)
        origin = keys.origin(self._key.xpub, config.key_origin) if self._key else None
        signer = Signer(self._key, origin) if self._key and origin else None
        self._refunds = Refunds(self._coin, self._network, signer)
        self._mempool = MempoolReader(self._coin.dialect, clock, fee_target=config.zero_conf_fee_target)

    async def open(self) -> None:
        """Connect to one node and prove that its chain has the right block 0."""
        async with self._node():
            pass

    async def close(self) -> None:
        """Close the connections and forget the mempool."""
        self._mempool.forget()
        await self._rpc.close()

    async def tip(self) -> Tip:
        """Return the head; a node that is behind, alone or stalled vouches for the head's time only."""
        asked = self._clock()
        async with self._node() as node:
            info = await ask.chain_info(node)
            alone = self._has_peers and not await ask.peers(node)
            head = await ask.block_ref(node, info.bestblockhash)
            node.height = head.height
        stale = 0 < self._stale_after < (asked - head.time).total_seconds()
        behind = info.headers > info.blocks or (self._has_peers and info.initialblockdownload)
        as_of = min(head.time, asked) if alone or stale or behind else asked
        return Tip(head, as_of, endpoint=self._rpc.nodes.index(node))

    async def block(self, height: int) -> BlockRef | None:
        """Return the block at that height of the node's best chain, None above its head."""
        async with self._node() as node:
            hash_ = await ask.block_hash(node, height)
            return None if hash_ is None else await ask.block_ref(node, hash_)

    async def read(self, first: int, last: int, watched: Watched) -> Reading:
        """Return the blocks `first` to `last` and what they pay to `watched`; raises where one is missing."""
        outpoints = {outpoint(each) for each in watched.outpoints}
        async with self._node() as node:
            blocks = await self._blocks.read(node, first, last, watched.scripts, outpoints)
        refs = tuple(
            BlockRef(height, block.hash, block.parent, ask.moment(block.time))
            for height, block in enumerate(blocks, first)
        )
        return Reading(
            blocks=refs,
            transfers=tuple(
                transfer
                for block, ref in zip(blocks, refs, strict=True)
                for transfer in self._mined(block, ref)
            ),
            spent={outpoint_text(spent): txid for block in blocks for spent, txid in block.spent.items()},
            endpoint=self._rpc.nodes.index(node),
        )

    async def recover(self, first: int, last: int, watched: Watched) -> Recovery:
        """Look for our scripts in the filters of pruned blocks, and among the unspent outputs."""
        async with self._node() as node:
            found = await recover(node, first, last, watched.scripts)
        return Recovery(
            tuple(self._transfer(output, block=ref) for ref, output in found.outputs), found.proven
        )

    async def mempool(self, watched: Watched) -> Mempool:
        """Return the unconfirmed transfers and who spends the watched outpoints now."""
        async with self._node() as node:
            deposits, spent = await self._mempool.read(node, watched)
        transfers = tuple(each for deposit in deposits for each in self._unconfirmed(deposit))
        missed = await elsewhere(self._rpc, node, watched.unconfirmed - self._mempool.listed)
        return Mempool(transfers, spent, self._rpc.nodes.index(node), missed)

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
        """Return nothing: this kind of chain keeps no balances."""
        del first, last, addresses
        return ()

    async def check(self) -> tuple[Finding, ...]:
        """Probe every endpoint for `watcher check`."""
        checker = Checker(self._rpc, self._blocks, self._clock, self.clock_drift, peers=self._has_peers)
        return await checker.findings()

    def health(self) -> tuple[EndpointHealth, ...]:
        """Return what is known of each endpoint without asking it."""
        return self._rpc.health()

    def assets(self) -> tuple[Asset, ...]:
        """Return the coin."""
        name = f"{self.chain_id}/slip44:{self._coin.slip44}"
        return (Asset(self._coin.symbol, name, DECIMALS, dust=base_units(self._config.dust, DECIMALS)),)

    def canonical(self, address: str) -> str:
        """Return the address in its one form; raise AddressError on a broken one or another network's."""
        return self._address(keys.script_of(address, self._network))

    def key(self, address: str) -> bytes:
        """Return the address's scriptPubKey."""
        return keys.script_of(address, self._network)

    def derive(self, index: int) -> str:
        """Return the address 0/index below the configured key."""
        if self._key is None:
            raise AddressError(f"chain {self.name} has no xpub: each invoice must bring its own address")
        return self._key.address(index)

    def key_fingerprint(self) -> str | None:
        """Return what identifies the configured key and script."""
        return self._key.fingerprint if self._key else None

    async def spending_cost(self, asset: str) -> int:
        """Return the estimated fee, in base units, that one more input of our script costs."""
        if asset != self._coin.symbol:
            return 0
        async with self._rpc.aside() as node:
            rate = await ask.fee_rate(node, _FEE_TARGET)
        return -(-rate * _INPUT_SIZE[self._script] // 1000)

    async def unsigned(self, coins: Sequence[Coin], address: str, asset: str, amount: int) -> Unsigned:
        """Return a PSBT that spends these coins; there is one asset. The receiver bears a fee they lack."""
        del asset
        async with self._rpc.aside() as node:
            return await self._refunds.unsigned(node, coins, address, amount)

    async def locate(self, txid: str, address: str) -> Located | None:
        """Return where a transaction is: by the mempool, an index of the node's, or its unspent outputs."""
        asked = self.transaction_id(txid), self.key(address), self._coin.dialect
        found = await known(self._rpc, lambda node: bitcoin_located.located(node, *asked), _PATIENCE)
        if found is None:
            return None
        block, transaction = found
        spends = tuple(outpoint_text(each) for each in transaction.inputs)
        outputs = [output for output in transaction.outputs if output.value]
        return Located(block, tuple(self._transfer(each, block=block, spends=spends) for each in outputs))

    def transaction_id(self, txid: str) -> str:
        """Return a transaction's id as this chain writes it."""
        return bitcoin_located.transaction_id(txid)

    def payment_uri(self, address: str, asset: str, amount: int) -> str:
        """Return the BIP-21 link that asks for `amount` base units; there is one asset."""
        del asset
        return f"{self._coin.scheme}:{address}?amount={decimal(amount)}"

    @property
    def _has_peers(self) -> bool:
        """Whether the node learns of blocks from others: a private test chain is complete by itself."""
        return self._config.network != "regtest"

    @property
    def _stale_after(self) -> float:
        """Seconds after which a head is stale; 0 is never. Test networks can be without miners for days."""
        if self._config.stale_after is not None:
            return self._config.stale_after
        return _STALE_AFTER if self._config.network == "mainnet" else 0.0

    @property
    def _script(self) -> str:
        if self._key is not None:
            return self._key.script
        return self._config.script or self._network.default_script

    @asynccontextmanager
    async def _node(self) -> AsyncIterator[Node]:
        try:
            async with self._rpc.node() as node:
                yield node
        except (NodeUnavailable, NodeMisbehaved):
            self._mempool.forget()
            raise

    async def _verify(self, node: Node) -> None:
        found = await ask.genesis(node)
        if found != self._genesis:
            raise NodeMisbehaved(
                f"{node.url} serves another chain: its block 0 is {name_of(found)}, "
                f"that of {self.name} is {name_of(self._genesis)}"
            )
        await self._blocks.probe(node)

    def _mined(self, block: Block, ref: BlockRef) -> list[Transfer]:
        return [
            self._transfer(
                output, block=ref, maturity=self._maturity(output), spends=block.inputs[output.txid]
            )
            for output in block.outputs
            if output.value
        ]

    def _unconfirmed(self, deposit: Unconfirmed) -> list[Transfer]:
        return [
            self._transfer(
                output, block=None, spends=deposit.spends, seen_at=deposit.seen_at, risk=deposit.risk
            )
            for output in deposit.outputs
            if output.value
        ]

    def _transfer(self, output: Output, **facts: Any) -> Transfer:
        return Transfer(
            asset=self._coin.symbol,
            txid=output.txid,
            slot=f"vout:{output.vout}",
            address=self._address(output.script),
            amount=output.value,
            **facts,
        )

    def _maturity(self, output: Output) -> int:
        if output.coinbase:
            return self._coin.maturity
        return PEGOUT_MATURITY if output.hogex else 0

    def _address(self, script: bytes) -> str:
        address = keys.address_of(script, self._network)
        if address is None:
            raise AddressError(f"no address of {self._network} has the script {script.hex()}")
        return address
