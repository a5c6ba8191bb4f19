"""Chromium as a fixture, started for each test anew: that costs less than a second and shares nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import chromium
import failure_logs
from browser import Browser, launched
from watcher.sandbox.install import Missing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the browser of a test start last and end first: no page then asks a server that has ended."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        names.sort(key="browser".__eq__)


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    found = chromium.find()
    if isinstance(found, Missing):
        pytest.fail(str(found), pytrace=False)
    return found


@pytest.fixture
async def browser(chromium_program: Path, request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """Chromium; see `Browser`. A failed test leaves pictures and the HTML of its pages in test-logs.

    A fixture that takes a server and this names the server first.
    """
    async with launched(chromium_program) as running:
        yield running
        complaints = running.unexpected()
        if complaints or failure_logs.failed(request):
            folder = failure_logs.folder(request)
            folder.mkdir(parents=True, exist_ok=True)
            await running.save(folder)
    if complaints:
        pytest.fail("the browser complained:\n" + "\n".join(complaints), pytrace=False)
