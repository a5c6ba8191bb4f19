"""Finds watched scripts and outpoints in the bytes of a block, in one pass, with no object per transaction.

Knows the serialisation only: no addresses, no heights, no node.
Sources beside those of bitcoin_wire.py: src/primitives/block.h of Litecoin (what follows a HogEx),
src/auxpow.h of Dogecoin (merged mining).
"""

from __future__ import annotations

from dataclasses import dataclass
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
    read_flags,
    skip_inputs,
    skip_transaction,
    skip_witnesses,
)

if TYPE_CHECKING:
    from collections.abc import Collection

_HEADER = 80
_AUXPOW = 0x100


@dataclass(frozen=True, slots=True)
class Block:
    """What a block says of itself, its watched outputs, and which transaction spends a watched outpoint.

    Hashes are lower-case hex as nodes print them; `time` is Unix seconds.
    """

    hash: str
    parent: str
    time: int
    transactions: int
    outputs: list[Output]
    spent: dict[bytes, str]


def parse_block(
    data: bytes, dialect: Dialect, scripts: Collection[bytes], outpoints: Collection[bytes] = ()
) -> Block:
    """Return what `data`, a whole block, pays to `scripts` and spends of `outpoints`.

    A block with anything for us is also held against its merkle root: a credit is never taken from bytes to
    which the block's hash does not commit. Raises WireError for a broken or truncated block.
    """
    try:
        return _Reader(data, dialect, scripts, outpoints).block()
    except (IndexError, OverflowError) as error:
        raise WireError(f"block of {len(data)} bytes is truncated or no block") from error


class _Reader:
    """One pass over a block; a jump beyond its end is noticed by the next index or by `_check_end`."""

    def __init__(
        self, data: bytes, dialect: Dialect, scripts: Collection[bytes], outpoints: Collection[bytes]
    ) -> None:
        self._data = data
        self._scripts = scripts
        self._outpoints = outpoints
        self._auxpow = dialect.auxpow
        self._allowed = dialect.flags
        self._bodies: list[tuple[int, int, int, int]] = []  # start, inputs, end of the outputs, end
        self._hits: list[tuple[int, int, int]] = []  # transaction, output, position
        self._spent: list[tuple[int, bytes]] = []  # transaction, outpoint
        self._flags = 0  # of the transaction read last

    def block(self) -> Block:
        data = self._data
        count, i = compact(data, self._after_header())
        for index in range(count):
            i = self._transaction(index, i)
        self._check_end(count, i)
        txids = self._checked_txids() if self._hits or self._spent else []
        return Block(
            hash=double_sha256(data[:_HEADER])[::-1].hex(),
            parent=data[35:3:-1].hex(),
            time=int.from_bytes(data[68:72], "little"),
            transactions=count,
            outputs=[self._output(txids[index], index, vout, at) for index, vout, at in self._hits],
            spent={outpoint: txids[index] for index, outpoint in self._spent},
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
        count, i = skip_inputs(data, body)
        i = outputs_end = self._read_outputs(index, i)
        if flags & WITNESS:
            i = skip_witnesses(data, i, count)
        if flags & MWEB:
            i = self._skip_mweb_part(index, i)
        i += 4
        self._flags = flags
        self._bodies.append((start, body, outputs_end, i))
        return i

    def _look_up_inputs(self, index: int, i: int) -> None:
        for outpoint in inputs(self._data, i):
            if outpoint in self._outpoints:
                self._spent.append((index, outpoint))

    def _read_outputs(self, index: int, i: int) -> int:
        data, scripts = self._data, self._scripts
        count, i = compact(data, i)
        for vout in range(count):
            at = i
            size = data[i + 8]
            if size < 253:  # noqa: PLR2004 - a compact size of one byte, inlined for speed
                start = i + 9
            else:
                size, start = long_size(data, i + 8)
            i = start + size
            if data[start:i] in scripts:
                self._hits.append((index, vout, at))
        return i

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

    def _checked_txids(self) -> list[str]:
        txids = [self._txid(*body) for body in self._bodies]
        if _merkle_root(txids) != self._data[36:68]:
            raise WireError("the block's transactions do not belong to its header (merkle root)")
        return [txid[::-1].hex() for txid in txids]

    def _txid(self, start: int, body: int, outputs_end: int, end: int) -> bytes:
        data = self._data
        return double_sha256(data[start : start + 4] + data[body:outputs_end] + data[end - 4 : end])

    def _output(self, txid: str, index: int, vout: int, at: int) -> Output:
        data = self._data
        size, start = compact(data, at + 8)
        value = int.from_bytes(data[at : at + 8], "little")
        hogex = bool(self._flags & MWEB) and index == len(self._bodies) - 1
        return Output(txid, vout, data[start : start + size], value, coinbase=index == 0, hogex=hogex)


def _merkle_root(txids: list[bytes]) -> bytes:
    while len(txids) > 1:
        if len(txids) % 2:
            txids = [*txids, txids[-1]]
        txids = [double_sha256(txids[n] + txids[n + 1]) for n in range(0, len(txids), 2)]
    return txids[0]
