"""Many seeds over several processes: what happened in all of them, and the line that replays a failure."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HERE = Path(__file__).parent
STEPS = 40
"""What happens in one seed, unless it is told otherwise."""

FRESH = 40
"""Parts after which a process makes way for a new one, and gives its memory back."""

CHUNK = 10
"""Seeds that a process is given at a time."""


@dataclass
class Failure:
    """A seed that broke the promise: how, and step by step what led to it."""

    seed: int
    steps: int
    error: str
    trace: list[str]

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"make simulate SEED={self.seed}" + (f" STEPS={self.steps}" if self.steps != STEPS else "")


@dataclass
class Outcome:
    """What came of some seeds. `stories` has a hash of all that happened in each."""

    seeds: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    stories: dict[int, str] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        self.seeds += other.seeds
        self.tally += other.tally
        self.failures += other.failures
        self.stories |= other.stories


@dataclass(frozen=True)
class Part:
    """Seeds for one process, one after the other. `bug` is planted first; `enough` failures end it.

    `often`: the family of operations that is to happen much.
    """

    seeds: Sequence[int]
    steps: int
    bug: str | None = None
    enough: int = 5
    often: str | None = None


def play(part: Part) -> Outcome:
    """Run a part in this process."""
    import planted  # noqa: PLC0415 - needs the paths that a worker sets
    from run import simulate  # noqa: PLC0415
    from template import memory  # noqa: PLC0415

    if (
        not gc.get_freeze_count()
    ):  # what was imported stays: the collector need not look at it again and again
        gc.collect()
        gc.freeze()
    outcome = Outcome()
    with planted.bug(part.bug):
        for seed in part.seeds:
            story = simulate(seed, part.steps, memory() / str(seed), part.often)
            outcome.seeds += 1
            outcome.tally += story.tally
            outcome.stories[seed] = story.digest
            if story.error is not None:
                error = "".join(traceback.format_exception(story.error))
                outcome.failures.append(Failure(seed, part.steps, error, story.trace))
            if len(outcome.failures) >= part.enough:
                break
    return outcome


def parts_of(seeds: Sequence[int], steps: int, bug: str | None = None) -> list[Part]:
    """Split seeds into parts."""
    return [Part(seeds[start : start + CHUNK], steps, bug) for start in range(0, len(seeds), CHUNK)]


def campaign(parts: Iterable[Part], jobs: int, heard: Callable[[Outcome], bool] = lambda _: True) -> Outcome:
    """Run parts over `jobs` processes; `heard` is told how it stands, and ends it by answering False."""
    total = Outcome()
    with workers(jobs) as pool:
        for outcome in pool.map(play, parts):
            total.add(outcome)
            if not heard(total):
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return total


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that all hash alike: a set's order is part of what a seed replays."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        with ProcessPoolExecutor(jobs, get_context("spawn"), _start, max_tasks_per_child=FRESH) as pool:
            yield pool
    finally:
        _restore(before)


def _restore(before: str | None) -> None:
    if before is None:
        del os.environ["PYTHONHASHSEED"]
    else:
        os.environ["PYTHONHASHSEED"] = before


def _start() -> None:
    """Let a worker find what it imports, and clean up behind it."""
    import atexit  # noqa: PLC0415

    for path in (HERE.parent / "support", HERE):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    atexit.register(_clean)


def _clean() -> None:
    from template import memory  # noqa: PLC0415

    shutil.rmtree(memory(), ignore_errors=True)
