"""The worlds of the fault matrix: one for each way in which a node can be asked, shared by its tests."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from fake_clock import FakeClock
from fault_bitcoin import BitcoinLiar
from fault_evm import EvmLiar
from fault_matrix import Matrix
from fault_proxy import FaultProxy
from fault_stage_bitcoin import BitcoinStage
from fault_stage_evm import EvmStage
from fault_world import FaultWorld
from watcher import store
from watcher.sandbox.anvil import Anvil
from watcher.sandbox.litecoind import Litecoind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from fault_answers import Liar
    from fault_world import Stage
    from watcher.sandbox.node import Node

FIFO = ("--order", "fifo")
OTHER_CHAIN = 4242
LACKING = {
    "anvil-traces": frozenset[str](),
    "anvil-parity": frozenset({"debug_traceBlockByHash"}),
    "anvil-balances": frozenset({"debug_traceBlockByHash", "trace_block"}),
}
"""What the node of each mode says that it has no such method."""
COVERED: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
MODES = (*LACKING, "litecoind-rest", "litecoind-rpc")


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """No warnings, of which each cell is full as it should be; nothing waits for the disk."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_PRAGMAS", (*store._PRAGMAS, "PRAGMA synchronous = OFF"))
        yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODES)
async def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Matrix]:
    """A recorded matrix: the nodes live as long as the tests of one mode."""
    mode: str = request.param
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=2))
    folder = tmp_path_factory.mktemp(mode)
    with ExitStack() as nodes:
        stage, liar, node = _staged(mode, clock, folder, nodes, request)
        proxy = FaultProxy(node.url, lacks=LACKING.get(mode, frozenset()))
        await proxy.start()
        world = FaultWorld(folder, clock, stage, proxy)
        matrix = Matrix(mode, world, liar, COVERED[type(liar).__name__])
        try:
            await matrix.record()
            yield matrix
        finally:
            await world.end()
            await proxy.stop()


def _staged(
    mode: str, clock: FakeClock, folder: Path, nodes: ExitStack, request: pytest.FixtureRequest
) -> tuple[Stage, Liar, Node]:
    """Start what the mode needs; the nodes are killed when the stack is left."""
    if mode in LACKING:
        binary = request.getfixturevalue("anvil_binary")
        node = Anvil(binary, folder / "node", extra=FIFO)
        stranger = Anvil(binary, folder / "stranger", chain_id=OTHER_CHAIN)
        for each in (node, stranger):
            nodes.callback(each.kill)
            each.start()
        liar = EvmLiar(node, stranger)
        return EvmStage(node, clock, liar, traced=mode != "anvil-balances"), liar, node
    litecoind = Litecoind(request.getfixturevalue("litecoind_binary"), folder / "node", wallet=False)
    nodes.callback(litecoind.kill)
    litecoind.start()
    coin = BitcoinLiar(litecoind)
    return BitcoinStage(litecoind, clock, coin, rest=mode == "litecoind-rest"), coin, litecoind
