"""What is known: absorbs batches into facts, cursor, decisions and events, each in ONE transaction.

The only writer of facts about chains. Reading a block again changes nothing; a reorganisation is no special
case: everything above a batch's base is undone, and the batch says what stands instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, update

from watcher import affected, deposits, facts, outbox, render
from watcher.decisions import NEW_ADDRESS, settle
from watcher.ids import new_id
from watcher.model import Event, EventType, Gap, Standing
from watcher.tables import ADDRESS, BLOCK, CHAIN, DEPOSIT, GAP, INVOICE, OPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, Transfer
    from watcher.bus import Bus
    from watcher.model import Batch, Clock, View
    from watcher.render import Links
    from watcher.store import Store


_FLOATING = (Standing.MEMPOOL.value, Standing.UNPLACED.value)


class LedgerConflict(RuntimeError):  # noqa: N818 - the name says which
    """A batch does not build on what was absorbed: two scanners follow one chain, or a fault of ours."""


@dataclass(frozen=True, slots=True)
class WatchedRow:
    """An address to look for: its row number, its bytes on the chain, and whether the caller brought it."""

    id: int
    script: bytes
    brought: bool


class Ledger:
    """The facts of all chains, and what follows from them."""

    def __init__(self, store: Store, clock: Clock, links: Links, bus: Bus) -> None:
        """`links` names things in the events' bodies; `bus` wakes the notifier after each commit."""
        self._store = store
        self._clock = clock
        self._links = links
        self._bus = bus

    async def identity(self, chain: str) -> tuple[str, str] | None:
        """Return which chain was absorbed under this name, CAIP-2 and block 0; None before its first."""
        query = select(CHAIN.c.chain_id, CHAIN.c.genesis).where(CHAIN.c.name == chain)
        async with self._store.read() as connection:
            row = (await connection.execute(query)).first()
            return (row.chain_id, row.genesis) if row else None

    async def unfollowed(self, chains: Iterable[str]) -> dict[str, int]:
        """Return how many open invoices wait on chains other than these, by chain."""
        query = (
            select(OPTION.c.chain, func.count(OPTION.c.invoice_id.distinct()))
            .join(INVOICE, INVOICE.c.id == OPTION.c.invoice_id)
            .where(INVOICE.c.closed_at.is_(None), OPTION.c.chain.not_in(list(chains)))
            .group_by(OPTION.c.chain)
        )
        async with self._store.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def view(self, chain: str) -> View | None:
        """Return how much of a chain is absorbed; None before its first batch."""
        async with self._store.read() as connection:
            return (await facts.views(connection)).get(chain)

    async def kept(self, chain: str) -> list[tuple[int, str]]:
        """Return the kept blocks of a chain, (height, hash), lowest first."""
        async with self._store.read() as connection:
            rows = await connection.execute(
                select(BLOCK.c.height, BLOCK.c.hash).where(BLOCK.c.chain == chain).order_by(BLOCK.c.height)
            )
            return [(row.height, row.hash) for row in rows]

    async def block(self, chain: str, height: int) -> BlockRef | None:
        """Return a kept block."""
        async with self._store.read() as connection:
            return await deposits.kept_block(connection, chain, height)

    async def watched(self, chain: str, after: int, upto: int | None = None) -> list[WatchedRow]:
        """Return the addresses of a chain with row numbers above `after` (and at most `upto`), in order."""
        columns = (ADDRESS.c.id, ADDRESS.c.script, ADDRESS.c.key_index)
        query = select(*columns).where(ADDRESS.c.chain == chain, ADDRESS.c.id > after)
        if upto is not None:
            query = query.where(ADDRESS.c.id <= upto)
        async with self._store.read() as connection:
            rows = await connection.execute(query.order_by(ADDRESS.c.id))
            return [WatchedRow(row.id, row.script, row.key_index is None) for row in rows]

    async def unconfirmed_outpoints(self, chain: str, above: int) -> set[str]:
        """Return the outpoints that unconfirmed deposits spend: whatever else spends one replaces it.

        Deposits in blocks above `above` are unconfirmed, too: those blocks are about to be undone.
        """
        async with self._store.read() as connection:
            floating = DEPOSIT.c.settled.is_(False) & DEPOSIT.c.standing.in_(_FLOATING)
            undone = DEPOSIT.c.block_height > above
            rows = await connection.scalars(
                select(DEPOSIT.c.spends).where(DEPOSIT.c.chain == chain, floating | undone)
            )
            return {outpoint for text in rows for outpoint in json.loads(text)}

    async def due(self, chain: str, as_of: datetime) -> bool:
        """Whether an invoice waits for this chain to be proven until `as_of`."""
        async with self._store.read() as connection:
            return bool(await connection.scalar(select(exists(affected.due(chain, as_of)))))

    async def gaps(self, chain: str) -> list[Gap]:
        """Return the blocks to be read again, oldest first."""
        async with self._store.read() as connection:
            rows = await connection.execute(select(GAP).where(GAP.c.chain == chain).order_by(GAP.c.id))
            return [Gap(row.id, row.chain, row.first, row.last, row.after, row.upto) for row in rows]

    async def begin(self, batch: Batch, chain_id: str, genesis: str) -> None:
        """Start following a chain at the batch's one block."""
        identity = {"chain_id": chain_id, "genesis": genesis}
        async with self._store.write() as connection:
            await connection.execute(insert(CHAIN).values(**identity, **_cursor(batch.view)))
            await connection.execute(insert(BLOCK), _blocks(batch))

    async def absorb(self, batch: Batch, *, drift: timedelta, history: int) -> int:
        """Make a batch part of what is known; return the number of events that it caused.

        `drift`: how far a block's own time may lie before it was made. `history`: blocks to keep.
        Raises LedgerConflict if the batch does not build on a kept block.
        """
        async with self._store.write() as connection:
            old = (await facts.views(connection)).get(batch.chain)
            if old is None or batch.base is None:
                raise LedgerConflict(f"{batch.chain}: the first batch has to begin the chain")
            await _build_on(connection, batch, batch.base)
            touched = await deposits.undo(connection, batch.chain, batch.base.height)
            timing = deposits.Timing(batch.observed_at, drift, _earliest(old, batch.base) - drift)
            touched |= await deposits.record(connection, batch, timing)
            as_of = _proven(old, batch)
            await _advance(connection, batch, old, as_of, history)
            if batch.blocks or batch.view.finalized != old.finalized or batch.view.safe != old.safe:
                touched |= await affected.maturing(connection, batch.chain)
            touched |= set(await connection.scalars(affected.due(batch.chain, as_of)))
            written = await settle(connection, touched, self._clock(), self._links)
        if written:
            self._bus.published()
        return written

    async def has_deposits(self, chain: str) -> bool:
        """Whether anything was ever credited in a block."""
        credited = (DEPOSIT.c.chain == chain) & DEPOSIT.c.block_height.is_not(None)
        async with self._store.read() as connection:
            return bool(await connection.scalar(select(exists().where(credited))))

    async def alarm(self, chain: str, reason: str | None) -> None:
        """Tell the shop that a chain stalled, or with None that it is well again; what was told, once."""
        async with self._store.write() as connection:
            row = (await connection.execute(select(CHAIN).where(CHAIN.c.name == chain))).first()
            if row is None or (row.stalled_since is None) is (reason is None):
                return
            now = self._clock()
            since = row.stalled_since or now
            values = {"stalled_since": now if reason else None, "stalled_reason": reason}
            await connection.execute(update(CHAIN).where(CHAIN.c.name == chain).values(**values))
            await outbox.publish(connection, [_alarm(chain, reason, since, now)], now)
        self._bus.published()

    async def absorb_again(
        self, gap: Gap, blocks: Sequence[BlockRef], transfers: Sequence[Transfer], timing: deposits.Timing
    ) -> int:
        """Record what blocks below the cursor say on a second reading, and shorten the gap by them."""
        async with self._store.write() as connection:
            await deposits.check_kept(connection, gap.chain, blocks)
            touched = await deposits.record_again(connection, gap.chain, blocks, transfers, timing)
            await _shorten(connection, gap, blocks[-1].height)
            touched |= await affected.between(connection, gap)
            written = await settle(connection, touched, self._clock(), self._links)
        if written:
            self._bus.published()
        return written


