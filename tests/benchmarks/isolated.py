"""Runs one benchmark in a process and a folder of its own, so that none measures what another left behind."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import log

if TYPE_CHECKING:
    from harness import Report, Scale

_SUPPORT = Path(__file__).parents[1] / "support"


def report(name: str, scale: Scale) -> Report:
    """Return what bench_NAME.py finds; Unavailable where it cannot run."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, name, scale).result()


def _measured(name: str, scale: Scale) -> Report:
    sys.path.append(str(_SUPPORT))
    benchmark = import_module(f"bench_{name}")
    log.configure(level="error")  # after the import: some libraries set levels of their own
    with tempfile.TemporaryDirectory(prefix="deposit-watcher-bench-") as folder:
        found: Report = asyncio.run(benchmark.run(scale, Path(folder)))
        return found
