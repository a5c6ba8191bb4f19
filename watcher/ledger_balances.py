"""What was recorded of some addresses between two blocks, and what comparing it with their balances found.

Knows rows, not nodes. A growth that nothing recorded explains becomes a deposit of its own, which never
counts, in the transaction that raises its alert.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from chains.base import UNATTRIBUTED, BlockRef, Transfer
from watcher import alerts, deposits, facts, standings, troubles
from watcher.decisions import settle
from watcher.model import UNREAD, AlertKind, Standing
from watcher.tables import ADDRESS, ALERT, BLOCK, CHAIN, DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.bus import Bus
    from watcher.model import Clock, Gap
    from watcher.render import Links
    from watcher.store import Store

Key = tuple[str, str]
"""Address and asset."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some addresses of a chain in the order of their rows; `upto` is the last, None after all of them."""

    addresses: tuple[str, ...]
    upto: int | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A balance that grew by something else than what was recorded, in base units."""

    address: str
    asset: str
    growth: int
    credited: int

    @property
    def subject(self) -> str:
        """What tells its alert from others."""
        return f"{self.asset} {self.address}"


class Comparisons:
    """The rows that comparing balances reads and writes."""

    def __init__(self, store: Store, clock: Clock, links: Links, bus: Bus) -> None:
        self._store = store
        self._clock = clock
        self._links = links
        self._bus = bus

    async def anchor(self, chain: str) -> tuple[int, str] | None:
        """Return the block up to which the balances were compared last; None before the first time."""
        query = select(CHAIN.c.cross_checked, CHAIN.c.cross_checked_hash).where(CHAIN.c.name == chain)
        async with self._store.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None or row[0] is None else (row[0], row[1])

    async def kept(self, chain: str, height: int) -> BlockRef | None:
        """Return the lowest kept block at or above a height."""
        query = select(BLOCK).where(BLOCK.c.chain == chain, BLOCK.c.height >= height)
        async with self._store.read() as connection:
            row = (await connection.execute(query.order_by(BLOCK.c.height).limit(1))).first()
        return None if row is None else BlockRef(row.height, row.hash, row.parent, row.time)

    async def portion(self, chain: str, window: tuple[BlockRef, BlockRef], after: int, limit: int) -> Portion:
        """Return the next addresses above row `after` that were watched in every block of the window.

        Not those for which blocks of it have yet to be read again: what is recorded of them is not all. Where
        it was not noted from when on an address was watched, that was before anything was compared.
        """
        first, last = window[0].height, window[1].height
        query = (
            select(ADDRESS.c.id, ADDRESS.c.address)
            .where(ADDRESS.c.chain == chain, ADDRESS.c.id > after, ADDRESS.c.refund.is_(False))
            .where(or_(ADDRESS.c.from_height.is_(None), ADDRESS.c.from_height <= first))
            .order_by(ADDRESS.c.id)
            .limit(limit)
        )
        async with self._store.read() as connection:
            rows = (await connection.execute(query)).all()
            gaps = [g for g in await troubles.gaps(connection, chain) if g.first <= last and g.last > first]
        found = tuple(row.address for row in rows if not _has_gap(row.id, gaps))
        return Portion(found, rows[-1].id if len(rows) == limit else None)

    async def credited(
        self, chain: str, window: tuple[BlockRef, BlockRef], addresses: Iterable[str]
    ) -> dict[Key, int]:
        """Return what is recorded as mined in the window, its first block left out."""
        sums: dict[Key, int] = defaultdict(int)
        async with self._store.read() as connection:
            for some in facts.chunks(addresses):
                rows = await connection.execute(
                    select(DEPOSIT.c.address, DEPOSIT.c.asset, DEPOSIT.c.amount).where(
                        DEPOSIT.c.chain == chain,
                        DEPOSIT.c.address.in_(some),
                        DEPOSIT.c.standing == Standing.MINED.value,
                        DEPOSIT.c.block_height > window[0].height,
                        DEPOSIT.c.block_height <= window[1].height,
                    )
                )
                for row in rows:
                    sums[row.address, row.asset] += row.amount
        return sums

    async def begin(self, chain: str, at: BlockRef) -> None:
        """Compare from this block on."""
        async with self._store.write("balances") as connection:
            await _anchor(connection, chain, at)

    async def conclude(
        self,
        chain: str,
        window: tuple[BlockRef, BlockRef],
        found: Sequence[Disagreement],
        agreed: Iterable[Disagreement],
    ) -> None:
        """Record what was found and move on to the window's last block.

        Raises ChainMoved if that block is no longer the one that was absorbed.
        """
        now = self._clock()
        async with self._store.write("balances") as connection:
            await deposits.check_kept(connection, chain, [window[1]])
            timing = deposits.Timing(now, timedelta())
            rests = [_rest(each, window[1]) for each in found if each.growth > each.credited]
            touched = await deposits.record_found(connection, chain, rests, timing)
            for each in found:
                detail = _detail(chain, each, window)
                await alerts.raise_(
                    connection, chain, AlertKind.BALANCE_DISAGREEMENT, each.subject, detail, now
                )
            standing = await _standing(connection, chain)
            for subject in {each.subject for each in agreed} & standing:
                await alerts.clear(connection, chain, AlertKind.BALANCE_DISAGREEMENT, subject, now)
            await _anchor(connection, chain, window[1])
            written = await settle(connection, touched, now, self._links)
            written += await standings.settle(connection, touched, now, self._links)
        self._bus.published()
        self._bus.decided(touched, written)


def _has_gap(row: int, gaps: Sequence[Gap]) -> bool:
    return any(gap.reason in UNREAD or gap.after < row <= gap.upto for gap in gaps)


def _rest(found: Disagreement, block: BlockRef) -> Transfer:
    slot = f"{UNATTRIBUTED}{found.asset}:{found.address}"
    return Transfer(found.asset, block.hash, slot, found.address, found.growth - found.credited, block)


def _detail(chain: str, found: Disagreement, window: tuple[BlockRef, BlockRef]) -> str:
    first, last = window[0].height, window[1].height
    told = (
        "the rest is recorded as unattributed, and does not count"
        if found.growth > found.credited
        else "a payment that was counted did not arrive in full"
    )
    return (
        f"between blocks {first} and {last} the balance of {found.address} grew by {found.growth} "
        f"base units of {found.asset}, {found.credited} are recorded: {told}; look for what is missing with: "
        f"watcher rescan {chain} --from {first + 1} --to {last}, then watcher reconcile"
    )


async def _anchor(connection: AsyncConnection, chain: str, at: BlockRef) -> None:
    values = {"cross_checked": at.height, "cross_checked_hash": at.hash}
    await connection.execute(update(CHAIN).where(CHAIN.c.name == chain).values(**values))


async def _standing(connection: AsyncConnection, chain: str) -> set[str]:
    kind = AlertKind.BALANCE_DISAGREEMENT.value
    query = select(ALERT.c.subject).where(ALERT.c.chain == chain, ALERT.c.kind == kind)
    return set(await connection.scalars(query))