async def _build_on(connection: AsyncConnection, batch: Batch, base: BlockRef) -> None:
    """Make sure that the base is a kept block, and forget the gaps above it: what stands there is new."""
    if batch.rebased:
        await connection.execute(delete(BLOCK).where(BLOCK.c.chain == batch.chain))
        await connection.execute(insert(BLOCK), [_block(batch.chain, base)])
    kept = await deposits.kept_block(connection, batch.chain, base.height)
    if kept is None or kept.hash != base.hash:
        raise LedgerConflict(f"{batch.chain}: block {base.height} {base.hash} is not one that was absorbed")
    above = (GAP.c.chain == batch.chain) & (GAP.c.last > base.height)
    await connection.execute(update(GAP).where(above).values(last=base.height))
    await connection.execute(delete(GAP).where(GAP.c.chain == batch.chain, GAP.c.first > GAP.c.last))


def _earliest(old: View, base: BlockRef) -> datetime:
    """Return what no new transfer precedes: what was proven before or, on another branch, its fork."""
    return old.as_of if base.hash == old.head.hash else min(old.as_of, base.time)


def _proven(old: View, batch: Batch) -> datetime:
    """Return until when the chain is proven: what was, stays so, even while a node lags or is cut off.

    But not beyond the present: a clock that was wrong for a while leaves no mark.
    """
    return max(batch.view.as_of, min(old.as_of, batch.observed_at))


