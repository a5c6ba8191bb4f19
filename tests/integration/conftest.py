"""What the integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from world import World, made

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fake_clock import FakeClock


@pytest.fixture
async def world(tmp_path: Path, clock: FakeClock) -> AsyncIterator[World]:
    async with made(tmp_path, clock) as one:
        yield one
