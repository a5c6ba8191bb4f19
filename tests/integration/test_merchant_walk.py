"""Random lives on a real database and a fake chain: nothing is missed, told twice, or given back twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from merchant_scene import Till, payer, till
from watcher import decisions
from watcher.errors import Refused
from watcher.model import RefundState
from watcher.tables import DEPOSIT, EVENT, INVOICE
from world import COIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.facts import Record
    from watcher.model import Decision
    from world import World

LIVES = 12
STEPS = 24
POLICIES: list[Mapping[str, object]] = [
    {},
    {"late": "refund", "policy": {"overpaid": "refund", "wrong_asset": "refund", "underpaid": "refund"}},
    {"late": "accept", "policy": {"accept_percent": "50", "overpaid": "hold", "extend": 600}},
    {"late": "refund", "monitor_for": 0, "policy": {"overpaid": "hold", "extend": 60}},
]


class Life:
    """An invoice, another that may be refunded to, and what happens to both."""

    def __init__(self, world: World, one: Till, other: Till, chance: random.Random) -> None:
        self.world, self.one, self.other, self.chance = world, one, other, chance
        self.chain = world.chains["fake"]
        self.hidden: list[str] = []

    async def step(self) -> None:
        steps = [self._pay, self._pay, self._mine, self._mine, self._mine, self._gone, self._act, self._act]
        try:
            await self.chance.choice(steps)()
        except Refused:
            await self.world.scan()
        if self.chance.random() < 0.1:
            await self.world.restart()

    async def _pay(self) -> None:
        asset = self.chance.choice(["COIN"] * 4 + ["TOKEN"])
        self.chain.pay(
            self.one.invoice.address, self.chance.choice([COIN // 2, COIN, COIN // 50]), asset=asset
        )
        await self.world.scan()

    async def _mine(self) -> None:
        self.world.clock.advance(self.chance.choice([10, 10, 600, 1900, 90_000]))
        self.chain.mine(only=None if self.chance.random() < 0.8 else [])
        await self.world.scan()

    async def _gone(self) -> None:
        """A transaction is dropped, or up to three blocks are replaced, some of their transactions lost."""
        if self.chain.pool and self.chance.random() < 0.5:
            self.chain.drop(self.chance.choice(list(self.chain.pool)))
        elif self.chain.head.height > 3:
            self.chain.reorg(self.chance.randint(1, 3), to_pool=self.chance.random() < 0.7)
        await self.world.scan()

    async def _act(self) -> None:
        self.world.clock.advance(1)
        refunds = (await self.one.invoice.record()).refunds
        acts = [self.one.accept, self.one.extend, self._refund, self._refund]
        if refunds:
            acts += [self._send, self._send, self._send, self._withdraw]
        await self.chance.choice(acts)()
        await self.world.scan()

    async def _refund(self) -> None:
        where = self.chance.choice([payer(), payer(), self.other.invoice.address])
        amount = self.chance.choice([None, None, "0.01", "0.3"])
        asset = self.chance.choice([None, "COIN", "TOKEN"])
        await self.one.refund(address=where, amount=amount, asset=asset)

    async def _send(self) -> None:
        """Send a refund; its transaction may have been mined before it is told, or never be seen."""
        one = self.chance.choice((await self.one.invoice.record()).refunds)
        if one.address is None:
            await self.one.destine(one.id, payer(1))
            return
        txid = self.chain.pay(one.address, one.arrives, asset=one.asset)
        kind = self.chance.choice(["seen", "seen", "mined", "hidden"])
        if kind == "mined":
            self.chain.mine(self.chance.randint(1, 3))
            await self.world.scan()
        elif kind == "hidden":
            self.chain.drop(txid)
        await self.one.sent(one.id, txid)

    async def _withdraw(self) -> None:
        await self.one.withdraw(self.chance.choice((await self.one.invoice.record()).refunds).id)

    async def check(self) -> None:
        """What is stored is what the facts say: deciding again changes and tells nothing."""
        before, ids = await self._stored(), [self.one.invoice.id, self.other.invoice.id]
        async with self.world.store.write() as connection:
            written = await decisions.settle(connection, ids, self.world.clock(), self.world.links)
        assert 0 == written
        assert before == await self._stored()

    async def _stored(self) -> list[object]:
        """Everything but how deep payments are, which is told when it is asked for."""
        records = [await each.invoice.record() for each in (self.one, self.other)]
        due = [(row.due_at, row.needs_action, row.closed_at) for row in await self.world.rows(INVOICE)]
        settled = [(row.id, row.settled) for row in await self.world.rows(DEPOSIT)]
        return [[_without_depth(record) for record in records], due, settled]


def _without_depth(record: Record) -> Record:
    payments = tuple(replace(payment, confirmations=0) for payment in record.decision.payments)
    return replace(record, decision=replace(record.decision, payments=payments))


def given_back(decision: Decision) -> Mapping[str, int]:
    """What the refunds that stand give back, by asset."""
    found: dict[str, int] = {}
    for one in decision.refunds:
        if one.state is not RefundState.CANCELLED:
            found[one.asset] = found.get(one.asset, 0) + one.amount
    return found


@pytest.mark.parametrize("seed", range(LIVES))
async def test_whatever_happens_what_is_stored_is_what_the_facts_say(world: World, seed: int) -> None:
    chance = random.Random(seed)
    one = await till(world, refund_address=payer(), **POLICIES[seed % len(POLICIES)])
    life = Life(world, one, Till(world, await world.invoice(amount="0.4")), chance)
    for _ in range(STEPS):
        before = (await one.invoice.record()).decision
        await life.step()
        await life.check()
        after = (await one.invoice.record()).decision
        ever = {p.deposit.id: p.deposit for p in (*before.payments, *after.payments)}
        for asset, amount in given_back(after).items():
            assert amount <= sum(d.amount for d in ever.values() if d.asset == asset)

    for each in (one.invoice, life.other.invoice):
        numbers = [event["data"]["invoice"]["sequence"] for event in await each.events()]
        assert list(range(1, len(numbers) + 1)) == numbers
    assert len({row.id for row in await world.rows(EVENT)}) == await world.count(EVENT)
