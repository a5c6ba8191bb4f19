"""A queue of events survives `kill -9` at any moment. QUEUED, KILLED and SEED come from the environment."""

from __future__ import annotations

import os
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import pytest

from killed_queue import MOMENTS, Outcome, survived

if TYPE_CHECKING:
    from pathlib import Path

QUEUED = int(os.environ.get("QUEUED", "1500"))
KILLED = int(os.environ.get("KILLED", str(len(MOMENTS) + 3)))
SEED = int(os.environ.get("SEED", "0")) or SystemRandom().randrange(1, 10**6)


@pytest.mark.timeout(120 + 10 * KILLED)
async def test_h111_h112_h114_a_queue_survives_every_kill_in_order_and_under_the_same_ids(
    tmp_path: Path,
) -> None:
    outcome = await survived(tmp_path, QUEUED, KILLED, Random(SEED))

    expected = Outcome(0, 0, 0, 0, 0, repeated=outcome.repeated)
    assert expected == outcome, f"SEED={SEED} repeats it"
    assert 0 < outcome.repeated < 100 * KILLED
