"""What the benchmarks share: figures with their targets, the size of a run, and timing that is fair.

Knows no chain. Figures that are compared come from one run, in turns, so that a busy moment hits all alike.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    Work = Callable[[], Awaitable[object]]


class Unavailable(Exception):  # noqa: N818 - named like what it says
    """A benchmark cannot run on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    `weight` is that of the Bitcoin block (BIP-141), `watched` are numbers of scripts; `transactions`, `logs`
    and watched `accounts` belong to the EVM block, `blocks` to the catch-up, `payments` to the webhooks,
    `standing` are numbers of standing addresses; `deliveries` are sent at once, `neighbours` are events told
    beside a dead and a slow one, `queued` events survive `kills`, `invoices` are made by HTTP,
    `pages` of payers are open.
    """

    rounds: int
    weight: int
    watched: tuple[int, int, int]
    transactions: int
    logs: int
    accounts: int
    blocks: int
    payments: int
    standing: tuple[int, int]
    deliveries: int
    neighbours: int
    queued: int
    kills: int
    invoices: int
    pages: int


FULL = Scale(
    rounds=25,
    weight=3_990_000,
    watched=(10, 10_000, 1_000_000),
    transactions=400,
    logs=2_000,
    accounts=10_000,
    blocks=2_000,
    payments=200,
    standing=(10, 100_000),
    deliveries=2_000,
    neighbours=200,
    queued=10_000,
    kills=60,
    invoices=200,
    pages=1_000,
)
TINY = Scale(
    rounds=2,
    weight=40_000,
    watched=(10, 20, 40),
    transactions=4,
    logs=20,
    accounts=20,
    blocks=20,
    payments=2,
    standing=(10, 20),
    deliveries=40,
    neighbours=2,
    queued=60,
    kills=2,
    invoices=4,
    pages=4,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, with its target if it has one. `key` names it in the JSON."""

    key: str
    label: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most


@dataclass(slots=True)
class Report:
    """What one benchmark found; `notes` say how it was measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, label: str, value: float, unit: str, **target: float) -> None:
        """Add a figure, with `at_least` or `at_most` if it has a target."""
        self.figures.append(Figure(key, label, value, unit, **target))


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians in milliseconds: of the clock on the wall, and of this process's time on the processor."""

    wall: float
    cpu: float


async def race(works: Mapping[str, Work], rounds: int) -> dict[str, Timing]:
    """Time each work once a round, after one round that does not count."""
    found: dict[str, list[Timing]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            timing = await timed(work)
            if number:
                found[name].append(timing)
    return {name: _middle(each) for name, each in found.items()}


async def timed(work: Work) -> Timing:
    """Time a work once."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Timing((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def _middle(timings: Sequence[Timing]) -> Timing:
    return Timing(median(each.wall for each in timings), median(each.cpu for each in timings))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