async def _advance(
    connection: AsyncConnection, batch: Batch, old: View, as_of: datetime, history: int
) -> None:
    """Move the cursor, keep the new blocks and note which addresses were not looked for in them."""
    if batch.blocks:
        await connection.execute(insert(BLOCK), _blocks(batch))
        await _note_unwatched(connection, batch)
    await connection.execute(
        delete(BLOCK).where(BLOCK.c.chain == batch.chain, BLOCK.c.height <= batch.view.head.height - history)
    )
    base = batch.base.height if batch.base else 0
    values = {
        **_cursor(batch.view),
        "as_of": as_of,
        "safe": _latest(old.safe, batch.view.safe, base),
        "finalized": _latest(old.finalized, batch.view.finalized, base),
    }
    await connection.execute(update(CHAIN).where(CHAIN.c.name == batch.chain).values(**values))


def _latest(old: int | None, new: int | None, base: int) -> int | None:
    """Keep final what was final while its block stands, even if the node forgets to say so (hazard 9)."""
    heights = [h for h in (min(old, base) if old is not None else None, new) if h is not None]
    return max(heights, default=None)


async def _note_unwatched(connection: AsyncConnection, batch: Batch) -> None:
    newest = await connection.scalar(
        select(func.max(ADDRESS.c.id)).where(ADDRESS.c.chain == batch.chain, ADDRESS.c.id > batch.watched_to)
    )
    if newest is None:
        return
    await connection.execute(
        insert(GAP).values(
            chain=batch.chain,
            first=batch.blocks[0].height,
            last=batch.blocks[-1].height,
            after=batch.watched_to,
            upto=newest,
            reason=NEW_ADDRESS,
        )
    )


async def _shorten(connection: AsyncConnection, gap: Gap, read_to: int) -> None:
    if read_to >= gap.last:
        await connection.execute(delete(GAP).where(GAP.c.id == gap.id))
    else:
        await connection.execute(update(GAP).where(GAP.c.id == gap.id).values(first=read_to + 1))


def _cursor(view: View) -> Mapping[str, object]:
    head = view.head
    return {
        "name": view.chain,
        "height": head.height,
        "hash": head.hash,
        "parent": head.parent,
        "time": head.time,
        "as_of": view.as_of,
        "safe": view.safe,
        "finalized": view.finalized,
    }


def _blocks(batch: Batch) -> list[dict[str, object]]:
    return [_block(batch.chain, b) for b in batch.blocks]


def _block(chain: str, block: BlockRef) -> dict[str, object]:
    return {
        "chain": chain,
        "height": block.height,
        "hash": block.hash,
        "parent": block.parent,
        "time": block.time,
    }


def _alarm(chain: str, reason: str | None, since: datetime, now: datetime) -> Event:
    type_ = EventType.CHAIN_STALLED if reason else EventType.CHAIN_RECOVERED
    data = {"chain": chain, "reason": reason, "since": render.moment(since)}
    return Event(new_id("evt"), type_, now, render.body(type_.value, now, data), chain=chain)
