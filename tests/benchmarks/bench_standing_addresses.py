"""One block absorbed with ten standing addresses and with a hundred thousand: scanner, ledger, database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from fake_clock import FakeClock
from harness import Report, race
from standing_scene import crowd, customer
from world import COIN, made

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Scale, Work
    from standing_scene import Customer
    from world import World

_PAID = 5
"""Customers that each block pays."""


async def run(scale: Scale, folder: Path) -> Report:
    few, many = scale.standing
    report = Report(f"Standing addresses: a block that pays {_PAID} of {few:,} and of {many:,}")
    async with AsyncExitStack() as stack:
        works = {str(n): await _town(stack, folder / str(n), n) for n in (few, many)}
        found = await race(works, scale.rounds)
    for number in (few, many):
        timing = found[str(number)]
        report.add(f"block_ms_{number}", f"read, absorbed and told, {number:,} addresses", timing.wall, "ms")
        report.add(f"block_cpu_ms_{number}", "  of it our processor", timing.cpu, "ms")
    ratio = found[str(many)].cpu / found[str(few)].cpu
    report.add("block_ratio", f"the same, {many:,} against {few:,}", ratio, "times", at_most=1.2)
    report.notes.append(
        "A chain in memory, the real scanner, ledger and database; two events for each payment."
    )
    return report


async def _town(stack: AsyncExitStack, folder: Path, number: int) -> Work:
    """Return what pays some of so many customers and mines it."""
    await asyncio.to_thread(folder.mkdir)
    world = await stack.enter_async_context(made(folder, FakeClock()))
    world.add()
    await world.scan()
    await crowd(world, world.adapters["fake"], number)
    paid = [await customer(world, confirmations=1) for _ in range(_PAID)]

    async def work() -> None:
        await _block(world, paid)

    return work


async def _block(world: World, paid: list[Customer]) -> None:
    for one in paid:
        world.chains["fake"].pay(one.address, COIN)
    await world.mine()
