"""A merchant at work on an invoice of a fake world: short ways to decide, give money back, and be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from watcher.drafts_merchant import (
    AcceptDraft,
    CancelDraft,
    DestinationDraft,
    ExtendDraft,
    RefundDraft,
    SentDraft,
    WithdrawDraft,
)
from watcher.errors import Refused
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from watcher.idempotency import Idempotency
    from world import Made, World

HOUR = 3600.0
DAY = 24 * HOUR


def payer(number: int = 0) -> str:
    """Return an address of somebody else's on the fake chain."""
    return f"fake1{90_000_000 + number}"


class Till:
    """One invoice, and everything that its merchant may do with it; `by` is whose key it is."""

    def __init__(self, world: World, invoice: Made, by: str = "anna") -> None:
        self.world = world
        self.invoice = invoice
        self.by = by

    async def accept(self, idem: Idempotency | None = None, **fields: Any) -> str:
        draft = AcceptDraft.model_validate(fields)
        return str((await self.world.merchant().accept(self.invoice.id, draft, self.by, idem))["status"])

    async def extend(self, seconds: int = 3600, idem: Idempotency | None = None, **fields: Any) -> str:
        draft = ExtendDraft.model_validate({"seconds": seconds, **fields})
        return str((await self.world.merchant().extend(self.invoice.id, draft, self.by, idem))["status"])

    async def cancel(self, idem: Idempotency | None = None, **fields: Any) -> str:
        draft = CancelDraft.model_validate(fields)
        return str((await self.world.merchant().cancel(self.invoice.id, draft, self.by, idem))["status"])

    async def refund(self, idem: Idempotency | None = None, **fields: Any) -> dict[str, Any]:
        """Ask for a refund, to the payer unless `fields` say otherwise."""
        draft = RefundDraft.model_validate({"address": payer(), **fields})
        return await self.world.refunds().refund(self.invoice.id, draft, self.by, idem)

    async def sent(self, refund: str, txid: str, idem: Idempotency | None = None) -> str:
        """Tell by which transaction a refund was sent; return its state."""
        draft = SentDraft(txid=txid)
        told = await self.world.refunds().sent(self.invoice.id, refund, draft, self.by, idem)
        return str(told["state"])

    async def destine(self, refund: str, address: str | None = None) -> dict[str, Any]:
        draft = DestinationDraft(address=address)
        return await self.world.refunds().destine(self.invoice.id, refund, draft, self.by)

    async def withdraw(self, refund: str, idem: Idempotency | None = None) -> str:
        draft = WithdrawDraft()
        told = await self.world.refunds().withdraw(self.invoice.id, refund, draft, self.by, idem)
        return str(told["state"])

    async def send(self, refund: dict[str, Any]) -> str:
        """Put the refund's transaction into the mempool, and tell it; return its id."""
        record = next(r for r in (await self.invoice.record()).refunds if r.id == refund["id"])
        chain = self.world.chains[record.chain]
        txid = chain.pay(str(record.address), record.arrives, asset=record.asset)
        await self.sent(record.id, txid)
        return txid

    async def give_back(self, refund: dict[str, Any]) -> None:
        """Send a refund, and let its transaction be mined deep enough."""
        name = refund["chain"]
        await self.send(refund)
        await self.world.mine(2, name=name)

    async def needs_action(self) -> bool:
        return (await self.invoice.record()).decision.needs_action

    async def states(self) -> list[str]:
        """The states of its refunds, oldest first."""
        return [refund.state.value for refund in (await self.invoice.record()).refunds]

    async def amounts(self) -> list[tuple[str, int]]:
        """What its refunds give back, oldest first."""
        return [(refund.asset, refund.amount) for refund in (await self.invoice.record()).refunds]


async def till(world: World, name: str = "fake", **fields: Any) -> Till:
    """An invoice of 1 COIN on a chain (that is added unless it is there), with its merchant."""
    if name not in world.chains:
        world.add(name)
        await world.scan()
    return Till(world, await world.invoice(**fields))


async def pay(
    one: Till, amount: float = 1, *, blocks: int = 2, asset: str = "COIN", name: str = "fake"
) -> str:
    """Pay so many COIN (or, of a TOKEN, base units) to the invoice, and mine; return the transaction's id."""
    units = round(amount * COIN) if asset == "COIN" else int(amount)
    txid = one.world.chains[name].pay(one.invoice.address, units, asset=asset)
    if blocks:
        await one.world.mine(blocks, name=name)
    else:
        await one.world.scan()
    return txid


async def refused(deed: Awaitable[object]) -> str:
    """Return the code of why this is not possible."""
    with pytest.raises(Refused) as caught:
        await deed
    return caught.value.code
