"""ERC-20 movements as logs tell them, never as call data does. Pure: logs in, movements out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.evm_blocks import Log, bloom_bits, quantity
from chains.evm_moves import Move

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak256("Transfer(address,address,uint256)")."""
_TOPICS = 3
_DATA = 2 + 2 * 32

_TRANSFER_BITS = bloom_bits(bytes.fromhex(TRANSFER[2:]))


def bloom_masks(contracts: Sequence[bytes]) -> tuple[int, ...]:
    """Return the bits that a block's bloom filter has when one of the contracts logged a Transfer in it."""
    return tuple(_TRANSFER_BITS | bloom_bits(contract) for contract in contracts)


def may_hold(bloom: int, masks: Sequence[int]) -> bool:
    """Tell whether a block can hold a Transfer of any of the contracts; False is a proof."""
    return any(bloom & mask == mask for mask in masks)


def pays(logs: Sequence[Log], contracts: Mapping[str, str], watched: Container[bytes]) -> bool:
    """Tell whether a log may be a movement to a watched account: a quick look, as most are not."""
    for log in logs:
        if log.address in contracts or log.address.lower() in contracts:
            topics = log.topics
            if len(topics) == _TOPICS and topics[0] == TRANSFER and _party(topics[2]) in watched:
                return True
    return False


def moves(logs: Sequence[Log], contracts: Mapping[str, str]) -> Iterator[Move]:
    """Yield the movements of the allowed contracts (lower-case address to symbol) in the order of the logs.

    Three topics and 32 bytes of data: ERC-721 has four topics, and a token that indexes nothing has one.
    """
    for ordinal, log in enumerate(logs):
        symbol = contracts.get(log.address.lower())
        topics = log.topics
        if symbol is None or len(topics) != _TOPICS or topics[0] != TRANSFER or len(log.data) != _DATA:
            continue
        amount = quantity(log.data)
        if amount > 0:
            yield Move(symbol, f"log:{ordinal}", _party(topics[1]), _party(topics[2]), amount)


def _party(topic: str) -> bytes:
    return bytes.fromhex(topic[26:])
