"""Whether an unconfirmed transaction may count before it is in a block: a pure judgement of what a node says.

Sound is what its sender cannot replace by the rules that nodes keep (BIP-125), pays a fee that gets it mined
soon, and hangs on nothing that is itself unconfirmed. Nodes with full replace-by-fee replace anything.
"""

from __future__ import annotations

from decimal import Decimal  # noqa: TC003 - read again at run time to decode answers

import msgspec

from chains.bitcoin_calls import base_units


class _Fees(msgspec.Struct):
    base: Decimal


class Entry(msgspec.Struct):
    """What getmempoolentry says; older nodes have `fee` and `size` for `fees` and `vsize`."""

    time: int
    vsize: int = 0
    size: int = 0
    fees: _Fees | None = None
    fee: Decimal | None = None
    depends: tuple[str, ...] = ()
    replaceable: bool = msgspec.field(default=False, name="bip125-replaceable")


def judge(entry: Entry, rate: int, *, replaceable: bool) -> str | None:
    """Return the risk of a transaction as `Transfer.risk` names it, None for a sound one.

    `rate`: base units per 1,000 virtual bytes that it has to pay. `replaceable`: its own inputs say so; the
    node's word counts as well, because an ancestor may say so for it.
    """
    if replaceable or entry.replaceable:
        return "replaceable"
    if entry.depends:
        return "unconfirmed_parent"
    size, fee = entry.vsize or entry.size, entry.fees.base if entry.fees else entry.fee
    enough = size > 0 and fee is not None and base_units(fee) * 1000 >= rate * size
    return None if enough else "low_fee"
