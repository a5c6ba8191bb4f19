"""Proves a block's receipts by the root that its header commits to: nothing left out, put in or changed.

The key-value tree of the yellow paper (appendix D) over RLP; receipts as of EIP-658 and EIP-2718. Knows
Ethereum's transaction types; a block with another one (a rollup's deposits) proves nothing here.
"""

from __future__ import annotations

from string import hexdigits
from typing import TYPE_CHECKING, Any

import rlp  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

from chains.base import NodeUnavailable
from chains.evm_blocks import BLOOM_BYTES, quantity

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from chains.evm_blocks import Block, Receipt
    from chains.evm_receipts import Receipts

KNOWN_TYPES = frozenset({0, 1, 2, 3, 4})
"""Legacy, EIP-2930, EIP-1559, EIP-4844 and EIP-7702: their receipts have the same four fields."""
_ROOT = 2 + 2 * 32
_ACCOUNT = 20
_BLOOM = 2 + 2 * BLOOM_BYTES


def check(block: Block, found: Receipts) -> None:
    """Raise NodeUnavailable unless `found` are all receipts of the block, as it was mined.

    Returns where the block proves nothing: no root is given, or there are receipts of an unknown kind. What
    the chain itself does (`Tx.is_system`) is not under the root.
    """
    ours = [tx.hash for tx in block.transactions if not tx.is_system]
    receipts = [found[txid] for txid in ours if txid in found]
    if len(block.receipts_root) != _ROOT or not all(map(_is_known, receipts)):
        return
    if receipts_root(receipts) != block.receipts_root.lower():
        raise NodeUnavailable(
            f"the receipts of block {quantity(block.number)} are not those that its header commits to; where "
            "a chain fills the header's receiptsRoot with something else, set receipts_root = false for it"
        )


def is_open(block: Block, found: Receipts, watched: Container[bytes]) -> bool:
    """Tell whether something could be left out that pays a watched account, and not be missed without proof.

    There are receipts of transactions that the block does not list; or it is the block's last log: the
    numbers have no hole then, and another log that names the same account fills the bloom filter.
    """
    if len(found) != len(block.transactions):
        return True
    logs = next((each.logs for each in reversed(found.values()) if each.logs), [])
    return any(_bytes(topic)[-_ACCOUNT:] in watched for log in logs for topic in log.topics[1:])


def is_empty(block: Block) -> bool:
    """Tell whether a block that lists no transaction has none, where its header says so at all."""
    return len(block.transactions_root) != _ROOT or block.transactions_root.lower() == "0x" + _root([]).hex()


def receipts_root(receipts: Sequence[Receipt]) -> str:
    """Return the root of the receipts in their order, all of known types."""
    return "0x" + _root([_encoded(each) for each in receipts]).hex()


def _is_known(receipt: Receipt) -> bool:
    whole = receipt.status is not None and receipt.cumulative_gas_used and len(receipt.logs_bloom) == _BLOOM
    return bool(whole) and quantity(receipt.type) in KNOWN_TYPES


def _encoded(receipt: Receipt) -> bytes:
    logs = [
        [_bytes(log.address), [_bytes(topic) for topic in log.topics], _bytes(log.data)]
        for log in receipt.logs
    ]
    status, gas = _number(quantity(receipt.status or "0x0")), _number(quantity(receipt.cumulative_gas_used))
    kind = _number(quantity(receipt.type))
    return kind + bytes(rlp.encode([status, gas, _bytes(receipt.logs_bloom), logs]))


def _root(values: Sequence[bytes]) -> bytes:
    keys = [bytes(rlp.encode(_number(place))).hex() for place in range(len(values))]
    return bytes(keccak(rlp.encode(_node(sorted(zip(keys, values, strict=True))) if values else b"")))


def _node(pairs: Sequence[tuple[str, bytes]]) -> list[Any]:
    """Return the node above these sorted pairs of a path and a value.

    Paths are in hexadecimal digits, and none begins another.
    """
    if len(pairs) == 1:
        return [_packed(pairs[0][0], leaf=True), pairs[0][1]]
    if shared := _shared(pairs[0][0], pairs[-1][0]):
        below = [(path[len(shared) :], value) for path, value in pairs]
        return [_packed(shared, leaf=False), _reference(_node(below))]
    branches = [[(path[1:], value) for path, value in pairs if path[0] == digit] for digit in hexdigits[:16]]
    return [*(_reference(_node(each)) if each else b"" for each in branches), b""]


def _shared(first: str, last: str) -> str:
    """Return with what both begin, and so whatever is sorted between them."""
    differing = (place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differing, len(first))]


def _reference(node: list[Any]) -> Any:
    """Return what stands for a node in the one above it: itself, or its hash where that is shorter."""
    encoded = bytes(rlp.encode(node))
    return node if len(encoded) < 32 else bytes(keccak(encoded))  # noqa: PLR2004 - the length of a hash


def _packed(path: str, *, leaf: bool) -> bytes:
    """Return a path with its kind and the parity of its length before it (appendix C)."""
    odd = len(path) % 2
    return bytes.fromhex(f"{2 * leaf + odd:x}{'' if odd else '0'}{path}")


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise NodeUnavailable(f"the node gave {text[:20]!r} where bytes belong") from None
