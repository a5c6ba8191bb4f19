"""The end of a run: everything is well again, blocks come, and what is left to do is done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from books import moment
from happenings_node import rescan_from
from happenings_shop import enable_all
from watcher import deliveries
from watcher.model import ChainState

if TYPE_CHECKING:
    from run import Run

BLOCKS = 8
TRIES = 60


async def heal(run: Run) -> None:
    """Make everything well, and let the daemon come to rest; then let every deadline pass, mostly."""
    for adapter in run.deployment.adapters.values():
        adapter.heal()
    run.shops.heal()
    run.deployment.points.fuse = run.deployment.points.grave = None
    await _revive(run)
    run.deployment.points.quiet = True
    run.note("everything heals")
    await _blocks(run)
    if run.dice.random() < 0.8:
        run.deployment.clock.advance(1000)
        await _blocks(run)


async def _revive(run: Run) -> None:
    if run.deployment.dead:
        await run.deployment.revive()
    run.deployment.points.fuse = run.deployment.points.grave = None


async def _blocks(run: Run) -> None:
    for chain in run.deployment.chains.values():
        chain.mine(1, only=chain.gather(lambda: True))
        while chain.pool:
            chain.mine(1, only=chain.gather(lambda: True))
        chain.mine(BLOCKS)
    await _rest(run)


async def _rest(run: Run) -> None:
    """Wait until every chain is read and every event delivered."""
    for _ in range(TRIES):
        await asyncio.sleep(9)
        run.deployment.check_alive()
        if run.deployment.dead:
            raise AssertionError("died although healed")
        await _operator(run)
        if _is_at_rest(run):
            return
    raise AssertionError(f"never comes to rest: {_open(run)}")


async def _operator(run: Run) -> None:
    for name, scanner in run.deployment.scanners.items():
        if scanner.status().state is ChainState.HALTED:
            first, last = await rescan_from(run, name)
            run.note(f"{name} is halted: rescan from {first}")
            await run.deployment.api.rescan(name, first, last)
    for gap in run.audit.books().gaps():
        run.clock.advance(100)
        if gap["reason"] == "quarantined":
            await run.deployment.api.rescan(gap["chain"], gap["first"], gap["last"])
    await enable_all(run)
    for row in run.audit.books().rows("SELECT id FROM delivery WHERE state = 'dead' ORDER BY id"):
        run.tally["dead delivery sent again"] += 1
        async with run.deployment.store.write() as conn:
            await deliveries.redeliver(conn, row["id"], run.deployment.clock())
        run.deployment.bus.published()
    waiting = run.audit.books().rows("SELECT min(next_at) AS at FROM delivery WHERE state = 'pending'")
    if waiting[0]["at"] is not None:
        run.clock.advance(max(1.0, (moment(waiting[0]["at"]) - run.clock()).total_seconds()))


def _open(run: Run) -> list[str]:
    books = run.audit.books()
    rows = books.chains()
    behind = [n for n, c in run.deployment.chains.items() if n not in rows or rows[n]["hash"] != c.head.hash]
    gaps = [f"gap {dict(gap)}" for gap in books.gaps()]
    events = [
        f"delivery {dict(row)}" for row in books.rows("SELECT * FROM delivery WHERE state != 'delivered'")
    ]
    states = [str(s.status()) for s in run.deployment.scanners.values()]
    return [*behind, *gaps, *events[:3], *states] if behind or gaps or events else []


def _is_at_rest(run: Run) -> bool:
    return not _open(run)
