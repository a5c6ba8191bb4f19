"""Records the transfers of a batch as deposits, inside the ledger's transaction. Decides nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from chains.base import BlockRef, ChainMoved
from watcher import deposits_shown, gaps
from watcher.affected import subjects
from watcher.deposits_gone import drop
from watcher.deposits_renamed import former, unrepeated
from watcher.deposits_unattributed import attribute, unexplained
from watcher.facts import chunks
from watcher.ids import new_id
from watcher.model import Standing
from watcher.tables import BLOCK, DEPOSIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import Transfer
    from watcher.deposits_shown import Shown
    from watcher.model import Batch

_UNPLACED = {
    "standing": Standing.UNPLACED.value,
    "block_height": None,
    "block_hash": None,
    "block_parent": None,
    "block_time": None,
    "settled": False,
}
CLOCK_SLACK = timedelta(seconds=10)
"""How far the node's clock and ours may differ on when an unconfirmed transaction came."""

_TOLD = ("standing", "block_hash", "block_height", "asset", "address", "amount", "risk")
"""What a sighting says of a deposit; anything else it had was a mistake."""


async def kept_block(connection: AsyncConnection, chain: str, height: int) -> BlockRef | None:
    """Return a kept block of the absorbed branch."""
    row = (
        await connection.execute(select(BLOCK).where(BLOCK.c.chain == chain, BLOCK.c.height == height))
    ).first()
    return BlockRef(row.height, row.hash, row.parent, row.time) if row else None


async def check_kept(connection: AsyncConnection, chain: str, blocks: Sequence[BlockRef]) -> None:
    """Raise ChainMoved if one of these blocks is not the one that was absorbed at its height."""
    heights = {b.height: b.hash for b in blocks}
    rows = await connection.execute(
        select(BLOCK.c.height, BLOCK.c.hash).where(
            BLOCK.c.chain == chain, BLOCK.c.height >= blocks[0].height, BLOCK.c.height <= blocks[-1].height
        )
    )
    for row in rows:
        if heights[row.height] != row.hash:
            raise ChainMoved(f"{chain}: block {row.height} changed since it was absorbed")


async def undo(connection: AsyncConnection, chain: str, height: int) -> set[str]:
    """Forget the blocks above `height`; return the subjects whose deposits lost their place by it."""
    above = (DEPOSIT.c.chain == chain) & (DEPOSIT.c.block_height > height)
    addresses = set(await connection.scalars(select(DEPOSIT.c.address).where(above)))
    if addresses:
        await connection.execute(update(DEPOSIT).where(above).values(**_UNPLACED))
    await connection.execute(delete(BLOCK).where(BLOCK.c.chain == chain, BLOCK.c.height > height))
    return await subjects(connection, chain, addresses)


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of when transfers arrived, beside their own times.

    `drift`: how far a block's time may lie before its making; nothing for blocks that are read again, which
    stood there before. `floor`: nothing that is read now can have arrived before it, whatever a block's time
    says; None for blocks that are read again.
    """

    observed_at: datetime
    drift: timedelta
    floor: datetime | None = None


async def record(connection: AsyncConnection, batch: Batch, timing: Timing) -> set[str]:
    """Write a batch's transfers; return the subjects that they touch."""
    pool = batch.mempool.transfers if batch.mempool else ()
    branch = {block.height: block.hash for block in batch.blocks}
    addresses = await _write(connection, batch.chain, [*pool, *batch.transfers], timing, branch)
    spent = {**(batch.mempool.spent if batch.mempool else {}), **batch.spent}
    complete = batch.mempool is not None and not batch.hole and not await gaps.unread(connection, batch.chain)
    live = {(t.txid, t.slot) for t in pool} if complete else None
    addresses |= await drop(connection, batch, spent, live)
    return await subjects(connection, batch.chain, addresses)


async def record_again(
    connection: AsyncConnection,
    chain: str,
    blocks: Sequence[BlockRef],
    transfers: Sequence[Transfer],
    timing: Timing,
) -> set[str]:
    """Write the transfers of blocks read again; deposits recorded in other blocks there lose their place."""
    hashes = [b.hash for b in blocks]
    foreign = (
        (DEPOSIT.c.chain == chain)
        & (DEPOSIT.c.block_height >= blocks[0].height)
        & (DEPOSIT.c.block_height <= blocks[-1].height)
        & DEPOSIT.c.block_hash.not_in(hashes)
    )
    addresses = set(await connection.scalars(select(DEPOSIT.c.address).where(foreign)))
    if addresses:
        await connection.execute(update(DEPOSIT).where(foreign).values(**_UNPLACED))
    addresses |= await _write(connection, chain, transfers, timing)
    return await subjects(connection, chain, addresses)


async def record_found(
    connection: AsyncConnection, chain: str, transfers: Sequence[Transfer], timing: Timing
) -> set[str]:
    """Write transfers that were found by address; what else is recorded in their blocks stands."""
    return await subjects(connection, chain, await _write(connection, chain, transfers, timing))


