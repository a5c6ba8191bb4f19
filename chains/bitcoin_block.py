"""Finds watched scripts and outpoints in the bytes of a block, in one pass, with no object per transaction.

Knows the serialisation only: no addresses, no heights, no node.
Sources beside those of bitcoin_wire.py: src/primitives/block.h of Litecoin (what follows a HogEx),
src/auxpow.h of Dogecoin (merged mining).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from chains.bitcoin_wire import (
    HASH,
    MWEB,
    WITNESS,
    Dialect,
    Output,
    WireError,
    compact,
    double_sha256,
    inputs,
    long_size,
    outpoint_text,
    read_flags,
    skip_inputs,
    skip_transaction,
    skip_witnesses,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from collections.abc import Set as AbstractSet

_HEADER = 80
_AUXPOW = 0x100


@dataclass(frozen=True, slots=True)
class Block:
    """What a block says of itself, its watched outputs, and which transaction spends a watched outpoint.

    Hashes are lower-case hex as nodes print them; `time` is Unix seconds. `inputs` are the outpoints that
    the transactions of those outputs spend: after a reorganisation, whatever else spends one replaces them.
    """

    hash: str
    parent: str
    time: int
    transactions: int
    outputs: list[Output]
    spent: dict[bytes, str]
    inputs: dict[str, tuple[str, ...]]


def parse_block(
    data: bytes,
    dialect: Dialect,
    scripts: AbstractSet[bytes],
    outpoints: Collection[bytes] = (),
    *,
    prove: bool = False,
) -> Block:
    """Return what `data`, a whole block, pays to `scripts` and spends of `outpoints`.

    A block with anything for us is also held against its merkle root: a credit is never taken from bytes to
    which the block's hash does not commit. `prove`: every block is, so that none that seems to hold nothing
    hides a payment. Raises WireError for a broken or truncated block.
    """
    try:
        return _Reader(data, dialect, scripts, outpoints).block(prove=prove)
    except (IndexError, OverflowError) as error:
        raise WireError(f"block of {len(data)} bytes is truncated or no block") from error


def header_hash(data: bytes) -> str:
    """Return the hash of the block that these bytes claim to be, whatever follows the header."""
    return _shown(double_sha256(data[:80]))


class _Reader:
    """One pass over a block; a jump beyond its end is noticed by the next index or by `_check_end`."""

    def __init__(
        self, data: bytes, dialect: Dialect, scripts: AbstractSet[bytes], outpoints: Collection[bytes]
    ) -> None:
        self._data = data
        self._scripts = scripts
        self._outpoints = outpoints
        self._auxpow = dialect.auxpow
        self._allowed = dialect.flags
        self._bodies: list[tuple[int, int, int, int, int]] = []  # start, inputs, outputs, their end, end
        self._paid: list[bytes] = []  # the script of every output
        self._first: list[int] = []  # the place in `_paid` of each transaction's first output
        self._spent: list[tuple[int, bytes]] = []  # transaction, outpoint
        self._flags = 0  # of the transaction read last

    def block(self, *, prove: bool) -> Block:
        data = self._data
        count, i = compact(data, self._after_header())
        for index in range(count):
            i = self._transaction(index, i)
        self._check_end(count, i)
        paying = self._paying()
        txids = self._checked_txids() if prove or paying or self._spent else []
        return Block(
            hash=_shown(double_sha256(data[:_HEADER])),
            parent=_shown(data[4:36]),
            time=int.from_bytes(data[68:72], "little"),
            transactions=count,
            outputs=[output for index in paying for output in self._outputs(txids[index], index)],
            spent={outpoint: _shown(txids[index]) for index, outpoint in self._spent},
            inputs={_shown(txids[index]): self._inputs(index) for index in paying},
        )

    def _after_header(self) -> int:
        """Skip the header and, after a merge-mined one, the proof of work done on another chain.

        That is the other chain's coinbase, its block's hash, two merkle branches and its header.
        """
        if not self._auxpow or not int.from_bytes(self._data[:4], "little") & _AUXPOW:
            return _HEADER
        i = skip_transaction(self._data, _HEADER) + HASH
        for _ in range(2):
            hashes, i = compact(self._data, i)
            i += hashes * HASH + 4
        return i + _HEADER

    def _transaction(self, index: int, start: int) -> int:
        """Read one transaction and return the position after it."""
        data = self._data
        flags, body = read_flags(data, start, self._allowed)
        if self._outpoints:
            self._look_up_inputs(index, body)
        count, outputs = skip_inputs(data, body)
        i = outputs_end = self._read_outputs(outputs)
        if flags & WITNESS:
            i = skip_witnesses(data, i, count)
        if flags & MWEB:
            i = self._skip_mweb_part(index, i)
        i += 4
        self._flags = flags
        self._bodies.append((start, body, outputs, outputs_end, i))
        return i

    def _look_up_inputs(self, index: int, i: int) -> None:
        for outpoint in inputs(self._data, i):
            if outpoint in self._outpoints:
                self._spent.append((index, outpoint))

    def _read_outputs(self, i: int) -> int:
        data, paid = self._data, self._paid
        self._first.append(len(paid))
        count, i = compact(data, i)
        for _ in range(count):
            size = data[i + 8]
            if size < 253:  # noqa: PLR2004 - a compact size of one byte, inlined for speed
                start = i + 9
            else:
                size, start = long_size(data, i + 8)
            i = start + size
            paid.append(data[start:i])
        return i

    def _paying(self) -> list[int]:
        """Return the transactions that pay a watched script.

        All scripts of the block are looked up at once: one by one, each would wait for the memory in which
        a set of millions lies.
        """
        if self._scripts.isdisjoint(self._paid):
            return []
        hits = (place for place, script in enumerate(self._paid) if script in self._scripts)
        return sorted({bisect_right(self._first, place) - 1 for place in hits})

    def _skip_mweb_part(self, index: int, i: int) -> int:
        """Skip the absent MWEB part of a HogEx: the others of a block have left theirs to the MWEB block."""
        if self._data[i]:
            raise WireError(f"transaction {index} of the block carries MWEB data of its own")
        return i + 1

    def _check_end(self, count: int, i: int) -> None:
        """After a HogEx as the last transaction follow a flag byte and the MWEB block; else nothing does."""
        size = len(self._data)
        if not count:
            raise WireError(f"block of {size} bytes has no transaction")
        if self._flags & MWEB:
            if self._data[i] != 1 and i + 1 != size:
                raise WireError(f"block goes on for {size - i - 1} bytes after its absent MWEB block")
        elif i != size:
            raise WireError(f"block of {size} bytes should end at {i}")

    def _checked_txids(self) -> list[bytes]:
        data = self._data
        txids = [  # double_sha256, inlined for speed
            sha256(
                sha256(data[start : start + 4] + data[body:outputs_end] + data[end - 4 : end]).digest()
            ).digest()
            for start, body, _outputs, outputs_end, end in self._bodies
        ]
        if _merkle_root(txids) != data[36:68]:
            raise WireError("the block's transactions do not belong to its header (merkle root)")
        return txids

    def _inputs(self, index: int) -> tuple[str, ...]:
        """Return what a transaction spends; a coinbase makes its coins."""
        body = self._bodies[index][1]
        return tuple(map(outpoint_text, inputs(self._data, body))) if index else ()

    def _outputs(self, txid: bytes, index: int) -> Iterator[Output]:
        """Yield the watched outputs of a transaction."""
        data = self._data
        hogex = bool(self._flags & MWEB) and index == len(self._bodies) - 1
        count, at = compact(data, self._bodies[index][2])
        for vout in range(count):
            size, start = compact(data, at + 8)
            script = data[start : start + size]
            if script in self._scripts:
                value = int.from_bytes(data[at : at + 8], "little")
                yield Output(_shown(txid), vout, script, value, coinbase=index == 0, hogex=hogex)
            at = start + size


def _merkle_root(txids: list[bytes]) -> bytes:
    while len(txids) > 1:
        if len(txids) % 2:
            txids = [*txids, txids[-1]]
        pairs = zip(txids[::2], txids[1::2], strict=True)
        txids = [sha256(sha256(left + right).digest()).digest() for left, right in pairs]
    return txids[0]


def _shown(hash_: bytes) -> str:
    """Return a hash as nodes print it."""
    return hash_[::-1].hex()
