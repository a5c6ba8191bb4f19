"""The clerk of the crash test: decides about orders at both daemons, and gives money back on the chains."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orders import CHAIN, LONG, SHORT, UNITS
from sides import DEPTH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from orders import Order
    from sides import EvmSide, LitecoinSide
    from subject import Subject

    Invoice = dict[str, Any]

DEEP = DEPTH + 2
"""Confirmations that no fork takes away."""
PATIENCE = 30.0
"""Seconds to wait until something can be decided about: a fork may have taken the payment for ever."""
AGAIN = 0.3
"""How often a decision that was answered is asked for once more."""
_PAUSE = 0.5
_PASSING = frozenset({"changed", "already_confirmed"})
"""Refusals that the next look at the chain takes back."""


class Clerk:
    """Decides by HTTP, the killed daemon first; asks again, with the same key, until it is answered."""

    def __init__(
        self,
        victim: Subject,
        witness: Subject,
        sides: tuple[EvmSide | LitecoinSide, ...],
        fresh: Callable[[str, int], str],
        random: Random,
    ) -> None:
        """`fresh` gives the payer's address on a chain, by a number."""
        self._victim, self._witness = victim, witness
        self._sides = {side.name: side for side in sides}
        self._fresh = fresh
        self._random = random
        self._ways: dict[str, Callable[[Order], Awaitable[None]]] = {
            "cancel": self._cancel,
            "extend": self._extend,
            "accept": self._accept,
            "return": self._return,
            "withdraw": self._withdraw,
        }

    async def see_to(self, order: Order) -> None:
        """Decide what is to be decided about an order, if anything is."""
        if order.wish:
            await self._ways[order.wish](order)

    async def _cancel(self, order: Order) -> None:
        await self._both(order, "cancel", "invoice.cancel")

    async def _extend(self, order: Order) -> None:
        await self._both(order, "extend", "invoice.extend", {"seconds": LONG})

    async def _accept(self, order: Order) -> None:
        """Take what came for enough; a fork may take it away while the clerk decides."""
        if await self._comes(order, lambda one: one["status"] in {"partial", "underpaid"}):
            await self._both(order, "accept", "invoice.accept", {"without_payment": True})

    async def _return(self, order: Order) -> None:
        """Give back the excess, or all that is left of an invoice."""
        if refunds := await self._refund(order):
            await self._send(order, refunds)

    async def _withdraw(self, order: Order) -> None:
        if refunds := await self._refund(order):
            await self._both_refunds(order, refunds, "cancel", "refund.cancel", {}, "withdraw")

    async def _refund(self, order: Order) -> tuple[Invoice, Invoice] | None:
        """Promise money back at both daemons, once it is so deep that both will always know it."""
        if order.accepted:
            await self._accept(order)
        if not await self._comes(order, lambda one: _is_settled(order, one)):
            return None
        chain = CHAIN[order.assets[0]]
        body = {"address": self._fresh(chain, order.number), "reason": f"order {order.number}"}
        return await self._both(order, "refund", "refund.request", body, status=201)

    async def _send(self, order: Order, refunds: tuple[Invoice, Invoice]) -> None:
        """Pay it, again if a fork takes it away for ever, until both daemons call it confirmed."""
        one = refunds[0]
        side = self._sides[one["chain"]]
        units = int(Decimal(one["amount"]) * UNITS[one["asset"]])
        txid, told = "", set()
        while not (await side.depth(txid) >= DEEP and await self._are_confirmed(order)):
            if await side.depth(txid) < 0:
                txid = await side.give_back(one["asset"], one["address"], units)
                if txid not in told:  # the same transaction again, where its nonce is free again
                    await self._both_refunds(order, refunds, "sent", "refund.sent", {"txid": txid}, txid)
                told.add(txid)
            await asyncio.sleep(_PAUSE)

    async def _are_confirmed(self, order: Order) -> bool:
        return await self._agree(order, lambda one: [r["state"] for r in one["refunds"]] == ["confirmed"])

    async def _comes(self, order: Order, here: Callable[[Invoice], bool]) -> bool:
        """Wait until both daemons show what can be decided about; whether they do."""
        end = time.monotonic() + PATIENCE + SHORT * order.short
        while time.monotonic() < end:
            if await self._agree(order, here):
                return True
            await asyncio.sleep(_PAUSE)
        return False

    async def _agree(self, order: Order, here: Callable[[Invoice], bool]) -> bool:
        """Look at both; at the one that is never dead first."""
        assert order.answer is not None
        assert order.twin is not None
        for subject, id_ in ((self._witness, order.twin["id"]), (self._victim, order.answer["id"])):
            status, found = await subject.ask("GET", f"/v1/invoices/{id_}")
            if status != 200 or not here(found):
                return False
        return True

    async def _both(
        self, order: Order, path: str, action: str, body: Invoice | None = None, status: int = 200
    ) -> tuple[Invoice, Invoice]:
        """Take a decision at both daemons; return their answers."""
        assert order.answer is not None
        assert order.twin is not None
        order.decided.append(action)
        paths = [f"/v1/invoices/{each['id']}/{path}" for each in (order.answer, order.twin)]
        return await self._decide(order, path, paths, body or {}, status)

    async def _both_refunds(
        self, order: Order, refunds: tuple[Invoice, Invoice], path: str, action: str, body: Invoice, key: str
    ) -> None:
        assert order.answer is not None
        assert order.twin is not None
        order.decided.append(action)
        places = zip((order.answer, order.twin), refunds, strict=True)
        paths = [f"/v1/invoices/{one['id']}/refunds/{refund['id']}/{path}" for one, refund in places]
        await self._decide(order, key, paths, body, 200)

    async def _decide(
        self, order: Order, key: str, paths: list[str], body: Invoice, status: int
    ) -> tuple[Invoice, Invoice]:
        headers = {"Idempotency-Key": f"{key}-{order.number}"}
        one = await self._ask(self._victim, paths[0], body, headers, status)
        if self._random.random() < AGAIN:
            assert one == await self._ask(self._victim, paths[0], body, headers, status), (order.name, key)
        return one, await self._ask(self._witness, paths[1], body, headers, status)

    @staticmethod
    async def _ask(
        subject: Subject, path: str, body: Invoice, headers: dict[str, str], wanted: int
    ) -> Invoice:
        while True:
            status, answer = await subject.ask("POST", path, body, headers)
            if status == wanted:
                found: Invoice = answer
                return found
            passing = status == 409 and answer["error"]["code"] in _PASSING
            assert passing or status in (0, 503), (subject.name, path, status, json.dumps(answer))
            await asyncio.sleep(0.05)


def _is_settled(order: Order, invoice: Invoice) -> bool:
    """Whether all payments are too deep for any fork, and something of them can be given back."""
    living = [p for p in invoice["payments"] if p["status"] == "confirmed"]
    deep = all(p["confirmations"] >= DEEP for p in living)
    return len(living) == len(order.pays) and deep and invoice["status"] in {"paid", "underpaid"}
