"""What a chain's adapter is told to look for, grown as addresses are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import Watched

if TYPE_CHECKING:
    from chains.base import BlockRef, ChainAdapter
    from watcher.ledger import Ledger


class Lookout:
    """One chain's `watched`; `upto` is the newest address row in it."""

    def __init__(self, adapter: ChainAdapter, ledger: Ledger) -> None:
        self.watched = Watched()
        self.upto = 0
        self._adapter = adapter
        self._ledger = ledger

    async def grow(self, base: BlockRef) -> None:
        """Learn the addresses made since the last look, and the outpoints whose spending would matter."""
        name = self._adapter.name
        for row in await self._ledger.watched(name, self.upto):
            self.watched.scripts.add(row.script)
            self.watched.brought += row.brought
            if row.payer:
                self.watched.payers.add(row.script)
            self.upto = row.id
        if self._adapter.has_mempool:
            found = await self._ledger.unconfirmed(name, base.height)
            self.watched.unconfirmed, self.watched.outpoints = found
