"""The naive reading of Ethereum's family through web3: each block, each transaction's receipt and trace.

No bloom filter, no batches, no log filter. What a transaction leaves at an account is what came less what the
account sent on in it, taken off its credits from the last one backwards.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from web3 import AsyncWeb3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception
from web3.providers.async_base import AsyncBaseProvider

from chains import evm_naive_traces as traces
from chains import keys
from chains.base import ChainMoved, NodeMisbehaved, NodeUnavailable
from chains.evm_config import assets
from chains.naive import Growth, SeenBlock, Sighting
from chains.rpc import MethodMissing, Rpc, RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from chains.evm_config import Config
    from chains.rpc import Node

_TIMEOUT = 120
_TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
_BALANCE_OF = "0x70a08231" + "00" * 12
_NO_TRANSACTION = "0x" + "00" * 32
_NOBODY = bytes(20)
_TOPICS = 3
_WORD = 32

logging.getLogger("web3").setLevel(logging.INFO)  # at DEBUG it prints bodies

Key = tuple[str, bytes]
"""An asset and an account."""


class _Move(NamedTuple):
    asset: str
    slot: str
    sender: bytes
    to: bytes
    amount: int


class _Credit(NamedTuple):
    asset: str
    txid: str
    slot: str
    account: bytes
    amount: int


class _Provider(AsyncBaseProvider):
    """Lends one of our endpoints to web3: time-outs and credentials stay ours."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    async def make_request(self, method: Any, params: Any) -> Any:
        """Return web3's form of an answer; what is no answer raises as it does everywhere."""
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": await self._node.call(method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": error.code, "message": error.message}}


class Reader:
    """One chain of the family; see `chains.naive.NaiveReader`."""

    def __init__(self, name: str, config: Config, mode: str | None = None) -> None:
        """`mode`: how the chain itself finds coins that move inside contracts; None to find out."""
        native, *tokens = assets(config)
        self._name = name
        self._number = config.chain_id
        self.coin = native.symbol
        self._tokens = {bytes.fromhex(str(each.contract)[2:]): each.symbol for each in tokens}
        self._doubted = {each.symbol: str(each.contract) for each in tokens if each.verify_balance}
        self._mode = mode if config.traces == "auto" else str(config.traces)
        self._rpc = Rpc(config.rpc, self._verify, timeout=_TIMEOUT)

    @property
    def by_balance(self) -> bool:
        """Whether nothing but the balances shows what moved inside contracts."""
        return self._mode not in traces.METHODS

    async def open(self) -> None:
        """Try each endpoint until one answers, and find out whether it traces."""
        for left in reversed(range(len(self._rpc.nodes))):
            try:
                async with self._rpc.node() as node:
                    self._mode = self._mode or await _probed(node)
                    return
            except NodeUnavailable:
                if not left:
                    raise

    async def close(self) -> None:
        """Close the connections."""
        await self._rpc.close()

    def key(self, address: str) -> bytes:
        """Return the address's 20 bytes."""
        return keys.evm_key(address)

    async def hash(self, height: int) -> str | None:
        """Return the hash of the chain's block at a height, None above its head."""
        async with self._web3() as (web3, _):
            try:
                return _hex((await web3.eth.get_block(height))["hash"])
            except BlockNotFound:
                return None

    async def block(self, height: int, watched: Mapping[bytes, str]) -> SeenBlock:
        """Return one block, every transaction of it looked at."""
        async with self._web3() as (web3, node):
            try:
                block: Any = await web3.eth.get_block(height, full_transactions=True)
            except BlockNotFound:
                raise ChainMoved(f"{self._name}: the node has no block {height} any more") from None
            moves = {
                _hex(tx["hash"]): await self._moves(web3, node, block, tx)
                for tx in block["transactions"]
                if not _is_system(tx)
            }
            found = [c for txid, each in moves.items() for c in _net(txid, each) if c.account in watched]
            found = await self._verified(node, block, moves.values(), found)
        hash_ = _hex(block["hash"])
        sightings = tuple(
            Sighting(c.asset, c.txid, c.slot, watched[c.account], c.amount, height, hash_) for c in found
        )
        return SeenBlock(height, hash_, _hex(block["parentHash"]), sightings)

    async def growth(self, address: str, first: int, last: int) -> Growth | None:
        """Return how the balance grew; the account moved coins if it signed anything or is a contract."""
        account = AsyncWeb3.to_checksum_address(address)
        async with self._web3() as (web3, _):
            eth = web3.eth
            try:
                balances = [await eth.get_balance(account, height) for height in (first, last)]
                signed = [await eth.get_transaction_count(account, height) for height in (first, last)]
            except Web3Exception:  # no archive
                return None
            code = await eth.get_code(account, last)
        return Growth(balances[1] - balances[0], signed[0] != signed[1] or len(code) > 0)

    async def _moves(self, web3: AsyncWeb3[Any], node: Node, block: Any, tx: Any) -> list[_Move]:
        """Return all that a transaction moved, in the order of its execution; nothing if it failed."""
        try:
            receipt: Any = await web3.eth.get_transaction_receipt(tx["hash"])
        except TransactionNotFound:
            raise NodeUnavailable(f"{self._name}: no receipt of {_hex(tx['hash'])}") from None
        if receipt["blockHash"] != block["hash"]:
            raise ChainMoved(f"{self._name}: block {block['number']} left the chain while it was read")
        if "status" not in receipt:
            raise NodeUnavailable(f"{self._name}: the receipt of {_hex(tx['hash'])} has no status")
        if receipt["status"] != 1:
            return []
        to = tx.get("to") or receipt["contractAddress"]
        moves = [_Move(self.coin, "value", _account(tx["from"]), _account(to), tx["value"])]
        if not self.by_balance:
            trace = await traces.of(node, str(self._mode), _hex(tx["hash"]))
            moves += [_Move(self.coin, *each) for each in traces.payments(trace)]
        moves += self._logged(receipt["logs"])
        return [move for move in moves if move.amount]

    def _logged(self, logs: Any) -> Iterator[_Move]:
        """Yield what tokens of the allow-list say that they moved."""
        for place, log in enumerate(logs):
            asset = self._tokens.get(_account(log["address"]))
            topics = [bytes(topic) for topic in log["topics"]]
            if asset and len(topics) == _TOPICS and topics[0] == _TRANSFER and len(log["data"]) == _WORD:
                amount = int.from_bytes(log["data"], "big")
                yield _Move(asset, f"log:{place}", topics[1][12:], topics[2][12:], amount)

    async def _verified(
        self, node: Node, block: Any, moves: Iterable[list[_Move]], found: list[_Credit]
    ) -> list[_Credit]:
        """Take off what tokens that are not trusted logged, and what did not arrive by their balances."""
        logged: dict[Key, int] = defaultdict(int)
        for move in (each for some in moves for each in some):
            logged[move.asset, move.to] += move.amount
            logged[move.asset, move.sender] -= move.amount
        for asset, account in {(c.asset, c.account) for c in found if c.asset in self._doubted}:
            before = await _balance(node, self._doubted[asset], account, block["number"] - 1)
            after = await _balance(node, self._doubted[asset], account, block["number"])
            found = _less(found, (asset, account), logged[asset, account] - (after - before))
        return found

    @asynccontextmanager
    async def _web3(self) -> AsyncIterator[tuple[AsyncWeb3[Any], Node]]:
        """Lend web3 over one of our endpoints; its errors become ours."""
        async with self._rpc.node() as node:
            try:
                yield AsyncWeb3(_Provider(node), middleware=[]), node
            except Web3Exception as error:
                raise NodeUnavailable(f"{node.url}: {type(error).__name__}: {str(error)[:200]}") from None

    async def _verify(self, node: Node) -> None:
        served = int(await node.call("eth_chainId", of=str), 16)
        if served != self._number:
            raise NodeMisbehaved(f"{node.url} serves chain id {served}, not {self._number}")


