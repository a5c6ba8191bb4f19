"""Compact block filters (BIP-158, basic): which blocks can hold an output with one of our scripts.

A block that does not match holds none, for certain; one that matches may be a false alarm (1 in 784,931 for
each script). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.bitcoin_wire import WireError, compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_P = 19
"""Bits of each remainder (BIP-158, basic filter)."""
_M = 784_931
"""The inverse of the false positive rate (BIP-158, basic filter)."""
_MASK = 2**64 - 1
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
"""SipHash's constants: "somepseudorandomlygeneratedbytes"."""


def matching(filter_: bytes, block_hash: str, scripts: Iterable[bytes]) -> set[bytes]:
    """Return the scripts that the block may pay or spend. WireError if the filter is broken.

    `block_hash` as the node prints it: the filter's key is the begin of its bytes, which run the other way.
    """
    try:
        count, start = compact(filter_, 0)
        held = set(_values(filter_, start, count))
    except IndexError as error:
        raise WireError("a block filter is truncated") from error
    key = bytes.fromhex(block_hash)[::-1][:16]
    size = count * _M
    return {script for script in scripts if (siphash(key, script) * size) >> 64 in held}


def _values(data: bytes, start: int, count: int) -> Iterator[int]:
    """Yield the filter's numbers, rising: each is coded as its distance from the one before."""
    bits = int.from_bytes(data[start:])
    left = 8 * (len(data) - start)
    value = 0
    for _ in range(count):
        quotient = 0
        while True:
            left -= 1
            if left < _P:
                raise IndexError
            if not bits >> left & 1:
                break
            quotient += 1
        left -= _P
        value += quotient << _P | bits >> left & (1 << _P) - 1
        yield value


def siphash(key: bytes, data: bytes) -> int:
    """Return SipHash-2-4 of the data under a key of 16 bytes, as a number of 64 bits."""
    halves = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = [constant ^ halves[place % 2] for place, constant in enumerate(_START)]
    whole = len(data) - len(data) % 8
    tail = data[whole:].ljust(7, b"\0") + bytes([len(data) % 256])
    for place in range(0, whole, 8):
        _mix(state, int.from_bytes(data[place : place + 8], "little"))
    _mix(state, int.from_bytes(tail, "little"))
    state[2] ^= 0xFF
    for _ in range(4):
        _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _mix(state: list[int], word: int) -> None:
    state[3] ^= word
    _round(state)
    _round(state)
    state[0] ^= word


def _round(state: list[int]) -> None:
    a, b, c, d = state
    a = (a + b) & _MASK
    b = _rotated(b, 13) ^ a
    a = _rotated(a, 32)
    c = (c + d) & _MASK
    d = _rotated(d, 16) ^ c
    a = (a + d) & _MASK
    d = _rotated(d, 21) ^ a
    c = (c + b) & _MASK
    b = _rotated(b, 17) ^ c
    state[:] = a, b, _rotated(c, 32), d


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK
