"""One seed: a world, a number of random steps, the healing of everything, and the judgement."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from audit import Audit
from branching_chain import BranchingChain
from deployment import Deployment
from healing import heal
from judgement import final
from merchant_requests import Requests
from operations import FAMILIES, OFTEN, OPERATIONS
from points import Died
from seeded import plant
from shaky_adapter import ShakyAdapter
from shops import Shops
from template import template
from virtual_loop import VirtualClock, VirtualLoop
from watcher.errors import Refused
from watcher.pace import Pace

if TYPE_CHECKING:
    from pathlib import Path

PAUSES = (0.0, 0.0, 1.0, 8.0, 20.0)
"""Seconds between two steps, at most: much may happen between two looks at a chain, or nothing."""


@dataclass
class Run:
    """What a step may touch."""

    dice: Random
    loop: VirtualLoop
    clock: VirtualClock
    shops: Shops
    deployment: Deployment
    audit: Audit
    tally: Counter[str]
    trace: list[str] = field(default_factory=list)
    requests: Requests = field(default_factory=Requests)
    untold: list[tuple[str, str, str]] = field(default_factory=list)
    """Refunds that were sent and not told yet: invoice, refund, transaction."""

    def chain(self) -> str:
        """Return the name of any chain."""
        return self.dice.choice(sorted(self.deployment.chains))

    def note(self, what: str) -> None:
        """Write down what is done, for whoever replays the seed."""
        self.trace.append(f"{self.loop.time():9.2f} {what}")


@dataclass
class Story:
    """What happened in one seed, and what broke."""

    tally: Counter[str]
    trace: list[str]
    digest: str
    error: BaseException | None


def simulate(seed: int, steps: int, folder: Path, often: str | None = None) -> Story:
    """Run one seed in a folder of its own. `often`: the family of operations that is to happen much."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    folder.mkdir()
    run = _world(seed, loop, folder)
    error: BaseException | None = None
    try:
        loop.run_until_complete(_play(run, steps, often))
    except Exception as failure:  # noqa: BLE001 - whatever it is, the seed has to be told
        error = failure
    finally:
        run.audit.close()
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(folder)
    return Story(run.tally, run.trace, _digest(run), error)


def _digest(run: Run) -> str:
    """Return a hash of every step, every count and every event that a shop was sent, in order."""
    told = [(arrival.url, arrival.body, arrival.at) for arrival in run.shops.log]
    return hashlib.sha256(repr((run.trace, sorted(run.tally.items()), told)).encode()).hexdigest()


def _world(seed: int, loop: VirtualLoop, folder: Path) -> Run:
    dice = Random(seed)
    clock = VirtualClock(loop)
    plant(Random(f"ids of {seed}"), clock, loop)
    tally: Counter[str] = Counter()
    shops = Shops(dice, clock, tally)
    hurry = dice.choice([(0.0, 0.0), (0.2, 0.01), (0.5, 0.05), (0.1, 0.2)])
    shutil.copyfile(template(shops=dice.choice([1, 1, 2])), folder / "watcher.db")
    deployment = Deployment(folder, clock, shops, dice, hurry)
    _chains(deployment, dice)
    audit = Audit(deployment, tally)
    deployment.committed = audit.committed
    return Run(dice, loop, clock, shops, deployment, audit, tally)


def _chains(deployment: Deployment, dice: Random) -> None:
    """Make two chains: one with a mempool, one with or without."""
    for number, name in enumerate(("alpha", "beta")):
        accounts = number == 1 and dice.random() < 0.6
        chain = deployment.chains[name] = BranchingChain(deployment.clock)
        chain.mine(dice.randrange(6))
        adapter = ShakyAdapter(
            chain,
            name,
            has_mempool=not accounts,
            safe=2 if accounts else None,
            finalized=4 if accounts else None,
            fingerprint=dice.choice(["a-key", f"{name}-key"]),
            span=dice.choice([2, 5, 100]),
            dust=dice.choice([0, 1000]),
        )
        adapter.chain_id = f"fake:{number}"
        deployment.adapters[name] = adapter
        deployment.paces[name] = Pace(
            dice.choice([7.0, 15.0]), dice.choice([6, 12, 40]), dice.choice([0, 120])
        )


async def _play(run: Run, steps: int, often: str | None) -> None:
    run.deployment.start()
    try:
        await asyncio.sleep(10)
        weights = _weights(run, often)
        for _ in range(steps):
            name = run.dice.choices(list(OPERATIONS), weights)[0]
            await _step(run, name)
            await settle(run, run.dice.choice(PAUSES) * run.dice.random())
            run.audit.step()
        await heal(run)
        await final(run)
    finally:
        await run.deployment.stop()


def _weights(run: Run, often: str | None) -> list[float]:
    """Return how likely each operation is in this seed: some never happen, one family may happen much."""
    family = run.dice.choice(OFTEN)
    much = FAMILIES[often or family]
    weights = {
        name: weight * run.dice.choice([0, 1, 1, 3]) * (4 if name in much else 1)
        for name, (weight, _) in OPERATIONS.items()
    }
    if often:
        weights |= {name: OPERATIONS[name][0] * 8 for name in much}
    return list((weights | {"invoice": OPERATIONS["invoice"][0]}).values())


async def _step(run: Run, name: str) -> None:
    """Do one thing. The process may die of it, and what is not possible is refused."""
    try:
        done = await OPERATIONS[name][1](run)
    except Died:
        done = True
    except Refused as refusal:
        run.note(f"{name}: refused, {refusal}")
        done = False
    if done:
        run.tally[name] += 1


async def settle(run: Run, seconds: float) -> None:
    """Let time pass, and start the process again if it died."""
    await asyncio.sleep(seconds)
    run.deployment.check_alive()
    if run.deployment.dead:
        place = run.deployment.deaths[-1]
        run.tally[f"death {place}"] += 1
        run.note(f"died: {place}; starts again")
        await run.deployment.revive()
        await asyncio.sleep(1)
        run.deployment.check_alive()
