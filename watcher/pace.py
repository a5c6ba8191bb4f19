"""How a chain is followed: its rhythm, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, and blocks for `history` and `cross_check`; `stalled_after` 0 never alarms.

    `cross_check`: blocks between two comparisons of the balances with the deposits; 0 never compares.
    """

    poll_interval: float
    history: int
    stalled_after: float
    start_height: int | None = None
    cross_check: int = 0
