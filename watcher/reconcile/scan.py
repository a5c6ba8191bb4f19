"""A naive reading of many blocks, which survives a reorganisation on its way. Compares nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.base import ChainMoved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from chains.naive import NaiveReader, SeenBlock, Sighting

_KEPT = 5000
"""Hashes kept to see which of the blocks that were read still stand."""


class Scan:
    """The blocks from `first` on, and `others` below them, read once each while they stand."""

    def __init__(
        self, reader: NaiveReader, watched: Mapping[bytes, str], first: int, others: Iterable[int] = ()
    ) -> None:
        """`watched` are the addresses by their bytes on the chain."""
        self._reader = reader
        self._watched = watched
        self._first = first
        self._others = sorted(others)
        self._hashes: dict[int, str] = {}
        self._seen: dict[int, tuple[Sighting, ...]] = {}

    @property
    def sightings(self) -> list[Sighting]:
        """All credits, lowest block first."""
        return [each for height in sorted(self._seen) for each in self._seen[height]]

    async def run(self, last: int, progress: Callable[[int], None] = lambda _: None) -> None:
        """Read up to `last` what is not read yet, or stands no more.

        Raises ChainMoved if the chain moves meanwhile: run it again.
        """
        await self._rewind()
        for height in self._others:
            self._seen[height] = (await self._reader.block(height, self._watched)).sightings
        for height in range(max(self._hashes, default=self._first - 1) + 1, last + 1):
            self._keep(await self._reader.block(height, self._watched))
            progress(height)

    async def stands(self) -> bool:
        """Whether the newest block that was read is still on the chain."""
        top = max(self._hashes, default=None)
        return top is None or await self._reader.hash(top) == self._hashes[top]

    def _keep(self, block: SeenBlock) -> None:
        if self._hashes.get(block.height - 1, block.parent) != block.parent:
            raise ChainMoved(f"block {block.height} is not the child of the one before it")
        self._hashes[block.height] = block.hash
        self._seen[block.height] = block.sightings
        self._hashes.pop(block.height - _KEPT, None)

    async def _rewind(self) -> None:
        """Forget the blocks that left the chain; where no kept one stands, all of them."""
        while self._hashes:
            top = max(self._hashes)
            if await self._reader.hash(top) == self._hashes[top]:
                return
            del self._hashes[top]
            self._seen.pop(top, None)
        self._seen.clear()
