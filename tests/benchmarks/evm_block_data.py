"""Makes one EVM block in the shapes and sizes of a busy mainnet block: itself, receipts, logs and traces.

A part of the logs are transfers of the watched token, some of them to watched accounts. Nothing is left out
that geth answers with: what is not needed has to be read past.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import msgspec

from chains.evm_blocks import Receipt, bloom_bits
from chains.evm_proof import receipts_root
from chains.evm_tokens import TRANSFER

TOKEN = "0xdac17f958d2ee523a2206206994597c13d831ec7"
HEIGHT = 21_000_000
_TIME = 1_767_225_600
_FOREIGN_CONTRACTS = 60
_TOKEN_SHARE = 0.2
"""The part of all logs that are transfers of the watched token."""
_CALLS = 8
"""Calls below each transaction, where it has call data at all."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answers of a node, and how many credits to the watched accounts are in them."""

    block: dict[str, Any]
    header: dict[str, Any]
    receipts: list[dict[str, Any]]
    logs: list[dict[str, Any]]
    traces: list[dict[str, Any]]
    credits: int


class Maker:
    """Makes the answers about one block, the same ones every time."""

    def __init__(self, transactions: int, logs: int, watched: list[bytes]) -> None:
        self._chance = random.Random(2)
        self._transactions = transactions
        self._logs = logs
        self._watched = watched
        self._contracts = [self._account() for _ in range(_FOREIGN_CONTRACTS)]
        self._hash = self._hex(32)
        self._credits = 0

    def make(self) -> Recorded:
        """Return the block with its receipts, logs and traces."""
        hashes = [self._hex(32) for _ in range(self._transactions)]
        transactions = [self._transaction(n, hash_) for n, hash_ in enumerate(hashes)]
        logs = [self._log(n, hashes) for n in range(self._logs)]
        receipts = [self._receipt(each, logs) for each in transactions]
        root = receipts_root(msgspec.convert(receipts, list[Receipt]))
        block = self._block(logs) | {"receiptsRoot": root}
        return Recorded(
            block={**block, "transactions": transactions},
            header={**block, "transactions": hashes},
            receipts=receipts,
            logs=logs,
            traces=[{"txHash": each["hash"], "result": self._trace(each)} for each in transactions],
            credits=self._credits,
        )

    def _block(self, logs: list[dict[str, Any]]) -> dict[str, Any]:
        roots = ("stateRoot", "transactionsRoot", "withdrawalsRoot", "mixHash", "sha3Uncles")
        withdrawals = [
            {
                "index": hex(n),
                "validatorIndex": hex(n),
                "address": self._account(),
                "amount": hex(18_000_000 + n),
            }
            for n in range(16)
        ]
        return {
            "number": hex(HEIGHT),
            "hash": self._hash,
            "parentHash": self._hex(32),
            "timestamp": hex(_TIME),
            "logsBloom": _bloom(logs),
            "miner": self._account(),
            "gasLimit": hex(36_000_000),
            "gasUsed": hex(29_000_000),
            "baseFeePerGas": hex(10**9),
            "blobGasUsed": "0x0",
            "excessBlobGas": "0x0",
            "difficulty": "0x0",
            "extraData": self._hex(20),
            "nonce": "0x0000000000000000",
            "parentBeaconBlockRoot": self._hex(32),
            "size": hex(150_000),
            "uncles": [],
            "withdrawals": withdrawals,
            **{root: self._hex(32) for root in roots},
        }

    def _transaction(self, number: int, hash_: str) -> dict[str, Any]:
        """Every fourth moves the coin alone, a few of those to a watched account."""
        plain = number % 4 == 0
        return {
            "blockHash": self._hash,
            "blockNumber": hex(HEIGHT),
            "from": self._account(),
            "gas": hex(210_000),
            "gasPrice": hex(2 * 10**9),
            "maxFeePerGas": hex(3 * 10**9),
            "maxPriorityFeePerGas": hex(10**9),
            "hash": hash_,
            "input": "0x" if plain else self._hex(self._chance.choice((68, 68, 132, 260, 516))),
            "nonce": hex(number),
            "to": self._receiver(number, 40) if plain else self._chance.choice(self._contracts),
            "transactionIndex": hex(number),
            "value": hex(10**17 + number) if plain else "0x0",
            "type": "0x2",
            "accessList": [],
            "chainId": "0x1",
            "v": "0x1",
            "r": self._hex(32),
            "s": self._hex(32),
            "yParity": "0x1",
        }

    def _log(self, number: int, hashes: list[str]) -> dict[str, Any]:
        place = number * len(hashes) // self._logs
        ours = self._chance.random() < _TOKEN_SHARE
        topics = [
            TRANSFER,
            _topic(self._account()),
            _topic(self._receiver(number, 50) if ours else self._account()),
        ]
        return {
            "address": TOKEN if ours else self._chance.choice(self._contracts),
            "topics": topics if ours or self._chance.random() < 0.5 else [self._hex(32), *topics[1:]],
            "data": self._hex(32 if ours else self._chance.choice((32, 32, 64, 160))),
            "blockHash": self._hash,
            "blockNumber": hex(HEIGHT),
            "blockTimestamp": hex(_TIME),
            "transactionHash": hashes[place],
            "transactionIndex": hex(place),
            "logIndex": hex(number),
            "removed": False,
        }

    def _receipt(self, transaction: dict[str, Any], logs: list[dict[str, Any]]) -> dict[str, Any]:
        own = [log for log in logs if log["transactionHash"] == transaction["hash"]]
        return {
            "blockHash": self._hash,
            "blockNumber": hex(HEIGHT),
            "contractAddress": None,
            "cumulativeGasUsed": hex(21_000),
            "effectiveGasPrice": hex(2 * 10**9),
            "from": transaction["from"],
            "gasUsed": hex(70_000),
            "logs": own,
            "logsBloom": _bloom(own),
            "status": "0x1",
            "to": transaction["to"],
            "transactionHash": transaction["hash"],
            "transactionIndex": transaction["transactionIndex"],
            "type": "0x2",
        }

    def _trace(self, transaction: dict[str, Any]) -> dict[str, Any]:
        inner = [] if transaction["input"] == "0x" else [self._call([]) for _ in range(_CALLS // 2)]
        nested = (
            [self._call(inner[:]), *(self._call([]) for _ in range(_CALLS - len(inner) - 1))] if inner else []
        )
        return {
            "type": "CALL",
            **{name: transaction[name] for name in ("from", "to", "value", "gas", "input")},
            "gasUsed": hex(70_000),
            "output": "0x",
            **({"calls": nested} if nested else {}),
        }

    def _call(self, calls: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "type": self._chance.choice(("CALL", "STATICCALL", "DELEGATECALL")),
            "from": self._chance.choice(self._contracts),
            "to": self._chance.choice(self._contracts),
            "value": "0x0",
            "gas": hex(100_000),
            "gasUsed": hex(9_000),
            "input": self._hex(self._chance.choice((36, 68, 68, 132))),
            "output": self._hex(32),
            **({"calls": calls} if calls else {}),
        }

    def _receiver(self, number: int, every: int) -> str:
        """Return a watched account in every so many, else anyone."""
        if number % every:
            return self._account()
        self._credits += 1
        return "0x" + self._watched[number % len(self._watched)].hex()

    def _account(self) -> str:
        return self._hex(20)

    def _hex(self, size: int) -> str:
        return "0x" + self._chance.randbytes(size).hex()


def _topic(account: str) -> str:
    return "0x" + "00" * 12 + account[2:]


def _bloom(logs: list[dict[str, Any]]) -> str:
    bits = 0
    for value in {each for log in logs for each in (log["address"], *log["topics"])}:
        bits |= bloom_bits(bytes.fromhex(value[2:]))
    return f"0x{bits:0512x}"
