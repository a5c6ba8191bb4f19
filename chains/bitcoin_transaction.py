"""Finds watched scripts in the bytes of one transaction that is in no block, as the mempool has them.

Knows the serialisation only. What a transaction of Litecoin does inside MWEB is not looked at: its peg-outs
become outputs of another transaction, the HogEx of a block, and count there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chains.bitcoin_wire import (
    MWEB,
    WITNESS,
    Dialect,
    Output,
    WireError,
    compact,
    double_sha256,
    inputs,
    read_flags,
    signals_replacement,
    skip_inputs,
    skip_outputs,
    skip_witnesses,
)

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Transaction:
    """Every outpoint that a transaction spends, in the bytes of its inputs, and its watched outputs.

    `replaceable`: it says so itself (BIP-125).
    """

    txid: str
    inputs: list[bytes]
    outputs: list[Output]
    replaceable: bool = False


def parse_transaction(data: bytes, txid: str, dialect: Dialect, scripts: Collection[bytes]) -> Transaction:
    """Return the inputs and watched outputs of the transaction `txid`.

    Raises WireError if the bytes are broken or another transaction's. One that lies wholly inside MWEB has
    neither inputs nor outputs, and its identifier is a hash of what is not read.
    """
    try:
        return _parse(data, txid, dialect, scripts)
    except (IndexError, OverflowError) as error:
        raise WireError(f"transaction {txid} is truncated or none") from error


def without_witness(data: bytes, txid: str, dialect: Dialect) -> bytes:
    """Return what the identifier of a transaction commits to: its bytes in the first serialisation.

    Raises WireError as `parse_transaction` does.
    """
    try:
        _, body = read_flags(data, 0, dialect.flags)
        end = skip_outputs(data, skip_inputs(data, body)[1])
    except (IndexError, OverflowError) as error:
        raise WireError(f"transaction {txid} is truncated or none") from error
    return _committed(data, txid, body, end)


def _committed(data: bytes, txid: str, body: int, end: int) -> bytes:
    committed = data[:4] + data[body:end] + data[-4:]
    if double_sha256(committed)[::-1].hex() != txid:
        raise WireError(f"the node gave another transaction's bytes for {txid}")
    return committed


def _parse(data: bytes, txid: str, dialect: Dialect, scripts: Collection[bytes]) -> Transaction:
    flags, body = read_flags(data, 0, dialect.flags)
    count, outputs_at = skip_inputs(data, body)
    end = skip_outputs(data, outputs_at)
    tail = skip_witnesses(data, end, count) if flags & WITNESS else end
    if flags & MWEB and data[body : end + 1] == b"\x00\x00\x01":
        return Transaction(txid, [], [])
    if not flags & MWEB and tail + 4 != len(data):
        raise WireError(f"transaction {txid} has {len(data)} bytes and should have {tail + 4}")
    _committed(data, txid, body, end)
    watched = _watched(data, outputs_at, txid, scripts)
    return Transaction(txid, inputs(data, body), watched, signals_replacement(data, body))


def _watched(data: bytes, i: int, txid: str, scripts: Collection[bytes]) -> list[Output]:
    found = []
    count, i = compact(data, i)
    for vout in range(count):
        value = int.from_bytes(data[i : i + 8], "little")
        size, start = compact(data, i + 8)
        i = start + size
        if data[start:i] in scripts:
            found.append(Output(txid, vout, data[start:i], value))
    return found
