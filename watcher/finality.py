"""How deep a deposit lies, and whether that is deep enough. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.model import Finality, Standing

if TYPE_CHECKING:
    from watcher.model import Confirmations, Deposit, View


def depth(deposit: Deposit, view: View | None) -> int:
    """Return the confirmations of a deposit: its own block is the first (head - height + 1)."""
    if deposit.block is None or deposit.standing is not Standing.MINED or view is None:
        return 0
    return max(0, view.head.height - deposit.block.height + 1)


def is_deep(deposit: Deposit, required: Confirmations, view: View | None) -> bool:
    """Whether a deposit has the confirmations that are asked for, and those that the chain itself demands."""
    if depth(deposit, view) < deposit.maturity:
        return False
    if isinstance(required, Finality):
        return _final(deposit, required, view)
    if required == 0:
        return deposit.standing in (Standing.MEMPOOL, Standing.MINED)
    return depth(deposit, view) >= required


def _final(deposit: Deposit, required: Finality, view: View | None) -> bool:
    if deposit.block is None or deposit.standing is not Standing.MINED or view is None:
        return False
    limit = view.safe if required is Finality.SAFE else view.finalized
    return limit is not None and deposit.block.height <= limit


def at_least(required: Confirmations, blocks: int) -> Confirmations:
    """Return a rule that asks for no fewer than so many blocks."""
    return required if isinstance(required, Finality) else max(required, blocks)
