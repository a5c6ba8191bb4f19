"""What every test may use: real nodes and the fake chain."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings

from fake_adapter import FakeAdapter
from fake_chain import FakeChain
from fake_clock import FakeClock

pytest_plugins = ["failure_logs", "api_fixtures", "browser_fixtures", "node_fixtures", "outbox_fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See that each test has an id of its own: of several with one, xdist runs only one."""
    twice = [nodeid for nodeid, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"several tests have the id {twice[0]}")


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
