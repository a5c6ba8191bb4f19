"""What is known: absorbs batches into facts, cursor, decisions and events, each in ONE transaction.

The only writer of facts about chains. Reading a block again changes nothing; a reorganisation is no special
case: everything above a batch's base is undone, and the batch says what stands instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, select, union, update

from watcher import addresses, affected, alerts, deposits, facts, failpoint, gaps, outbox, standings, troubles
from watcher.decisions import settle
from watcher.deposits_gone import FLOATING
from watcher.ledger_balances import Comparisons
from watcher.model import Gap, GapReason
from watcher.tables import ADDRESS, BLOCK, CHAIN, DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import BlockRef, Transfer
    from watcher.bus import Bus
    from watcher.model import Batch, Clock, View
    from watcher.render import Links
    from watcher.store import Store


class LedgerConflict(RuntimeError):  # noqa: N818 - the name says which
    """A batch does not build on what was absorbed: two scanners follow one chain, or a fault of ours."""


@dataclass(frozen=True, slots=True)
class WatchedRow:
    """An address to look for: its row number, its bytes on the chain, and whether the caller brought it.

    `payer`: it is a payer's, to whom money is given back.
    """

    id: int
    script: bytes
    brought: bool
    payer: bool


class Ledger:
    """The facts of all chains, and what follows from them."""

    def __init__(self, store: Store, clock: Clock, links: Links, bus: Bus) -> None:
        """`links` names things in the events' bodies; `bus` wakes the notifier after each commit."""
        self._store = store
        self._clock = clock
        self._links = links
        self._bus = bus
        self.comparisons = Comparisons(store, clock, links, bus)

    async def identity(self, chain: str) -> tuple[str, str] | None:
        """Return which chain was absorbed under this name, CAIP-2 and block 0; None before its first."""
        query = select(CHAIN.c.chain_id, CHAIN.c.genesis).where(CHAIN.c.name == chain)
        async with self._store.read() as connection:
            row = (await connection.execute(query)).first()
            return (row.chain_id, row.genesis) if row else None

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
        columns = (ADDRESS.c.id, ADDRESS.c.script, ADDRESS.c.key_index, ADDRESS.c.refund)
        query = select(*columns).where(ADDRESS.c.chain == chain, ADDRESS.c.id > after)
        if upto is not None:
            query = query.where(ADDRESS.c.id <= upto)
        async with self._store.read() as connection:
            rows = await connection.execute(query.order_by(ADDRESS.c.id))
            return [WatchedRow(row.id, row.script, row.key_index is None, row.refund) for row in rows]

    async def unconfirmed(self, chain: str, above: int) -> tuple[set[str], set[str]]:
        """Return the transactions of unconfirmed deposits, and the outpoints by which others replace them.

        Deposits in blocks above `above` are unconfirmed, too: those blocks are about to be undone.
        """
        async with self._store.read() as connection:
            mine = select(DEPOSIT.c.txid, DEPOSIT.c.spends).where(DEPOSIT.c.chain == chain)
            floating = mine.where(DEPOSIT.c.settled.is_(False), DEPOSIT.c.standing.in_(FLOATING))
            undone = mine.where(DEPOSIT.c.block_height > above)
            rows = (await connection.execute(union(floating, undone))).all()
        return {row.txid for row in rows}, {spent for row in rows for spent in json.loads(row.spends)}

    async def due(self, chain: str, as_of: datetime) -> bool:
        """Whether an invoice waits for this chain to be proven until `as_of`."""
        async with self._store.read() as connection:
            return bool(await connection.scalar(select(exists(affected.due(chain, as_of)))))

    async def gaps(self, chain: str) -> list[Gap]:
        """Return the blocks to be read again, oldest first."""
        async with self._store.read() as connection:
            return await troubles.gaps(connection, chain)

    async def begin(self, batch: Batch, chain_id: str, genesis: str) -> None:
        """Start following a chain at the batch's one block."""
        identity = {"chain_id": chain_id, "genesis": genesis}
        async with self._store.write("begin") as connection:
            await connection.execute(insert(CHAIN).values(**identity, **_cursor(batch.view)))
            await connection.execute(insert(BLOCK), _blocks(batch))

    async def absorb(self, batch: Batch, *, drift: timedelta, history: int) -> int:
        """Make a batch part of what is known; return the number of events that it caused.

        `drift`: how far a block's own time may lie before it was made. `history`: the blocks that can be
        undone; the one below them is kept, too.
        Raises LedgerConflict if the batch does not build on a kept block.
        """
        async with self._store.write("batch") as connection:
            old = (await facts.views(connection)).get(batch.chain)
            if old is None or batch.base is None:
                raise LedgerConflict(f"{batch.chain}: the first batch has to begin the chain")
            await _build_on(connection, batch, batch.base, self._clock())
            touched = await deposits.undo(connection, batch.chain, batch.base.height)
            timing = deposits.Timing(batch.observed_at, drift, _earliest(old, batch.base) - drift)
            touched |= await deposits.record(connection, batch, timing)
            recorded = frozenset(touched)
            as_of = _proven(old, batch)
            await _advance(connection, batch, old, as_of, history)
            if batch.hole:
                await gaps.add_hole(connection, batch.chain, batch.hole, self._clock())
            if batch.blocks or batch.view.finalized != old.finalized or batch.view.safe != old.safe:
                touched |= await affected.maturing(connection, batch.chain)
            touched |= set(await connection.scalars(affected.due(batch.chain, as_of)))
            written = await self._settle(connection, touched)
        if written or batch.hole:
            self._bus.published()
        self._bus.decided(recorded, written)
        return written

    async def first_shown(self, chain: str) -> datetime | None:
        """Return when the first address of a chain was made."""
        query = select(func.min(ADDRESS.c.created_at)).where(ADDRESS.c.chain == chain)
        async with self._store.read() as connection:
            made: datetime | None = await connection.scalar(query)
            return made

    async def credited(self, chain: str) -> list[tuple[int, str]]:
        """Return the blocks in which anything is credited, (height, hash), lowest first."""
        block = (DEPOSIT.c.block_height, DEPOSIT.c.block_hash)
        query = select(*block).where(DEPOSIT.c.chain == chain, DEPOSIT.c.block_height.is_not(None))
        async with self._store.read() as connection:
            rows = await connection.execute(query.distinct().order_by(*block))
            return [(row.block_height, row.block_hash) for row in rows]

    async def share_accounts(self, chain: str, namespace: str) -> None:
        """Watch what was shown for chains with the same accounts here, too: money may come by mistake."""
        async with self._store.write("accounts") as connection:
            await addresses.share(connection, chain, namespace)

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
            await outbox.publish(connection, [alerts.stalled(chain, reason, since, now)], now)
            failpoint.hit("alarm.written")
        failpoint.hit("alarm.committed")
        self._bus.published()

    async def absorb_again(
        self, gap: Gap, blocks: Sequence[BlockRef], transfers: Sequence[Transfer], timing: deposits.Timing
    ) -> int:
        """Record what blocks below the cursor say on a second reading, and shorten the gap by them."""
        async with self._store.write("gap") as connection:
            await deposits.check_kept(connection, gap.chain, blocks)
            recorded = await deposits.record_again(connection, gap.chain, blocks, transfers, timing)
            await gaps.was_read(connection, gap, blocks[0].height, blocks[-1].height, self._clock())
            written = await self._settle(connection, recorded | await affected.between(connection, gap))
        self._bus.published()
        self._bus.decided(recorded, written)
        return written

    async def absorb_recovered(
        self, gap: Gap, proven: Sequence[BlockRef], transfers: Sequence[Transfer], timing: deposits.Timing
    ) -> int:
        """Record what was found by address in blocks that nobody can read, and what they do not hold."""
        async with self._store.write("gap") as connection:
            for block in {*proven, *(t.block for t in transfers if t.block)}:
                await deposits.check_kept(connection, gap.chain, [block])
            recorded = await deposits.record_found(connection, gap.chain, transfers, timing)
            for block in proven:
                await gaps.was_read(connection, gap, block.height, block.height, self._clock())
            written = await self._settle(connection, recorded | await affected.between(connection, gap))
        self._bus.published()
        self._bus.decided(recorded, written)
        return written

    async def _settle(self, connection: AsyncConnection, touched: Collection[str]) -> int:
        """Decide invoices and standing addresses again; return the number of events written."""
        now = self._clock()
        told = await settle(connection, touched, now, self._links)
        return told + await standings.settle(connection, touched, now, self._links)

    async def leave_out(self, gap: Gap, height: int) -> None:
        """Take one block out of a gap: another gap holds it, and reading it was tried again in vain."""
        async with self._store.write("gap") as connection:
            await gaps.cut(connection, gap, height, height, self._clock())


