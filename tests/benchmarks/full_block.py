"""Fills one block of a private litecoind up to a weight, in the mix of sizes that Bitcoin's blocks have.

Its coins can be spent without a signature (the script drops two items and leaves 1), so thousands of inputs
of real sizes cost nothing to make; the node validates the block like any other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import new, sha256
from typing import TYPE_CHECKING

from chains import keys
from chains.bitcoin_wire import double_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.sandbox.litecoind import Litecoind

_SCRIPT = bytes.fromhex("757551")
"""OP_DROP OP_DROP OP_1."""
_WITNESS_PROGRAM = b"\x00\x20" + sha256(_SCRIPT).digest()
_SCRIPT_HASH = b"\xa9\x14" + new("ripemd160", sha256(_SCRIPT).digest()).digest() + b"\x87"
_COIN = 500_000
"""Base units of each coin that is spent; an output gets a small part of one."""
_RESERVED = 4_000
"""Weight left for header and coinbase."""
_OP_RETURN = 0x6A

_OUTPUTS = (
    (45, b"\x00\x14%s", 20),
    (20, b"\x51\x20%s", 32),
    (15, b"\x76\xa9\x14%s\x88\xac", 20),
    (12, b"\xa9\x14%s\x87", 20),
    (6, b"\x00\x20%s", 32),
    (2, b"\x6a\x20%s", 32),
)
"""Share in a hundred, script and size of its random part: p2wpkh, p2tr, p2pkh, p2sh, p2wsh, OP_RETURN."""
_INPUTS_OF = (*[1] * 48, *[2] * 25, *[3] * 10, *[4] * 5, *[7] * 6, *[14] * 6)
_OUTPUTS_OF = (*[1] * 18, *[2] * 60, *[3] * 8, *[5] * 5, *[12] * 6, *[40] * 3)
"""How many inputs and outputs a transaction has, in a hundred transactions."""
_LEGACY = 0.04
"""The part of the inputs that carries its items in the scriptSig, as legacy ones do."""


@dataclass(frozen=True, slots=True)
class FullBlock:
    """A mined block, and what its outputs pay to (without OP_RETURN)."""

    height: int
    data: bytes
    transactions: int
    scripts: list[bytes]


@dataclass(frozen=True, slots=True)
class _Input:
    """`items` are a signature and a public key in size and form alone."""

    legacy: bool
    items: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Plan:
    inputs: list[_Input]
    outputs: list[tuple[int, bytes]]


def mine(node: Litecoind, weight: int) -> FullBlock:
    """Mine a block of about that weight (BIP-141; 4,000,000 is full)."""
    address = keys.address_of(_WITNESS_PROGRAM, keys.network("litecoin", "regtest"))
    first, *_ = node.mine(101, address)
    coinbase = bytes.fromhex(node.rpc("getblock", first)["tx"][0])[::-1]
    plans = _plans(random.Random(1), weight - _RESERVED)  # the same block every time
    bare, funding = _funding(coinbase, plans)
    node.rpc("generateblock", address, [funding.hex()])
    spending = [raw.hex() for raw in _spending(double_sha256(bare), plans)]
    mined = node.rpc("generateblock", address, spending)
    data = bytes.fromhex(node.rpc("getblock", mined["hash"], 0))
    scripts = [script for plan in plans for _, script in plan.outputs if script[0] != _OP_RETURN]
    return FullBlock(node.height, data, len(spending) + 1, scripts)


def random_script(chance: random.Random) -> bytes:
    """Return a script that pays nobody, of a kind that blocks are full of."""
    _, form, size = chance.choices(_OUTPUTS, weights=[share for share, *_ in _OUTPUTS])[0]
    return form % chance.randbytes(size)


def _plans(chance: random.Random, weight: int) -> list[_Plan]:
    plans: list[_Plan] = []
    while True:
        plan = _Plan(
            [_input(chance) for _ in range(chance.choice(_INPUTS_OF))],
            [
                (chance.randint(1_000, 12_000), random_script(chance))
                for _ in range(chance.choice(_OUTPUTS_OF))
            ],
        )
        bare, raw = _transaction(plan, bytes(32), 0)
        weight -= 3 * len(bare) + len(raw)
        if weight < 0:
            return plans
        plans.append(plan)


def _input(chance: random.Random) -> _Input:
    number = b"\x02\x20\x11" + chance.randbytes(31)
    signature = b"\x30\x44" + number + b"\x02\x20\x22" + chance.randbytes(31) + b"\x01"
    return _Input(chance.random() < _LEGACY, (signature, b"\x02" + chance.randbytes(32)))


def _funding(coinbase: bytes, plans: Sequence[_Plan]) -> tuple[bytes, bytes]:
    """Return the transaction that makes a coin for each input, without and with its witness."""
    needed = [_SCRIPT_HASH if each.legacy else _WITNESS_PROGRAM for plan in plans for each in plan.inputs]
    spend = _Input(legacy=False, items=(bytes(71), bytes(33)))
    return _transaction(_Plan([spend], [(_COIN, script) for script in needed]), coinbase, 0)


def _spending(funding: bytes, plans: Sequence[_Plan]) -> list[bytes]:
    found: list[bytes] = []
    coin = 0
    for plan in plans:
        found.append(_transaction(plan, funding, coin)[1])
        coin += len(plan.inputs)
    return found


def _transaction(plan: _Plan, source: bytes, first: int) -> tuple[bytes, bytes]:
    """Return a transaction that spends the outputs of `source` from `first` on, without and with witness."""
    inputs = _size(len(plan.inputs)) + b"".join(
        source + (first + n).to_bytes(4, "little") + _counted(_script_sig(each)) + b"\xff\xff\xff\xff"
        for n, each in enumerate(plan.inputs)
    )
    outputs = _size(len(plan.outputs)) + b"".join(
        value.to_bytes(8, "little") + _counted(script) for value, script in plan.outputs
    )
    version, locktime = b"\x02\x00\x00\x00", bytes(4)
    bare = version + inputs + outputs + locktime
    if all(each.legacy for each in plan.inputs):
        return bare, bare
    witnesses = b"".join(map(_witness, plan.inputs))
    return bare, version + b"\x00\x01" + inputs + outputs + witnesses + locktime


def _script_sig(each: _Input) -> bytes:
    return b"".join(map(_counted, (*each.items, _SCRIPT))) if each.legacy else b""


def _witness(each: _Input) -> bytes:
    return b"\x00" if each.legacy else b"\x03" + b"".join(map(_counted, (*each.items, _SCRIPT)))


def _counted(data: bytes) -> bytes:
    return _size(len(data)) + data


def _size(number: int) -> bytes:
    """Return a compact size; none here needs more than three bytes."""
    return bytes((number,)) if number < 253 else b"\xfd" + number.to_bytes(2, "little")
