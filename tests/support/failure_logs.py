"""What a failed test leaves under test-logs, for a person to read: a plugin, loaded by tests/conftest.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure, so that the fixtures know it when they end."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


def failed(request: pytest.FixtureRequest) -> bool:
    """Whether the fixture's test has failed."""
    return request.node.stash.get(_FAILED, False)


def folder(request: pytest.FixtureRequest) -> Path:
    """Return where to put what the fixture's test leaves; it may not be there yet."""
    name = re.sub(r"[^A-Za-z0-9_.\[\]-]+", "-", request.node.nodeid)
    return request.config.rootpath / "test-logs" / name
