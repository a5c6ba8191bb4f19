"""A queue of events whose sender is killed again and again: what is lost, and what comes twice."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from harness import Report
from killed_queue import MOMENTS, survived

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Scale

_SEED = 8


async def run(scale: Scale, folder: Path) -> Report:
    outcome = await survived(folder, scale.queued, scale.kills, Random(_SEED))
    report = Report(
        f"{scale.queued:,} queued events, and the daemon killed {scale.kills} times while it sends them"
    )
    for key, label in (
        ("lost", "events lost"),
        ("disordered", "events after a later one of their invoice"),
        ("foreign", "events under an id that was not theirs"),
        ("altered", "events whose bytes had changed"),
        ("unfinished", "deliveries not written down"),
    ):
        report.add(key, label, getattr(outcome, key), "", at_most=0)
    report.add("repeated", "arrivals that came again, under the same id", outcome.repeated, "")
    report.notes.append(
        f"The installed command, killed by SIGKILL at {len(MOMENTS)} places of the notifier and at random "
        "moments of its start and its work; the receiver is a process of its own. What was under way at a "
        "kill comes again."
    )
    return report