async def _probed(node: Node) -> str:
    """Return how the node tells of calls inside transactions; asked about none, it says so if it can."""
    for mode in traces.METHODS:
        try:
            await traces.of(node, mode, _NO_TRANSACTION)
        except MethodMissing:
            continue
        except RpcError:
            return mode
        return mode
    return "none"


async def _balance(node: Node, contract: str, account: bytes, height: int) -> int:
    call = {"to": contract, "data": _BALANCE_OF + account.hex()}
    answer = await node.call("eth_call", [call, hex(height)], of=str)
    return int(answer, 16) if len(answer) > len("0x") else 0


def _net(txid: str, moves: list[_Move]) -> list[_Credit]:
    """Return what one transaction left at each account."""
    sent: dict[Key, int] = defaultdict(int)
    for move in moves:
        sent[move.asset, move.sender] += move.amount
    credits_ = [_Credit(move.asset, txid, move.slot, move.to, move.amount) for move in moves]
    for key, amount in sent.items():
        credits_ = _less(credits_, key, amount)
    return credits_


def _less(credits_: list[_Credit], key: Key, excess: int) -> list[_Credit]:
    """Return the credits with `excess` taken off those of one account, from the last one backwards."""
    kept = []
    for credit in reversed(credits_):
        taken = min(max(excess, 0), credit.amount) if (credit.asset, credit.account) == key else 0
        excess -= taken
        if credit.amount > taken:
            kept.append(credit._replace(amount=credit.amount - taken))
    return kept[::-1]


def _is_system(tx: Any) -> bool:
    """Whether the chain itself made it (Polygon's state sync): not every node has a receipt of those."""
    return tx.get("to") is not None and _account(tx["from"]) == _account(tx["to"]) == _NOBODY


def _account(text: str | None) -> bytes:
    return bytes.fromhex(text[2:]) if text else _NOBODY


def _hex(value: bytes) -> str:
    return "0x" + bytes(value).hex()
