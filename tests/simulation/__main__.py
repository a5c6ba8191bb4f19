"""`make simulate`: plays seeds, shows how it stands, and prints what happened and what broke."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from campaign import STEPS, Outcome, campaign, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES = 5
"""Failures after which there is nothing more to learn."""


def main() -> int:
    chosen = _arguments()
    console, out = Console(stderr=True), Console(highlight=False, soft_wrap=True, markup=False)
    first = chosen.seed if chosen.seed is not None else chosen.first
    count = 1 if chosen.seed is not None else chosen.seeds
    began = time.monotonic()
    parts = parts_of(range(first, first + count), chosen.steps, chosen.plant)
    outcome = campaign(parts, chosen.jobs, _progress(console, count))
    if chosen.seed is None:
        out.print(_table(outcome))
    for failure in outcome.failures[:FAILURES]:
        if chosen.seed is not None:
            out.print("\n".join(failure.trace))
        out.print(failure.error if chosen.seed is not None else failure.error.strip().splitlines()[-1])
        out.print(f"again: {failure.replay}")
    seconds = time.monotonic() - began
    out.print(f"{outcome.seeds} seeds in {seconds:.0f} s, {len(outcome.failures)} failed")
    return 1 if outcome.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, with every step")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--plant", help="put this known bug into the product first: one of planted.py")
    return parser.parse_args()


def _progress(console: Console, count: int) -> Callable[[Outcome], bool]:
    began = time.monotonic()

    def show(outcome: Outcome) -> bool:
        if console.is_terminal:
            rate = outcome.seeds / max(0.001, time.monotonic() - began)
            line = f"{outcome.seeds} of {count} seeds, {rate:.1f} a second, {len(outcome.failures)} failed"
            console.print(line, end="\r")
        return len(outcome.failures) < FAILURES

    return show


def _table(outcome: Outcome) -> Table:
    table = Table(title="What happened", title_justify="left")
    table.add_column("")
    table.add_column("times", justify="right")
    for name, times in sorted(outcome.tally.items()):
        table.add_row(name, f"{times:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
