"""Takes what is random or real out of the product's hands, so that a seed always tells the same story."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from shops import SimulatedSender
from watcher import ids, notifier, sending

if TYPE_CHECKING:
    from random import Random

    from virtual_loop import VirtualClock, VirtualLoop


class _Identifiers:
    """What watcher.ids takes from `time` and `secrets`."""

    def __init__(self, dice: Random, clock: VirtualClock) -> None:
        self.randbits = dice.getrandbits
        self._clock = clock

    def time_ns(self) -> int:
        return int(self._clock().timestamp() * 1_000_000_000)


def plant(dice: Random, clock: VirtualClock, loop: VirtualLoop) -> None:
    """Give the product's modules this seed's identifiers, time and receivers."""
    ids.time = ids.secrets = _Identifiers(dice, clock)  # type: ignore[assignment]
    notifier.monotonic = sending.monotonic = loop.time  # type: ignore[assignment]
    notifier.POLL = 10.0
    notifier.Sender = SimulatedSender  # type: ignore[misc]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
