"""What is read of an EVM node's blocks, receipts and logs, and nothing else of them. Pure.

Unknown members and transaction types are passed over. Source of the shapes: the execution-apis specification.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from eth_utils.crypto import keccak

from chains.base import BlockRef, NodeUnavailable

BLOOM_BYTES = 256
NOBODY = "0x" + "0" * 40


class Header(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A block without its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    logs_bloom: str = ""


class Tx(msgspec.Struct, frozen=True, gc=False):
    """A transaction; `to` is None where it creates a contract."""

    hash: str
    sender: str = msgspec.field(name="from")
    value: str
    to: str | None = None

    @property
    def is_system(self) -> bool:
        """Whether the chain itself made it (Polygon's state sync): not every node tells more of those."""
        return self.sender == NOBODY and self.to == NOBODY


class Block(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A block with its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    transactions: list[Tx]
    logs_bloom: str = ""
    receipts_root: str = ""
    transactions_root: str = ""


class Log(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One log of a receipt."""

    address: str
    topics: list[str]
    data: str
    log_index: str
    removed: bool = False


class Receipt(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """What a transaction did. `contract_address` is what a creating transaction made.

    `status` is EIP-658's. Blocks before it (Byzantium, 2017) have a state root instead: not supported.
    """

    transaction_hash: str
    block_hash: str
    logs: list[Log]
    status: str | None = None
    contract_address: str | None = None
    logs_bloom: str = ""
    type: str = "0x0"
    cumulative_gas_used: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the transaction did what it says; NodeUnavailable where the receipt does not tell."""
        match quantity(self.status) if self.status is not None else None:
            case 1:
                return True
            case 0:
                return False
        txid, status = self.transaction_hash, str(self.status)[:20]
        raise NodeUnavailable(f"the receipt of {txid} has status {status}: it is 0x1 or 0x0 since Byzantium")


def quantity(text: str) -> int:
    """Return a QUANTITY of the JSON-RPC."""
    try:
        return int(text, 16)
    except ValueError:
        raise NodeUnavailable(f"the node gave {text[:20]!r} where a hexadecimal number belongs") from None


def account(text: str | None) -> bytes | None:
    """Return the 20 bytes of an account, None where there is none."""
    if text is None:
        return None
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise NodeUnavailable(f"the node gave {text[:50]!r} where an account belongs") from None


def reference(block: Header | Block) -> BlockRef:
    """Return the block's reference."""
    when = datetime.fromtimestamp(quantity(block.timestamp), UTC)
    return BlockRef(quantity(block.number), block.hash.lower(), block.parent_hash.lower(), when)


def bloom(text: str) -> int:
    """Return a logsBloom as one number; what is no bloom filter excludes nothing."""
    if len(text) != 2 + 2 * BLOOM_BYTES:
        return -1
    return quantity(text)


def bloom_bits(value: bytes) -> int:
    """Return the three bits that an account or a topic sets in a logsBloom (yellow paper, 4.3.1)."""
    digest = keccak(value)
    bits = 0
    for start in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return bits
