"""The API as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_server import Api, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fake_chain import FakeChain
    from fake_clock import FakeClock


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock, fake_chain: FakeChain) -> AsyncIterator[Api]:
    async with serving(tmp_path, clock, fake_chain) as running:
        yield running
