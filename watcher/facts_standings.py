"""Rows into nouns: standing addresses, what they received, and what was told of it. Decides nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from watcher.facts import chunks, decode_confirmations, deposit, encode_confirmations
from watcher.receipts import Depths, Last, StandingAddress, Told
from watcher.tables import ADDRESS, DEPOSIT, STANDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from watcher.model import Deposit

Found = tuple["Deposit", Told | None, bool]
"""A deposit, what was told of it, and whether it is settled."""


def encode_depths(depths: Depths) -> str:
    """Return how deep deposits have to lie, as it is kept in the address's row."""
    steps = [[str(limit), encode_confirmations(rule)] for limit, rule in depths.steps]
    return json.dumps({"above": encode_confirmations(depths.above), "steps": steps})


def decode_depths(text: str) -> Depths:
    """Return what `encode_depths` wrote."""
    kept = json.loads(text)
    steps = tuple((Fraction(limit), decode_confirmations(rule)) for limit, rule in kept["steps"])
    return Depths(decode_confirmations(kept["above"]), steps)


def encode_told(told: Told | None) -> str | None:
    """Return what was told as it is kept in the deposit's row: "confirmed 1000 ETH 0x…"."""
    return None if told is None else f"{told.last} {told.amount} {told.asset} {told.address}"


def _told(text: str | None) -> Told | None:
    if text is None:
        return None
    last, amount, asset, address = text.split(" ")
    return Told(Last(last), int(amount), asset, address)


def standing(row: Any) -> StandingAddress:
    """Return a standing row as a standing address."""
    return StandingAddress(
        id=row.id,
        chain=row.chain,
        address=row.address,
        depths=decode_depths(row.confirmations),
        created_at=row.created_at,
        archived_at=row.archived_at,
        label=row.label,
        metadata=json.loads(row.metadata_json),
        sequence=row.sequence,
    )


async def load(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, StandingAddress]:
    """Return these standing addresses; unknown identifiers are left out."""
    found: dict[str, StandingAddress] = {}
    for some in chunks(ids):
        rows = await connection.execute(select(STANDING).where(STANDING.c.id.in_(some)))
        found.update({row.id: standing(row) for row in rows})
    return found


async def received(connection: AsyncConnection, id_: str) -> list[Deposit]:
    """Return every deposit to an address, on whichever chain."""
    return [deposit(row) for row in await connection.execute(_deposits(ADDRESS.c.standing_id == id_))]


def unsettled(ids: Sequence[str]) -> Select[Any]:
    """Select the deposits to these addresses that somebody has to look at, the first to arrive first."""
    query = _deposits(ADDRESS.c.standing_id.in_(ids), DEPOSIT.c.settled.is_(False))
    return query.order_by(DEPOSIT.c.arrived_at, DEPOSIT.c.txid, DEPOSIT.c.slot)


async def waiting(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Found]]:
    """Return what `unsettled` selects (of at most a chunk of addresses), by address."""
    found: dict[str, list[Found]] = defaultdict(list)
    for row in await connection.execute(unsettled(ids)):
        found[row.standing_id].append((deposit(row), _told(row.told), row.settled))
    return found


def _deposits(*conditions: ColumnElement[bool]) -> Select[Any]:
    here = (ADDRESS.c.chain == DEPOSIT.c.chain) & (ADDRESS.c.address == DEPOSIT.c.address)
    return select(ADDRESS.c.standing_id, DEPOSIT).join_from(ADDRESS, DEPOSIT, here).where(*conditions)
