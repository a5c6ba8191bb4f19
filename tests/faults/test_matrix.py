"""Every method that the adapters use, times every fault that its node can have: P1 to P15 of HAZARDS.

The methods are those that a recording run of the real adapter, scanner and ledger has seen. Each cell plays
the same scene (payments, the deadline, a restart, a reorganisation) while one method, or every one, is at
fault. After each turn the ledger is held against the node itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fault_proxy import EVERY
from fault_table import KINDS, UNPROVABLE, unprovable

if TYPE_CHECKING:
    from fault_matrix import Matrix
    from fault_table import Kind

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEEDED = {
    "anvil-traces": {"debug_traceBlockByHash", "eth_getBlockReceipts", "eth_getTransactionReceipt"},
    "anvil-parity": {"trace_block", "eth_getBlockReceipts"},
    "anvil-balances": {"eth_getBalance", "eth_getBlockReceipts"},
    "litecoind-rest": {"/rest/block", "getrawmempool"},
    "litecoind-rpc": {"getblock", "getrawmempool"},
}
"""What the recording of each mode must have seen: else it tested another mode than it says."""


async def test_the_recording_has_seen_what_the_mode_lives_on(matrix: Matrix) -> None:
    assert set() == NEEDED[matrix.mode] - matrix.seen.keys()


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_h6_h7_h9_h11_h34_h35_h42_h43_h46_h47_h71_h74_h75_the_cursor_passes_no_unproven_block(
    matrix: Matrix, kind: Kind
) -> None:
    found = await matrix.run(kind)
    rows = {each: unprovable(matrix.mode, kind, each) for each in matrix.ran[kind.name]}
    listed = {each for each, row in rows.items() if row}
    always = {each for each, row in rows.items() if row and row.always}

    assert listed == found.keys() | (listed - always), _told(found)


async def test_size_of_the_matrix(matrix: Matrix, capsys: pytest.CaptureFixture[str]) -> None:
    """Comes last, and says how much was tested; each cell that was not has a reason."""
    cells = len(KINDS) * (len(matrix.seen) + 1)
    without = sum(map(len, matrix.without.values()))
    with capsys.disabled():
        sys.stdout.write(f"\n{matrix.told()}\n")

    assert cells == matrix.size + without
    assert all(reason for reasons in matrix.without.values() for reason in reasons.values())
    assert EVERY in matrix.ran["P4-null"]


async def test_what_one_endpoint_cannot_disprove_names_what_does() -> None:
    assert all(row.by for row in UNPROVABLE)


def _told(found: dict[str, list[str]]) -> str:
    return "\n".join(f"{cell}: {'; '.join(wrong)}" for cell, wrong in found.items())
