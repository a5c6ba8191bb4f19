"""What the ledger keeps of an unconfirmed payment's risk: judged when it comes, then only ever better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from watcher.tables import DEPOSIT
from world import COIN

if TYPE_CHECKING:
    from chains.base import Mempool, Watched
    from world import Made, World

DETECTED, CONFIRMED, GONE = "payment.detected", "payment.confirmed", "payment.replaced"
CONFIRMING, PAID, REVERTED = "invoice.confirming", "invoice.paid", "invoice.reverted"


class Judge:
    """Gives every unconfirmed transfer of the world's chain the same risk; more endpoints may have some."""

    def __init__(self, world: World) -> None:
        self.risk: str | None = None
        self.missed: frozenset[str] = frozenset()
        self._real = world.adapters["fake"].mempool
        world.adapters["fake"].mempool = self._mempool  # type: ignore[method-assign]

    async def _mempool(self, watched: Watched) -> Mempool:
        pool = await self._real(watched)
        judged = tuple(replace(transfer, risk=self.risk) for transfer in pool.transfers)
        return replace(pool, transfers=judged, missed=self.missed & watched.unconfirmed)


async def paid_at_zero(world: World, risk: str | None) -> tuple[Judge, Made, str]:
    chain = world.add()
    judge = Judge(world)
    judge.risk = risk
    await world.scan()
    invoice = await world.invoice(confirmations=0)
    txid = chain.pay(invoice.address, COIN)
    await world.scan()
    return judge, invoice, txid


async def risks(world: World) -> list[str | None]:
    return [row.risk for row in await world.rows(DEPOSIT)]


async def test_what_was_sound_stays_so_while_it_waits(world: World) -> None:
    judge, invoice, _ = await paid_at_zero(world, None)
    told = await invoice.told()
    for risk in ("low_fee", "replaceable", None):
        judge.risk = risk
        await world.scan()

        assert ("paid", told, [None]) == (await invoice.status(), await invoice.told(), await risks(world))
    assert [DETECTED, CONFIRMED, PAID] == told


async def test_what_was_risky_may_become_sound_and_then_stays_so(world: World) -> None:
    judge, invoice, _ = await paid_at_zero(world, "unconfirmed_parent")
    assert "confirming" == await invoice.status()
    judge.risk = "low_fee"
    await world.scan()
    assert ("confirming", ["low_fee"]) == (await invoice.status(), await risks(world))
    judge.risk = None
    await world.scan()
    judge.risk = "low_fee"
    await world.scan()

    assert ("paid", [None]) == (await invoice.status(), await risks(world))
    assert [DETECTED, CONFIRMING, CONFIRMED, PAID] == await invoice.told()


async def test_a_block_clears_the_risk_and_its_loss_has_it_judged_anew(world: World) -> None:
    judge, invoice, txid = await paid_at_zero(world, "replaceable")
    await world.mine()
    assert ("paid", [None]) == (await invoice.status(), await risks(world))
    world.chains["fake"].reorg(1, {})
    if txid not in world.chains["fake"].pool:
        pytest.fail("the transaction is not back in the mempool")
    await world.scan()
    assert ("confirming reverted", ["replaceable"]) == (await invoice.status(), await risks(world))
    judge.risk = None
    await world.scan()

    assert "paid reverted" == await invoice.status()


async def test_what_comes_back_after_it_was_told_gone_is_judged_anew(world: World) -> None:
    judge, invoice, txid = await paid_at_zero(world, None)
    chain = world.chains["fake"]
    transaction = chain.pool.pop(txid)
    await world.scan()
    assert [DETECTED, CONFIRMED, PAID, GONE, REVERTED] == await invoice.told()
    judge.risk = "low_fee"
    chain.pool[txid] = transaction
    await world.scan()

    assert ("confirming reverted", ["low_fee"]) == (await invoice.status(), await risks(world))


@pytest.mark.parametrize(
    ("hours", "standing", "status"),
    [
        pytest.param(335, "mempool", "confirming", id="for now"),
        pytest.param(337, "dropped", "expired reverted", id="not for ever"),
    ],
)
async def test_h20_what_another_endpoint_may_still_have_stands(
    world: World, hours: int, standing: str, status: str
) -> None:
    judge, invoice, txid = await paid_at_zero(world, "low_fee")
    judge.missed = frozenset({txid})
    world.chains["fake"].drop(txid)
    world.clock.advance(hours * 3600)
    await world.scan()

    assert ([standing], status) == (await world.standings(), await invoice.status())


async def test_h16_what_is_missed_and_replaced_is_replaced(world: World) -> None:
    judge, invoice, txid = await paid_at_zero(world, None)
    judge.missed = frozenset({txid})
    world.chains["fake"].replace(txid)
    await world.scan()

    assert (["replaced"], "pending reverted") == (await world.standings(), await invoice.status())