async def _build_on(connection: AsyncConnection, batch: Batch, base: BlockRef, now: datetime) -> None:
    """Make sure that the base is a kept block, and forget the gaps above it: what stands there is new."""
    if batch.rebased:
        await connection.execute(delete(BLOCK).where(BLOCK.c.chain == batch.chain))
        await connection.execute(insert(BLOCK), [_block(batch.chain, base)])
    kept = await deposits.kept_block(connection, batch.chain, base.height)
    if kept is None or kept.hash != base.hash:
        raise LedgerConflict(f"{batch.chain}: block {base.height} {base.hash} is not one that was absorbed")
    await gaps.forget_above(connection, batch.chain, base.height, now)


def _earliest(old: View, base: BlockRef) -> datetime:
    """Return what no new transfer precedes: what was proven before or, on another branch, its fork."""
    return old.as_of if base.hash == old.head.hash else min(old.as_of, base.time)


def _proven(old: View, batch: Batch) -> datetime:
    """Return until when the chain is proven: what was, stays so, even while a node lags or is cut off.

    But not on another branch, where money may still come in time, nor beyond the present by a wrong clock.
    """
    if batch.base is None or batch.base.hash != old.head.hash:
        return batch.view.as_of
    return max(batch.view.as_of, min(old.as_of, batch.observed_at))


async def _advance(
    connection: AsyncConnection, batch: Batch, old: View, as_of: datetime, history: int
) -> None:
    """Move the cursor, keep the new blocks and note which addresses were not looked for in them."""
    if batch.blocks:
        await connection.execute(insert(BLOCK), _blocks(batch))
        await _note_unwatched(connection, batch)
    await connection.execute(
        delete(BLOCK).where(BLOCK.c.chain == batch.chain, BLOCK.c.height < batch.view.head.height - history)
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
    first, last = batch.blocks[0].height, batch.blocks[-1].height
    made = Gap(0, batch.chain, first, last, batch.watched_to, newest, GapReason.NEW_ADDRESS)
    await gaps.add(connection, made)


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
