"""A refund's transaction: looked up on the chain, its destination watched, so that the scanner follows it.

From then on the ordinary reading of the chain says whether it is there, deep enough, or gone again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from chains.base import ChainError, NodeMisbehaved
from watcher import gaps
from watcher.errors import Refused
from watcher.model import Gap, GapReason
from watcher.money import format_amount
from watcher.tables import ADDRESS, BLOCK, CHAIN, DEPOSIT, REFUND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from chains.base import ChainAdapter, Located, Transfer
    from watcher.model import Refund
    from watcher.store import Store

CONFLICT = 409

EARLIER = timedelta(hours=3)
"""A block's own time may lie so far before its making (two hours by consensus), and clocks differ."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction was found, None if nowhere, and the height that was absorbed before.

    `asked`: a node answered, so that on a chain that remembers its transactions "nowhere" means what it says.
    """

    located: Located | None
    absorbed: int
    asked: bool = True


async def locate(adapter: ChainAdapter, store: Store, refund: Refund, txid: str) -> Place:
    """Return where the transaction is. Refused if it is no such refund."""
    async with store.read() as connection:
        absorbed = await _height(connection, refund.chain)
    try:
        located = await adapter.locate(txid, refund.address or "")
    except NodeMisbehaved as error:
        raise Refused("chain_not_ready", f"{refund.chain}: {error}", status=503) from error
    except ChainError:
        return Place(None, absorbed, asked=False)  # the scanner finds it when the node is back
    if located is not None and located.transfers is not None:
        _check(refund, located.transfers)
    return Place(located, absorbed)


def _check(refund: Refund, transfers: Sequence[Transfer]) -> None:
    """Refuse a transaction that pays the destination less than it is to have."""
    paid = sum(t.amount for t in transfers if t.asset == refund.asset)
    if paid < refund.arrives:
        found = f"{format_amount(paid, refund.decimals)} {refund.asset}"
        needed = format_amount(refund.arrives, refund.decimals)
        message = f"that transaction pays {found} to {refund.address}; the refund needs {needed}"
        raise Refused("refund_mismatch", message, field="txid", status=CONFLICT)


async def record(
    connection: AsyncConnection, refund: Refund, place: Place, adapter: ChainAdapter, now: datetime
) -> None:
    """Write down by which transaction a refund was sent, and look for it from now on and where it may be."""
    await _refuse_another_use(connection, refund)
    values = {"txid": refund.txid, "sent_at": refund.sent_at, "confirmed_at": None}
    await connection.execute(update(REFUND).where(REFUND.c.id == refund.id).values(**values))
    row, ours = await _watch(connection, refund, adapter, now)
    if ours:
        return
    located = place.located
    if located is not None and located.block is not None:
        await _read_again(connection, refund, row, located.block.height, located.block.height)
    elif located is not None or (place.asked and not adapter.has_mempool):
        await _read_again(connection, refund, row, place.absorbed + 1)  # mined while it was looked for
    else:
        await _read_again(connection, refund, row, await _since(connection, refund))


async def was_seen(connection: AsyncConnection, refund: Refund) -> bool:
    """Whether anything of a refund's transaction is on the chain or in the mempool, or was."""
    of_it = (DEPOSIT.c.chain == refund.chain) & (DEPOSIT.c.txid == refund.txid)
    query = select(DEPOSIT.c.id).where(of_it, DEPOSIT.c.address == refund.address)
    return await connection.scalar(query.limit(1)) is not None


async def _refuse_another_use(connection: AsyncConnection, refund: Refund) -> None:
    """One payment cannot be two refunds to the same address.

    One that was withdrawn gives its transaction up, unless that was seen: then it was sent all the same.
    """
    same = (
        (REFUND.c.chain == refund.chain)
        & (REFUND.c.address == refund.address)
        & (REFUND.c.asset == refund.asset)
        & (REFUND.c.txid == refund.txid)
        & (REFUND.c.id != refund.id)
    )
    seen = await was_seen(connection, refund)
    for other in await connection.execute(select(REFUND.c.id, REFUND.c.cancelled_at).where(same)):
        if seen or other.cancelled_at is None:
            message = f"is what {other.id} was sent by; each refund to an address needs one of its own"
            raise Refused("txid_in_use", message, field="txid", status=CONFLICT)
    await connection.execute(update(REFUND).where(same).values(txid=None))


async def _watch(
    connection: AsyncConnection, refund: Refund, adapter: ChainAdapter, now: datetime
) -> tuple[int, bool]:
    """Watch the destination; return its row, and whether it was watched for another reason anyway."""
    mine = (ADDRESS.c.chain == refund.chain) & (ADDRESS.c.address == refund.address)
    known = (await connection.execute(select(ADDRESS.c.id, ADDRESS.c.refund).where(mine))).first()
    if known is not None:
        return known.id, not known.refund
    height = await _height(connection, refund.chain)
    made = await connection.execute(
        insert(ADDRESS)
        .values(
            chain=refund.chain,
            address=refund.address,
            script=adapter.key(refund.address or ""),
            created_at=now,
            from_height=height,
            refund=True,
        )
        .returning(ADDRESS.c.id)
    )
    return int(made.scalar_one()), False


async def _since(connection: AsyncConnection, refund: Refund) -> int | None:
    """Return the first kept block in which a refund can be that was requested at its moment."""
    kept = (BLOCK.c.chain == refund.chain) & (BLOCK.c.time >= refund.at - EARLIER)
    first: int | None = await connection.scalar(select(func.min(BLOCK.c.height)).where(kept))
    return first


async def _read_again(
    connection: AsyncConnection, refund: Refund, row: int, first: int | None, last: int | None = None
) -> None:
    """Have the blocks read again for the destination that are absorbed already."""
    height = await _height(connection, refund.chain)
    upto = height if last is None else min(last, height)
    if first is not None and first <= upto:
        gap = Gap(0, refund.chain, first, upto, row - 1, row, GapReason.REFUND)
        await gaps.add(connection, gap)


async def _height(connection: AsyncConnection, chain: str) -> int:
    """Return up to where a chain is absorbed."""
    return await connection.scalar(select(CHAIN.c.height).where(CHAIN.c.name == chain)) or 0
