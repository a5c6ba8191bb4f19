"""What every test may use: real nodes and the fake chain."""

from __future__ import annotations

import pytest
from hypothesis import settings

from fake_adapter import FakeAdapter
from fake_chain import FakeChain
from fake_clock import FakeClock

pytest_plugins = ["api_fixtures", "node_fixtures", "outbox_fixtures"]

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fake_chain(clock: FakeClock) -> FakeChain:
    return FakeChain(clock)


@pytest.fixture
def fake_adapter(fake_chain: FakeChain) -> FakeAdapter:
    return FakeAdapter(fake_chain)
