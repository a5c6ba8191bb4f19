"""Tells what is new about the deposits to standing addresses, inside the ledger's running transaction.

The one place that writes what was told of them. Looks at the deposits that moved or still wait, never at all
that an address has received, and at no address that nothing touches.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sqlalchemy import update

from watcher import facts, facts_standings, outbox, render, render_receipts
from watcher.facts_standings import encode_told
from watcher.ids import new_id
from watcher.model import Event
from watcher.receipts import is_settled, judge, news, now_told
from watcher.tables import DEPOSIT, STANDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.facts_standings import Found
    from watcher.model import Happening, View
    from watcher.receipts import StandingAddress
    from watcher.render import Links

PREFIX = "adr"
"""What the id of a standing address begins with."""


async def settle(connection: AsyncConnection, ids: Iterable[str], now: datetime, links: Links) -> int:
    """Tell of the deposits to those of these subjects that are standing addresses; return the events."""
    mine = [id_ for id_ in ids if id_.startswith(f"{PREFIX}_")]
    if not mine:
        return 0
    views = await facts.views(connection)
    events: list[Event] = []
    for some in facts.chunks(sorted(mine)):
        found = await facts_standings.waiting(connection, some)
        addresses = await facts_standings.load(connection, found)
        for id_, address in addresses.items():
            happenings = await _note(connection, address, found[id_], views, links)
            events += _events(address, happenings, views, now, links)
            await _count(connection, address, len(happenings))
    await outbox.publish(connection, events, now)
    return len(events)


async def _note(
    connection: AsyncConnection,
    address: StandingAddress,
    found: Sequence[Found],
    views: Mapping[str, View],
    links: Links,
) -> list[Happening]:
    """Write what is told of each deposit from now on, and return what that is."""
    happenings: list[Happening] = []
    for deposit, told, settled in found:
        decimals = links.decimals(deposit.chain, deposit.asset)
        payment = judge(address, deposit, views.get(deposit.chain), decimals)
        happenings += news(told, payment)
        values = {"told": encode_told(now_told(told, payment)), "settled": is_settled(payment)}
        if values != {"told": encode_told(told), "settled": settled}:
            await connection.execute(update(DEPOSIT).where(DEPOSIT.c.id == deposit.id).values(**values))
    return happenings


async def _count(connection: AsyncConnection, address: StandingAddress, events: int) -> None:
    if events:
        mine = update(STANDING).where(STANDING.c.id == address.id)
        await connection.execute(mine.values(sequence=address.sequence + events))


def _events(
    address: StandingAddress,
    happenings: Sequence[Happening],
    views: Mapping[str, View],
    now: datetime,
    links: Links,
) -> list[Event]:
    """Freeze the happenings, each with its own sequence."""
    numbers = count(address.sequence + 1)
    return [_freeze(address, one, next(numbers), views, now, links) for one in happenings]


def _freeze(  # noqa: PLR0913, PLR0917 - all that a body is made of
    address: StandingAddress,
    happening: Happening,
    number: int,
    views: Mapping[str, View],
    now: datetime,
    links: Links,
) -> Event:
    """Return one happening as the bytes that every delivery of it will send."""
    payment = happening.payment
    if payment is None:
        raise ValueError(f"{happening.type} is told of no deposit")
    chain = payment.deposit.chain
    data = {
        "address": {**render_receipts.standing(address), "sequence": number},
        "payment": render.payment(payment, views.get(chain), links),
        "sequence": number,
    } | ({"reason": happening.reason} if happening.reason else {})
    return Event(
        id=new_id("evt"),
        type=happening.type,
        occurred_at=now,
        body=render.body(happening.type.value, now, data),
        standing_id=address.id,
        sequence=number,
        chain=chain,
    )
