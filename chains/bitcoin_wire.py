"""The parts of serialised blocks and transactions of the Bitcoin family: sizes, inputs, outputs, witnesses.

Knows the layout alone: no addresses, no heights, no node. A jump beyond the end is not an error here: the
next index raises IndexError, or the caller sees the position.
Sources: Bitcoin's protocol documentation, BIP-141 and BIP-144 (witness), src/primitives/transaction.h of
Litecoin (MWEB).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

OUTPOINT = 36
HASH = 32
_FINAL_SEQUENCE = 0xFFFFFFFE
"""BIP-125: an input with a lower sequence number may be replaced."""
WITNESS = 0x01
MWEB = 0x08


class WireError(ValueError):
    """The bytes are not the whole block or transaction asked for; nothing found in them may be used."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what a coin's serialisation goes beyond Bitcoin's first one."""

    witness: bool = False
    mweb: bool = False
    auxpow: bool = False

    @property
    def flags(self) -> int:
        """The bits that the flag byte of a transaction may have."""
        return (WITNESS if self.witness else 0) | (MWEB if self.mweb else 0)


class Output(NamedTuple):
    """A watched output, its value in base units.

    `hogex`: coins that left MWEB, paid by the integrating transaction that ends a block.
    """

    txid: str
    vout: int
    script: bytes
    value: int
    coinbase: bool = False
    hogex: bool = False


def outpoint(text: str) -> bytes:
    """Return the 36 bytes by which inputs name the outpoint "txid:n"."""
    txid, _, vout = text.partition(":")
    return bytes.fromhex(txid)[::-1] + int(vout).to_bytes(4, "little")


def outpoint_text(raw: bytes) -> str:
    """Return "txid:n" for the 36 bytes of an input."""
    return f"{raw[31::-1].hex()}:{int.from_bytes(raw[32:36], 'little')}"


def double_sha256(data: bytes) -> bytes:
    """Return the hash by which blocks and transactions are named (in the reverse of the order shown)."""
    return sha256(sha256(data).digest()).digest()


def compact(data: bytes, i: int) -> tuple[int, int]:
    """Return the compact size at `i` and the position after it."""
    return (data[i], i + 1) if data[i] < 253 else long_size(data, i)  # noqa: PLR2004 - one byte


def long_size(data: bytes, i: int) -> tuple[int, int]:
    """Return the compact size at `i`, whose first byte is above 252, and the position after it."""
    end = i + 1 + (2 << (data[i] - 253))
    if end > len(data):
        raise IndexError
    return int.from_bytes(data[i + 1 : end], "little"), end


def skip_inputs(data: bytes, i: int) -> tuple[int, int]:
    """Return the number of inputs and the position after them."""
    count, i = compact(data, i)
    for _ in range(count):
        size = data[i + OUTPOINT]
        if size < 253:  # noqa: PLR2004 - inlined, for speed
            i += size + 41
        else:
            size, i = long_size(data, i + OUTPOINT)
            i += size + 4
    return count, i


def skip_outputs(data: bytes, i: int) -> int:
    """Return the position after the outputs."""
    count, i = compact(data, i)
    for _ in range(count):
        size, i = compact(data, i + 8)
        i += size
    return i


def skip_witnesses(data: bytes, i: int, inputs: int) -> int:
    """Return the position after the witnesses of so many inputs."""
    for _ in range(inputs):
        items = data[i]
        if items < 253:  # noqa: PLR2004 - inlined, for speed
            i += 1
        else:
            items, i = long_size(data, i)
        for _ in range(items):
            size = data[i]
            if size < 253:  # noqa: PLR2004 - inlined, for speed
                i += size + 1
            else:
                size, i = long_size(data, i)
                i += size
    return i


def inputs(data: bytes, i: int) -> list[bytes]:
    """Return the outpoints that the inputs at `i` spend."""
    found = []
    count, i = compact(data, i)
    for _ in range(count):
        found.append(data[i : i + OUTPOINT])
        size, i = compact(data, i + OUTPOINT)
        i += size + 4
    return found


def signals_replacement(data: bytes, i: int) -> bool:
    """Tell whether an input at `i` announces that it may be replaced (BIP-125: by its sequence number)."""
    count, i = compact(data, i)
    found = False
    for _ in range(count):
        size, i = compact(data, i + OUTPOINT)
        i += size + 4
        found |= int.from_bytes(data[i - 4 : i], "little") < _FINAL_SEQUENCE
    return found


def skip_transaction(data: bytes, i: int) -> int:
    """Return the position after a transaction with or without witnesses."""
    flags, body = read_flags(data, i, WITNESS)
    count, i = skip_inputs(data, body)
    i = skip_outputs(data, i)
    return (skip_witnesses(data, i, count) if flags & WITNESS else i) + 4


def read_flags(data: bytes, start: int, allowed: int) -> tuple[int, int]:
    """Return the flag byte of the transaction at `start` (0 if it has none) and where its inputs begin."""
    if data[start + 4]:
        return 0, start + 4
    flags = data[start + 5]
    if not flags or flags & ~allowed:
        raise WireError(f"transaction with the unknown flags {flags:#04x}")
    return flags, start + 6