async def _write(
    connection: AsyncConnection,
    chain: str,
    transfers: Sequence[Transfer],
    timing: Timing,
    branch: Mapping[int, str] = MappingProxyType({}),
) -> set[str]:
    """Insert or move each transfer; return the addresses of those that changed something.

    `branch`: the blocks that are about to be absorbed, height to hash.
    """
    transfers = await unexplained(connection, chain, transfers)
    known = await _known(connection, chain, {t.txid for t in transfers})
    shown = await deposits_shown.of(connection, chain, {t.address for t in transfers}, branch)
    told = {(t.txid, t.slot) for t in transfers}
    lost = {name: row for name, row in known.items() if row["standing"] == Standing.UNPLACED}
    changed: set[str] = set()
    new: list[Transfer] = []
    for transfer in unrepeated(transfers, known):
        old = known.get((transfer.txid, transfer.slot)) or former(transfer, told, lost)
        place = _place(transfer) | _judged(transfer, old)
        if not _concerns(transfer, shown) or (old is not None and not _moves(old, place)):
            continue
        changed |= {transfer.address, old["address"]} if old else {transfer.address}
        if old is None:
            row = _row(chain, transfer, place, _arrival(transfer, timing, shown[transfer.address]))
            await connection.execute(insert(DEPOSIT).values(**row))
            new.append(transfer)
        else:
            row = old | place
            del known[old["txid"], old["slot"]]
            lost.pop((old["txid"], old["slot"]), None)
            await connection.execute(update(DEPOSIT).where(DEPOSIT.c.id == old["id"]).values(**place))
        known[transfer.txid, transfer.slot] = row
    await attribute(connection, chain, new)
    return changed


def _concerns(transfer: Transfer, shown: Mapping[str, Shown]) -> bool:
    """Whether it is of interest: to a refund's destination, only what is said to be the refund is."""
    where = shown.get(transfer.address)
    return where is not None and (where.refunds is None or transfer.txid in where.refunds)


async def _known(
    connection: AsyncConnection, chain: str, txids: Iterable[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for some in chunks(txids):
        rows = await connection.execute(
            select(DEPOSIT).where(DEPOSIT.c.chain == chain, DEPOSIT.c.txid.in_(some))
        )
        found.update({(row.txid, row.slot): dict(row._mapping) for row in rows})  # noqa: SLF001 - its public name
    return found


def _place(transfer: Transfer) -> dict[str, Any]:
    """Return what a sighting says of a deposit: where it is now, and what it brings there."""
    block = transfer.block
    return {
        "slot": transfer.slot,
        "asset": transfer.asset,
        "address": transfer.address,
        "amount": transfer.amount,
        "standing": (Standing.MINED if block else Standing.MEMPOOL).value,
        "block_height": block.height if block else None,
        "block_hash": block.hash if block else None,
        "block_parent": block.parent if block else None,
        "block_time": block.time if block else None,
        "maturity": transfer.maturity,
        "settled": False,
    } | ({"spends": json.dumps(transfer.spends)} if transfer.spends else {})


def _judged(transfer: Transfer, old: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return the risk of a sighting: while a payment waits in the mempool, it can only be judged better.

    What was told of it stands although fees rose. Coming back, out of a block or nowhere, it is judged anew.
    """
    if old is None or transfer.block is not None or old["standing"] != Standing.MEMPOOL:
        return {"risk": transfer.risk}
    return {"risk": old["risk"] and transfer.risk}


def _moves(old: Mapping[str, Any], place: Mapping[str, Any]) -> bool:
    """Whether a sighting tells something new. A mempool's word never moves what stands in a block."""
    if old["standing"] == Standing.MINED and place["standing"] == Standing.MEMPOOL:
        return False
    return any(old[key] != place[key] for key in _TOLD)


def _row(chain: str, transfer: Transfer, place: Mapping[str, Any], arrived_at: datetime) -> dict[str, Any]:
    return {
        "id": new_id("pay"),
        "chain": chain,
        "txid": transfer.txid,
        "spends": "[]",
        "arrived_at": arrived_at,
        **place,
    }


def _arrival(transfer: Transfer, timing: Timing, shown: Shown) -> datetime:
    """Return when a transfer arrived: when it was seen or, if earlier, what the node or the block say.

    A block's time may be wrong by the chain's drift, so it goes no further back than `floor` (hazard 108).
    Clocks differ and count whole seconds: what did not come before its address was made came after.
    """
    times = [timing.observed_at, transfer.seen_at, transfer.block.time if transfer.block else None]
    arrived = min(t for t in times if t is not None)
    if timing.floor is not None:
        arrived = max(arrived, min(timing.floor, timing.observed_at))
    if _came_before(transfer, shown, arrived, timing.drift):
        return min(arrived, transfer.block.time) if transfer.block else arrived
    return max(arrived, shown.made_at)


def _came_before(transfer: Transfer, shown: Shown, arrived: datetime, drift: timedelta) -> bool:
    """Whether it reached the address before its invoice was made: none of the invoice's business.

    An address of the caller's own may have been used; one of ours only if the key was in use elsewhere, so
    there a block's time is given the benefit of its drift, as it is on a branch that did not exist then.
    Fixed with the arrival: a reorganisation may put it into a later block, or a later payment into a lower
    one.
    """
    if transfer.block is None:
        return shown.own and shown.made_at - arrived > CLOCK_SLACK
    doubt = timedelta() if shown.own and not shown.branched else drift
    return transfer.block.height <= shown.from_height and transfer.block.time < shown.made_at - doubt
