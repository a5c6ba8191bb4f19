"""Short ways to write down an invoice's facts for tests of the matcher: times are seconds after creation.

The invoice of `invoice()` asks for 100 units within 3600 seconds and is monitored for 86400 more; its chain
has a block every ten seconds, the first (height 100) at creation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from chains.base import BlockRef
from watcher.matcher import decide
from watcher.model import (
    Deposit,
    FeePayer,
    Invoice,
    LatePolicy,
    Option,
    Refund,
    Resolution,
    ResolutionKind,
    Standing,
    View,
)
from watcher.money import gross_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.model import Decision, Happening

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEADLINE = 3600.0
MONITORED = DEADLINE + 86400
MICROSECOND = 0.000001
LARGEST = 2**256 - 1
BASE = 100
"""The height of the block at creation."""


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def option(position: int = 0, **fields: Any) -> Option:
    amount = int(fields.pop("amount", 100))
    defaults: dict[str, Any] = {
        "chain": "one",
        "asset": "COIN",
        "asset_id": "x",
        "decimals": 8,
        "address": f"address {position}",
        "expected": amount,
        "minimum": amount,
        "confirmations": 2,
        "from_height": -1,
    }
    return Option(position, amount=amount, **{**defaults, **fields})


def invoice(*options: Option, **fields: Any) -> Invoice:
    terms = Invoice("inv", options or (option(),), T0, at(DEADLINE), at(MONITORED))
    return replace(terms, **fields)


def block(height: int, seconds: float | None = None, branch: str = "a") -> BlockRef:
    when = at((height - BASE) * 10 if seconds is None else seconds)
    return BlockRef(height, f"{branch}{height}", f"{branch}{height - 1}", when)


def deposit(
    amount: int = 100,
    height: int | None = BASE + 1,
    *,
    arrived: float = 10,
    name: str = "p",
    **fields: Any,
) -> Deposit:
    """`height` None: in the mempool, unless `standing` says otherwise."""
    defaults: dict[str, Any] = {
        "id": name,
        "chain": "one",
        "asset": "COIN",
        "txid": f"tx {name}",
        "slot": "vout:0",
        "address": "address 0",
        "standing": Standing.MEMPOOL if height is None else Standing.MINED,
        "block": None if height is None else block(height),
    }
    return Deposit(amount=amount, arrived_at=at(arrived), **{**defaults, **fields})


def gone(standing: Standing, amount: int = 100, **fields: Any) -> Deposit:
    return deposit(amount, None, standing=standing, **fields)


def view(
    height: int = BASE + 2,
    as_of: float = 30,
    *,
    chain: str = "one",
    safe: int | None = None,
    finalized: int | None = None,
) -> View:
    return View(chain, block(height), at(as_of), safe, finalized)


def views(*each: View) -> dict[str, View]:
    return {v.chain: v for v in each}


def percent(text: str) -> Fraction:
    return Fraction(text) / 100


def accept(seconds: float) -> Resolution:
    return Resolution(ResolutionKind.ACCEPT, at(seconds), "key")


def extend(seconds: float, until: float) -> Resolution:
    return Resolution(ResolutionKind.EXTEND, at(seconds), "key", until=at(until))


def cancel(seconds: float) -> Resolution:
    return Resolution(ResolutionKind.CANCEL, at(seconds), "key")


OPEN = view()
PAST = view(BASE + 360, DEADLINE)
"""Proven to the deadline exactly."""


@dataclass(frozen=True)
class Facts:
    """What `decide` is asked."""

    invoice: Invoice
    deposits: Sequence[Deposit] = ()
    resolutions: Sequence[Resolution] = ()
    views: Sequence[View] = (OPEN,)

    def decide(self) -> Decision:
        return decide(self.invoice, self.deposits, self.resolutions, views(*self.views))


def facts(*deposits: Deposit, of: Invoice | None = None, seen: Any = OPEN, **fields: Any) -> Facts:
    return Facts(of or invoice(), deposits, views=seen if isinstance(seen, tuple) else (seen,), **fields)


def two(**second: Any) -> Invoice:
    """100 units of COIN on chain one, or 300 of TOKEN on chain two."""
    fields = {"chain": "two", "asset": "TOKEN", "address": "address 1", "amount": 300, **second}
    return invoice(option(), option(1, **fields))


def token(amount: int, **fields: Any) -> Deposit:
    return deposit(
        amount, **{"chain": "two", "asset": "TOKEN", "address": "address 1", "name": "t", **fields}
    )


BOTH = (view(), view(chain="two"))
CUSTOMER = {"fee_payer": FeePayer.CUSTOMER}
FEE = {"fee_percent": percent("3"), "fee_fixed": 7}
ASKED = gross_up(100, percent("3"), 7)
"""111: 107 / 0.97 rounded up."""

DROPPED, REPLACED, REORGANISED = Standing.DROPPED, Standing.REPLACED, Standing.REORGANISED
ACCEPTS_LATE = invoice(late=LatePolicy.ACCEPT)
LATE = DEADLINE + 10

POOL = facts(deposit(height=None))
ONE_DEEP = facts(deposit(height=BASE + 2))
PAID = facts(deposit())
PARTLY = facts(deposit(40, None))
NOTHING = facts()
UNPLACED = Standing.UNPLACED
CLOSED = replace(PARTLY, views=(PAST,))


def told(happenings: list[Happening]) -> list[str]:
    """Events in order: the type, then the payment's id and the reason where there are any."""
    return [
        " ".join(filter(None, (h.type.value, h.payment and h.payment.deposit.id, h.reason)))
        for h in happenings
    ]


def refund(amount: int = 100, *, at_: float = 50, name: str = "r", **fields: Any) -> Refund:
    """A refund of the COIN to the payer, requested by the merchant, of what `covers` names."""
    defaults: dict[str, Any] = {"chain": "one", "asset": "COIN", "address": "the payer", "arrives": amount}
    terms = {**defaults, **fields}
    return Refund(id=name, decimals=8, amount=amount, confirmations=2, by="key", at=at(at_), **terms)
