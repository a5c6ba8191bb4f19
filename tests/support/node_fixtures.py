"""Fixtures that start real nodes: a plugin of the whole test suite, loaded by tests/conftest.py.

A required node that is missing fails the test with the line that installs it; it is never a skip.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

import failure_logs
from watcher.sandbox import install
from watcher.sandbox.anvil import Anvil
from watcher.sandbox.bitcoind import Bitcoind
from watcher.sandbox.litecoind import Litecoind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.sandbox.node import Node

_SPENDABLE = 20
"""How many mature coins a prepared wallet has: as many payments need not wait for each other's change."""


class AnvilFactory(Protocol):
    """Starts one more anvil; the options are those of watcher.sandbox.anvil.Anvil."""

    def __call__(self, **options: Any) -> Anvil: ...


class LitecoindFactory(Protocol):
    """Starts one more litecoind; `funded` begins with a copy of a chain whose wallet has coins."""

    def __call__(self, *, funded: bool = True, mweb: bool = False, **options: Any) -> Litecoind: ...


class BitcoindFactory(Protocol):
    """Starts one more Bitcoin Core, as LitecoindFactory does."""

    def __call__(self, *, funded: bool = True, **options: Any) -> Bitcoind: ...


@pytest.fixture(scope="session")
def anvil_binary() -> Path:
    return _required(install.find_anvil())


@pytest.fixture(scope="session")
def litecoind_binary() -> Path:
    return _required(install.find_litecoind())


@pytest.fixture(scope="session")
def bitcoind_binary() -> Path:
    """Bitcoin Core is in no package registry: a user's own, or a skip that says so."""
    if not (chosen := os.environ.get("BITCOIND")):
        pytest.skip("BITCOIND does not name a Bitcoin Core program")
    return Path(chosen)


@pytest.fixture
def anvil_factory(
    anvil_binary: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[AnvilFactory]:
    with _kept(request, tmp_path) as nodes:

        def start(**options: Any) -> Anvil:
            nodes.append(node := Anvil(anvil_binary, tmp_path / f"node-anvil-{len(nodes)}", **options))
            return node.start()

        yield start


@pytest.fixture
def anvil(anvil_factory: AnvilFactory) -> Anvil:
    return anvil_factory()


@pytest.fixture(scope="session")
def prepared() -> Iterator[dict[str, Path]]:
    """Data folders of chains with coins, made when first asked for and copied for each test."""
    folders: dict[str, Path] = {}
    yield folders
    for folder in folders.values():
        shutil.rmtree(folder)


@pytest.fixture
def litecoind_factory(
    litecoind_binary: Path,
    prepared: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[LitecoindFactory]:
    def prepare(*, mweb: bool) -> Path:
        key = f"litecoin-mweb-{mweb}"
        if key not in prepared:
            folder = tmp_path_factory.mktemp(key)
            with Litecoind(litecoind_binary, folder, mweb=mweb) as node:
                node.mine(_SPENDABLE + 100)
                if mweb:
                    node.activate_mweb()
            prepared[key] = folder
        return prepared[key]

    with _kept(request, tmp_path) as nodes:

        def start(*, funded: bool = True, mweb: bool = False, **options: Any) -> Litecoind:
            folder = tmp_path / f"node-litecoind-{len(nodes)}"
            if funded:
                shutil.copytree(prepare(mweb=mweb), folder)
            nodes.append(node := Litecoind(litecoind_binary, folder, mweb=mweb, **options))
            return node.start()

        yield start


@pytest.fixture
def litecoind(litecoind_factory: LitecoindFactory) -> Litecoind:
    return litecoind_factory()


@pytest.fixture
def bitcoind_factory(
    bitcoind_binary: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[BitcoindFactory]:
    with _kept(request, tmp_path) as nodes:

        def start(*, funded: bool = True, **options: Any) -> Bitcoind:
            nodes.append(
                node := Bitcoind(bitcoind_binary, tmp_path / f"node-bitcoind-{len(nodes)}", **options)
            )
            node.start()
            if funded:
                node.mine(_SPENDABLE + 100)
            return node

        yield start


@pytest.fixture
def bitcoind(bitcoind_factory: BitcoindFactory) -> Bitcoind:
    return bitcoind_factory()


def _required(found: Path | install.Missing) -> Path:
    if isinstance(found, install.Missing):
        pytest.fail(str(found), pytrace=False)
    return found


@contextmanager
def _kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Node]]:
    """Hold the nodes of one test; end them afterwards, and keep their logs if it failed."""
    nodes: list[Node] = []
    try:
        yield nodes
    finally:
        for node in nodes:
            node.kill()
            if failure_logs.failed(request):
                _save_logs(node, failure_logs.folder(request), tmp_path)
            shutil.rmtree(node.data_dir, ignore_errors=True)


def _save_logs(node: Node, target: Path, below: Path) -> None:
    """Copy what the node told; the numbered *.log of a database are not for people."""
    for log in node.data_dir.rglob("*.log"):
        if log.stat().st_size and not log.stem.isdecimal():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, target / str(log.relative_to(below)).replace("/", "-"))
