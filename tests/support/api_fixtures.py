"""The API as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_server import Api, serving
from watcher.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fake_chain import FakeChain
    from fake_clock import FakeClock


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock, fake_chain: FakeChain) -> AsyncIterator[Api]:
    async with serving(tmp_path, clock, fake_chain) as running:
        yield running


@pytest.fixture
async def unlimited_api(tmp_path: Path, clock: FakeClock, fake_chain: FakeChain) -> AsyncIterator[Api]:
    """Run the API with no limits: a test that asks for everything is faster than any payer."""
    server = ServerSettings(public_rate=0, rate=0)
    async with serving(tmp_path, clock, fake_chain, server=server) as running:
        yield running
