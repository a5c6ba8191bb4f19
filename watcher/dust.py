"""Leaves out credits too small to be a payment: each would cost an event, and anyone can send thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chains.base import ChainAdapter, Transfer, Watched


def above(adapter: ChainAdapter, transfers: Iterable[Transfer], watched: Watched) -> tuple[Transfer, ...]:
    """Return the transfers that reach their asset's configured floor (hazard 65), and all to payers."""
    floors = {asset.symbol: asset.dust for asset in adapter.assets()}
    return tuple(
        t
        for t in transfers
        if t.amount >= floors.get(t.asset, 0) or (watched.payers and adapter.key(t.address) in watched.payers)
    )
