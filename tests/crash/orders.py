"""The merchant of the crash test: makes each invoice at both daemons, and its customers pay as people do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from subject import Subject

SHORT = 60
"""Seconds: the shortest life that an invoice may have."""
LONG = 3600
REMINDED = 1
"""Seconds after the beginning."""
LATE = 12.0
"""Seconds after its end from which on both daemons call money late: they made the invoice seconds apart."""
UNITS = {"ETH": 10**18, "USDT": 10**6, "LTC": 10**8}
CHAIN = {"ETH": "dev", "USDT": "dev", "LTC": "litecoin"}


@dataclass(slots=True)
class Order:
    """One purchase: what is asked, and how it is paid: (seconds after creation, option, percent) each."""

    number: int
    assets: tuple[str, ...]
    amount: str
    pays: tuple[tuple[float, int, int], ...]
    short: bool = False
    late: str = "hold"
    own_hook: bool = False
    keyed: bool = True
    mailed: bool = False
    """Its payer is reminded by mail, soon after the beginning."""
    linked: bool = False
    """Whether it comes by a payment link, which is made for it and may be used once."""
    tries: int = 0
    wish: str = ""
    """What the clerk decides about it once it is paid, or before, if it is to be cancelled; see Clerk."""
    accepted: bool = False
    """Whether the clerk first accepts what came of it, to give that back."""
    decided: list[str] = field(default_factory=list)
    """The audit trail's word for each decision that was answered, in order."""
    brought: list[str] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    """What the killed daemon answered with 201."""
    twin: dict[str, Any] | None = None
    """What the other answered."""

    @property
    def name(self) -> str:
        """The order's id at the shop; without an Idempotency-Key each try is an order of its own."""
        return f"order-{self.number}" + ("" if self.keyed else f"-{self.tries}")

    def body(self, addresses: list[str], hook: str) -> dict[str, Any]:
        options: list[dict[str, str]] = [
            {"chain": CHAIN[asset], "asset": asset, "amount": self.amount} for asset in self.assets
        ]
        for option, address in zip(options, addresses, strict=False):
            option["address"] = address
        made: dict[str, Any] = {"options": options, "order_id": self.name, "late": self.late}
        made |= {"expires_in": SHORT if self.short else LONG}
        if self.mailed:
            made["reminder_before"] = made["expires_in"] - REMINDED
            made["customer_email"] = f"payer-{self.number}@shop.example"
        return made | ({"webhook_url": f"{hook}/order-{self.number}"} if self.own_hook and hook else {})

    def payments(self) -> list[tuple[float, str, str, int]]:
        """Return (seconds, asset, address, base units) of each payment."""
        assert self.answer is not None
        found = []
        for after, number, part in self.pays:
            option = self.answer["options"][number]
            whole = int(Decimal(option["amount"]) * UNITS[option["asset"]])
            found.append((after, option["asset"], option["address"], whole * part // 100))
        return found


_Pays = tuple[tuple[float, int, int], ...]


def _plan(random: Random, last: int, *, short: bool) -> tuple[_Pays, str]:
    """Choose when what is paid, and what is decided about it. `last`: the last option's number."""
    plans: list[tuple[_Pays, tuple[str, ...]]]
    if short:
        plans = [
            ((), ("", "extend")),
            (((2.0, 0, 40),), ("", "extend", "return")),
            (((3.0, 0, 100),), ("",)),
            (((SHORT + LATE, 0, 100),), ("",)),
            (((4.0, 0, 50), (SHORT + LATE, 0, 50)), ("",)),
        ]
    else:
        plans = [
            ((), ("cancel",)),
            (((0.0, 0, 100),), ("", "", "cancel")),
            (((0.5, 0, 100),), ("",)),
            (((0.0, 0, 50), (1.5, last, 50)), ("",)),
            (((1.0, 0, 100), (2.0, 0, 40)), ("", "return", "return", "withdraw")),
            (((0.0, 0, 30),), ("", "extend", "accept", "accept and return", "accept and withdraw")),
            (((0.0, 0, 60), (0.0, 0, 60)), ("", "return", "return", "withdraw")),
        ]
    pays, wishes = random.choice(plans)
    return pays, random.choice(wishes)


def invent(number: int, random: Random, *, short: bool, coins: bool = True, safe: bool = True) -> Order:
    """Think of an order. `short`: it may end within the test; `coins`: also on litecoin.

    `safe`: what is deep on litecoin stays there, so that it can be given back.
    """
    choices = [("ETH",), ("USDT",), ("ETH", "USDT")] + ([("LTC",), ("LTC",), ("LTC", "ETH")] if coins else [])
    assets = random.choice(choices)
    pays, wish = _plan(random, len(assets) - 1, short=short)
    linked = random.random() < 0.2
    if not safe and assets[0] == "LTC" and wish.endswith(("return", "withdraw")):
        wish = ""
    return Order(
        number=number,
        assets=assets,
        amount=f"0.{random.randint(100, 999)}",
        pays=pays,
        short=short,
        late=random.choice(["hold", "hold", "accept"]),
        own_hook=random.random() < 0.3,
        keyed=linked or random.random() < 0.7,
        linked=linked,
        mailed=not linked and random.random() < 0.5,
        wish=wish.removeprefix("accept and "),
        accepted=wish.startswith("accept and "),
    )


class Merchant:
    """Makes invoices by HTTP and has them paid; keeps on asking while the daemon is dead."""

    def __init__(self, victim: Subject, witness: Subject, hook: str) -> None:
        self.orders: list[Order] = []
        self._victim, self._witness = victim, witness
        self._hook = hook

    async def sell(self, order: Order) -> None:
        """Make the invoice at both daemons, which know it from then on."""
        self.orders.append(order)
        order.answer = await self._create(order)
        addresses = [option["address"] for option in order.answer["options"]]
        status, order.twin = await self._witness.ask("POST", "/v1/invoices", order.body(addresses, ""))
        assert status == 201, order.twin

    async def _create(self, order: Order) -> dict[str, Any]:
        """Ask until it is answered; a repetition with its key must not make a second invoice."""
        if order.linked:
            link = await self._ask(order, "/v1/links", {"max_uses": 1})
            return await self._ask(order, f"/pay/{link['id']}")
        return await self._ask(order, "/v1/invoices", {})

    async def _ask(self, order: Order, path: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send an order, with `more` in it, or, without, nothing at all."""
        headers = {"Idempotency-Key": f"key-{order.number}"} if order.keyed else {}
        while True:
            order.tries += 1
            body = {} if more is None else order.body(order.brought, self._hook) | more
            status, answer = await self._victim.ask("POST", path, body, headers)
            if status == 201:
                made: dict[str, Any] = answer
                return made
            assert status in (0, 503), (order.name, status, answer)
            await asyncio.sleep(0.05)
