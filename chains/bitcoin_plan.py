"""Which coins a refund spends, what it costs and what comes back: arithmetic in base units. Pure.

Sources: BIP-141 (weight), GetDustThreshold in Bitcoin Core's policy.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chains.base import Coin
    from chains.bitcoin_coins import Coin as Kind

_WITNESS_HASH = b"\x00\x14"
_TAPROOT = b"\x51\x20"
_P2SH = b"\xa9\x14"
_P2PKH = b"\x76\xa9"
_WEIGHTS = {_WITNESS_HASH: 272, _TAPROOT: 230, _P2PKH: 592}
_WITNESS_SCRIPT = 418
"""Weight of an input by how its script begins; of any other witness, as one for 2 of 3 keys."""
_NESTED = 364
_SCRIPT = 1188
"""Weight of what spends P2SH outputs: of ours, one key in a witness; of others, 2 of 3 keys."""
_FRAME = 4 * 10
_MARKER = 2


@dataclass(frozen=True, slots=True)
class Spend:
    """One output that a refund may spend. `ours`: `coin.index` leads to it below the configured key."""

    coin: Coin
    vout: int
    script: bytes
    ours: bool

    @property
    def witness(self) -> bool:
        """Whether its signature commits to its amount, so that the amount alone has to be told."""
        return _is_witness(self.script) or (self.ours and self.script[:2] == _P2SH)

    @property
    def weight(self) -> int:
        """What spending it adds to a transaction."""
        if self.script[:2] == _P2SH:
            return _NESTED if self.ours else _SCRIPT
        return _WEIGHTS.get(self.script[:2], _WITNESS_SCRIPT)


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction in figures: `change` 0 is no change, and what it would have been is in the fee."""

    spends: tuple[Spend, ...]
    arrives: int
    change: int
    fee: int
    vsize: int


def make(spends: Sequence[Spend], amount: int, rate: int, outputs: tuple[bytes, bytes], kind: Kind) -> Plan:
    """Spend the largest first, until amount and fee are covered; what is not covered, the receiver bears.

    A coin that costs more than it brings stays where it is, so that dust takes nothing from what arrives.
    `rate`: base units per 1,000 virtual bytes. `outputs`: the scripts of the destination and of the change.
    Raises ValueError where nothing worth sending would arrive.
    """
    chosen: list[Spend] = []
    for spend in sorted(spends, key=lambda each: (-each.coin.amount, each.coin.txid, each.vout)):
        if chosen and spend.coin.amount * 4000 <= spend.weight * rate:
            break
        chosen.append(spend)
        if _held(chosen) >= amount + _fee(vsize(chosen, outputs[:1]), rate):
            break
    return _balanced(tuple(chosen), amount, rate, outputs, kind)


def _balanced(
    spends: tuple[Spend, ...], amount: int, rate: int, outputs: tuple[bytes, bytes], kind: Kind
) -> Plan:
    held, alone, both = _held(spends), vsize(spends, outputs[:1]), vsize(spends, outputs)
    arrives, change = min(amount, held - _fee(alone, rate)), held - amount - _fee(both, rate)
    if arrives < (least := dust(outputs[0], kind)):
        raise ValueError(
            f"the fee of {_fee(alone, rate)} base units leaves {max(arrives, 0)} of {min(amount, held)}, and "
            f"nodes pass nothing on below {least}: wait for lower fees, or refund more"
        )
    if change >= dust(outputs[1], kind):
        return Plan(spends, amount, change, _fee(both, rate), both)
    return Plan(spends, arrives, 0, held - arrives, alone)


def vsize(spends: Sequence[Spend], outputs: Sequence[bytes]) -> int:
    """Return the virtual bytes of the signed transaction, as an estimate that is hardly too low."""
    weight = _FRAME + sum(4 * (9 + len(script)) for script in outputs)
    weight += sum(each.weight for each in spends) + 8 * (len(spends) > 252)  # noqa: PLR2004 - a longer count
    if any(each.witness for each in spends):
        weight += _MARKER + sum(not each.witness for each in spends)
    return -(-weight // 4)


def dust(script: bytes, kind: Kind) -> int:
    """Return the least that nodes let an output of this script carry."""
    spending = 67 if _is_witness(script) else 148
    return max(kind.dust_floor, (9 + len(script) + spending) * kind.dust_rate // 1000)


def _is_witness(script: bytes) -> bool:
    return script[0] == 0 or 0x51 <= script[0] <= 0x60  # noqa: PLR2004 - OP_1 to OP_16


def _held(spends: Sequence[Spend]) -> int:
    return sum(each.coin.amount for each in spends)


def _fee(size: int, rate: int) -> int:
    return -(-size * rate // 1000)
